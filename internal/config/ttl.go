package config

import "time"

// Bounds of MAX_TTL and DEFAULT_TTL: those of limits.maxTTL of an AccessRole.
const (
	minTTL = time.Minute
	maxTTL = 100_000*time.Hour - time.Second
)

// ttl reads a lifetime of keys. An empty value and 0 are the default: none.
func ttl(field func(*Runtime) *time.Duration) parser {
	return func(s *Settings, value string) string {
		if value == "" {
			return ""
		}
		lifetime, err := time.ParseDuration(value)
		switch {
		case err != nil:
			return "is not a duration such as 2160h"
		case lifetime != 0 && lifetime < minTTL:
			return "is under 1m; 0 means none"
		case lifetime > maxTTL:
			return "is over 99999h"
		case lifetime%time.Second != 0:
			return "is not in whole seconds"
		}
		*field(&s.Service) = lifetime
		return ""
	}
}

// checkTTLs runs last, because it compares two settings.
func (s *Settings) checkTTLs() (problem string) {
	if longest := s.Service.MaxTTL; longest > 0 && s.Service.DefaultTTL > longest {
		return "is longer than " + keyMaxTTL
	}
	return ""
}
