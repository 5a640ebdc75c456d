package program

import (
	"os"
	"strings"
)

// OneLine returns a value without the blanks around it. A file with one line ends with a line break, and so does an
// entry of a Secret or a ConfigMap that was made from such a file.
func OneLine(value string) string { return strings.TrimSpace(value) }

// Getenv returns an environment variable as one line: a Pod may have it from a Secret or a ConfigMap.
func Getenv(name string) string { return OneLine(os.Getenv(name)) }

// LineOr returns the value of a flag as one line, or that of the environment variable that stands for it. A blank value
// is an error, and not the default: a Secret may be empty by mistake.
func LineOr(flag, value, variable string) (string, error) {
	name := "--" + flag
	if value == "" {
		name, value = "$"+variable, os.Getenv(variable)
	}
	line := OneLine(value)
	if line == "" && value != "" {
		return "", Misused("%s is blank", name)
	}
	return line, nil
}
