package settings

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/key"
)

// Keys of ConfigMap keywright-config, named as an environment file names them.
const (
	// KeyAdminKey is the bootstrap key in plaintext.
	KeyAdminKey = "ADMIN_KEY"
	// KeyAdminKeySecret points to the bootstrap key: <name of a Secret>/<key in it>.
	KeyAdminKeySecret = "ADMIN_KEY_SECRET"
)

// Settings is what keywright-config says, checked.
type Settings struct {
	// AdminKey is the bootstrap key. Empty: none, or one that AdminKeySecret points to.
	AdminKey string
	// AdminKeySecret points to the bootstrap key. Nil: nothing does.
	AdminKeySecret *SecretRef
}

// SecretRef points to one key of a Secret in Keywright's own namespace.
type SecretRef struct {
	Name string
	Key  string
}

func (r SecretRef) String() string { return r.Name + "/" + r.Key }

// Fault is one setting that can't be used. Its text names the setting and never a value that may be secret.
type Fault struct {
	Key     string
	Problem string
}

func (f Fault) Error() string { return f.Key + ": " + f.Problem }

// parsers has one entry for each setting. What is not in it is unknown.
var parsers = map[string]func(*Settings, string) string{
	KeyAdminKey:       parseAdminKey,
	KeyAdminKeySecret: parseAdminKeySecret,
}

// Parse reads the data of keywright-config. With faults the settings are not to be used.
func Parse(data map[string]string) (Settings, []Fault) {
	var settings Settings
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(data)) {
		parse, known := parsers[name]
		if !known {
			faults = append(faults, Fault{name, "is not a setting; known are " + strings.Join(slices.Sorted(maps.Keys(parsers)), ", ")})
			continue
		}
		if problem := parse(&settings, strings.TrimSpace(data[name])); problem != "" {
			faults = append(faults, Fault{name, problem})
		}
	}
	if settings.AdminKey != "" && settings.AdminKeySecret != nil {
		faults = append(faults, Fault{KeyAdminKey, "can't be set together with " + KeyAdminKeySecret})
	}
	return settings, faults
}

func parseAdminKey(s *Settings, value string) string {
	s.AdminKey = value
	if value == "" {
		return ""
	}
	return CheckAdminKey(value)
}

// CheckAdminKey says what is wrong with a bootstrap key, or nothing. It follows the rules of a brought key, which are
// those that the server checks every presented key by.
func CheckAdminKey(value string) string {
	if err := (key.Format{Prefix: key.DefaultPrefix}).Check(value); err != nil {
		return err.Error()
	}
	return ""
}

var secretRef = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)/([A-Za-z0-9._-]{1,253})$`)

// parseAdminKeySecret never repeats the value: who takes the setting for another will have put the key itself there.
func parseAdminKeySecret(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	match := secretRef.FindStringSubmatch(value)
	if match == nil {
		return "is not of the form <name of a Secret>/<key in it>"
	}
	s.AdminKeySecret = &SecretRef{Name: match[1], Key: match[3]}
	return ""
}
