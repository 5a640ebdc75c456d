package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

const mediaLines = "application/x-ndjson"

var (
	errUsageType = &httpapi.BodyError{
		Status: http.StatusUnsupportedMediaType, Text: "The Content-Type must be application/json or " + mediaLines,
	}
	errTooManyRecords = &httpapi.BodyError{
		Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("The body has more than %d records", usage.MaxBatch),
	}
	errNoRecords = manage.Errorf(manage.Invalid, "The body has no records")
	errNotJSON   = &jsonbody.Error{Kind: jsonbody.NotJSON, Problem: "the body is not JSON"}
)

// decodeRecords returns the records of a body: one object, an array, or with lines an object a line. The documents of
// records are decoded one by one, so that a body takes memory for its records only.
func decodeRecords(body []byte, lines bool) ([]usage.Record, error) {
	var records []usage.Record
	each := eachValue
	if lines {
		each = eachLine
	}
	err := each(body, func(document []byte) error {
		if len(records) == usage.MaxBatch {
			return errTooManyRecords
		}
		r, wrong := decodeRecord(document)
		if wrong != nil {
			return wrongRecord(len(records), wrong)
		}
		records = append(records, r)
		return nil
	})
	if err == nil && len(records) == 0 {
		err = errNoRecords
	}
	return records, err
}

// wrongRecord names a record by its index. Field may be empty: then the problem is about all of it.
func wrongRecord(index int, wrong *usage.FieldError) error {
	name := fmt.Sprintf("record %d", index)
	if wrong.Field != "" {
		name += ": " + wrong.Field
	}
	return manage.InvalidField(name, wrong.Problem)
}

func eachLine(body []byte, yield func([]byte) error) error {
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := yield(line); err != nil {
			return err
		}
	}
	return nil
}

// eachValue calls yield with the object that a body is, or with each value of the array that it is.
func eachValue(body []byte, yield func([]byte) error) error {
	body = bytes.Trim(body, " \t\r\n")
	switch {
	case bytes.HasPrefix(body, []byte("[")):
		return eachElement(body, yield)
	case !json.Valid(body):
		return errNotJSON
	case bytes.HasPrefix(body, []byte("{")):
		return yield(body)
	}
	return manage.Errorf(manage.Invalid, "The body must be an object or an array of objects")
}

func eachElement(body []byte, yield func([]byte) error) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.Token(); err != nil {
		return errNotJSON
	}
	for decoder.More() {
		var element json.RawMessage
		if decoder.Decode(&element) != nil {
			return errNotJSON
		}
		if err := yield(element); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return errNotJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errNotJSON
	}
	return nil
}

// isLines reports whether a body of this type has an object a line. Without a type it is JSON.
func isLines(types []string) (lines bool, err error) {
	if len(types) == 0 {
		return false, nil
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	charset, given := parameters["charset"]
	switch {
	case err != nil || len(types) > 1 || given && !strings.EqualFold(charset, "utf-8"):
	case media == mediaLines:
		return true, nil
	case media == "application/json":
		return false, nil
	}
	return false, errUsageType
}
