package importfile

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxList bounds a list in bytes.
const maxList = 64 << 20

// entry is an entry of a list as it is written. A JSON list has these fields, a CSV list columns of these names.
type entry struct {
	Name        string   `json:"name"`
	Subject     string   `json:"subject"`
	Digest      string   `json:"digest"`
	Expires     string   `json:"expires"`
	Description string   `json:"description"`
	Prefix      string   `json:"prefix"`
	Scopes      []string `json:"scopes"`
	Roles       []string `json:"roles"`
	Length      int      `json:"length"`
}

// List reads a list of keys: a JSON array of objects, or CSV with a header. The error is about the list as a whole.
func List(r io.Reader) ([]Key, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxList {
		return nil, fmt.Errorf("the list is larger than %d MiB", maxList>>20)
	}
	content = bytes.TrimSpace(bytes.TrimPrefix(content, []byte("\ufeff")))
	switch {
	case len(content) == 0:
		return nil, errors.New("the list is empty")
	case content[0] == '[':
		return fromJSON(content)
	case content[0] == '{':
		return nil, errors.New("the list is a JSON object: it must be an array of objects, or CSV")
	}
	return fromCSV(content)
}

func fromJSON(content []byte) ([]Key, error) {
	var all []json.RawMessage
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("the list is not valid JSON: %w", err)
	}
	keys := make([]Key, 0, len(all))
	for i, text := range all {
		var e entry
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		k := Key{}
		if err := decoder.Decode(&e); err != nil {
			k = Key{Name: e.Name, Err: fmt.Errorf("not a key: %w", err)}
		} else {
			k = e.key()
		}
		if !utf8.Valid(text) {
			k.Err = errEncoding
		}
		k.Line = i + 1
		keys = append(keys, k)
	}
	return keys, nil
}

// columns are the setters of the columns of a CSV list.
var columns = map[string]func(e *entry, value string) error{
	"name":        func(e *entry, value string) error { e.Name = value; return nil },
	"subject":     func(e *entry, value string) error { e.Subject = value; return nil },
	"digest":      func(e *entry, value string) error { e.Digest = value; return nil },
	"expires":     func(e *entry, value string) error { e.Expires = value; return nil },
	"description": func(e *entry, value string) error { e.Description = value; return nil },
	"prefix":      func(e *entry, value string) error { e.Prefix = value; return nil },
	"scopes":      func(e *entry, value string) error { e.Scopes = strings.Fields(value); return nil },
	"roles":       func(e *entry, value string) error { e.Roles = strings.Fields(value); return nil },
	"length":      setLength,
}

func setLength(e *entry, value string) (err error) {
	if value == "" {
		return nil
	}
	if e.Length, err = strconv.Atoi(value); err != nil {
		return fmt.Errorf("the length %.40q is not a number", value)
	}
	return nil
}

func fromCSV(content []byte) ([]Key, error) {
	reader := csv.NewReader(bytes.NewReader(content))
	reader.FieldsPerRecord, reader.TrimLeadingSpace = -1, true
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("the list is not valid CSV: %w", err)
	}
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	var keys []Key
	for line := 1; ; line++ {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		k := Key{Err: err}
		var syntax *csv.ParseError
		switch {
		case err == nil:
			k = fromRecord(header, record)
		case !errors.As(err, &syntax):
			return nil, err
		}
		k.Line = line
		keys = append(keys, k)
	}
}

func checkHeader(header []string) error {
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if columns[header[i]] == nil {
			return fmt.Errorf("the list has a column %.40q: its first line must name columns of name, subject, digest, "+
				"expires, description, prefix, scopes, roles, length", name)
		}
		if slices.Contains(header[:i], header[i]) {
			return fmt.Errorf("the list has two columns %q", header[i])
		}
	}
	for _, name := range []string{"name", "subject", "digest"} {
		if !slices.Contains(header, name) {
			return fmt.Errorf("the list has no column %q: its first line must name the columns", name)
		}
	}
	return nil
}

func fromRecord(header, record []string) Key {
	var e entry
	if len(record) != len(header) {
		return Key{Err: fmt.Errorf("the line has %d fields, the header has %d", len(record), len(header))}
	}
	for i, value := range record {
		if err := columns[header[i]](&e, strings.TrimSpace(value)); err != nil {
			return Key{Name: e.Name, Err: err}
		}
	}
	return e.key()
}

// key checks an entry. The API server checks the rest: the subject, the scopes and the roles.
func (e *entry) key() Key {
	k := Key{
		Name: strings.TrimSpace(e.Name), Subject: e.Subject, Description: e.Description, Prefix: e.Prefix,
		Scopes: e.Scopes, Roles: e.Roles, Length: e.Length,
	}
	var expiresErr, digestErr error
	k.Sum, digestErr = parseSum(e.Digest)
	k.Expires, expiresErr = parseTime(e.Expires)
	switch {
	case !utf8.ValidString(e.Name + e.Subject + e.Description + e.Prefix + strings.Join(append(e.Scopes, e.Roles...), "")):
		k.Err = errEncoding
	case k.Name == "":
		k.Err = errNoName
	case digestErr != nil:
		k.Err = digestErr
	case expiresErr != nil:
		k.Err = expiresErr
	case utf8.RuneCountInString(e.Prefix) > longestPrefix:
		k.Err = errLongPrefix
	case e.Length < 0 || e.Length > 0 && e.Length < LeastLength:
		k.Err = errTooShort
	}
	return k
}

// parseTime reads an instant, or a day, which ends at midnight in UTC.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("expires %.40q must be a time such as 2030-01-31T12:00:00Z, or a day", text)
	}
	return at.AddDate(0, 0, 1), nil
}
