package apikeys

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Cursor is the key's place in a list, for Query.After.
func (k *Key) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(k.CreatedAt.Unix(), 10) + " " + k.Object.String()))
}

func readCursor(cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	created, object, found := strings.Cut(string(text), " ")
	at, parseErr := strconv.ParseInt(created, 10, 64)
	if err != nil || parseErr != nil || !found {
		return nil, invalid("cursor", "is not one that a list has ended with")
	}
	return &position{at, object}, nil
}
