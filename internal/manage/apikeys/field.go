package apikeys

import (
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
)

// fieldOf is a field of an APIKey under the name that callers know it by.
func fieldOf(path string, kind v1alpha1.SubjectKind) string {
	path, isSpec := strings.CutPrefix(path, "spec.")
	if !isSpec {
		return path
	}
	for field, name := range map[string]string{
		"displayName": FieldName, "expiresAt": FieldExpiresAt, "ttl": FieldExpiresIn, "subject": strings.ToLower(string(kind)),
	} {
		if rest, is := strings.CutPrefix(path, field); is {
			if field == "subject" {
				return name
			}
			return name + rest
		}
	}
	return path
}
