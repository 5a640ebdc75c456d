package config

import (
	"bytes"
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/key/keyformat"
)

// Current is a setting as a server runs it.
type Current struct {
	Name string
	// Value sets what is in force, in the form of keywright-config. It is empty if that is the default, and always for
	// a secret setting.
	Value string
	// IsSecret: the server does not know the value, only whether there is a bootstrap key, which is Set.
	IsSecret, Set bool
	Description
}

// IsDefault reports whether the setting has its default.
func (c *Current) IsDefault() bool { return c.Value == "" && !c.Set }

// Written returns what to write into keywright-config for what is in force: Value, or the default if that has a value.
func (c *Current) Written() string {
	if c.Value == "" && !c.IsSecret && c.Default != noValue && c.Default != everyone {
		return c.Default
	}
	return c.Value
}

// Defaults that cannot be written: the setting is absent or empty.
const noValue, everyone = "none", "everyone"

// Current returns every setting, in the order of docs/settings.md.
func (r *Runtime) Current() []Current {
	all := make([]Current, 0, len(descriptions))
	for i := range descriptions {
		d := &descriptions[i]
		one := Current{Name: d.name, Description: d.Description}
		if d.value == nil {
			one.IsSecret, one.Set = true, r.BootstrapDigest != ""
		} else {
			one.Value = d.value(r)
		}
		all = append(all, one)
	}
	return all
}

// given returns a value unless it is the default.
func given[V comparable](value, byDefault V, write func(V) string) string {
	if value == byDefault {
		return ""
	}
	return write(value)
}

// duration writes a duration without units of 0: 48h instead of 48h0m0s.
func duration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	text := d.String()
	if trimmed, cut := strings.CutSuffix(text, "m0s"); cut {
		text = trimmed + "m"
	}
	if trimmed, cut := strings.CutSuffix(text, "h0m"); cut {
		text = trimmed + "h"
	}
	return text
}

func credentials(r *Runtime) string { return strings.Join(r.Credentials, ", ") }

func allowedUsers(r *Runtime) string { return strings.Join(r.AllowedUsers, ", ") }

func trustedProxies(r *Runtime) string {
	var all []string
	for _, network := range r.TrustedProxies {
		all = append(all, networkText(network))
	}
	return strings.Join(all, ", ")
}

func networkText(network netip.Prefix) string {
	if network.IsSingleIP() {
		return network.Addr().String()
	}
	return network.String()
}

func keyPrefix(r *Runtime) string {
	return given(r.Format().Prefix, keyformat.DefaultPrefix, strings.Clone)
}

func account(r *Runtime) string {
	return given(cmp.Or(r.Account, DefaultAccount), DefaultAccount, strings.Clone)
}

// routeList writes ROUTES.
func routeList(r *Runtime) string {
	return listOf(r.Routes, 0, func(route routes.Route) []any {
		return []any{
			"match", route.Match, "action", route.Action, "resource", route.Resource, "owner", route.Owner,
			"anonymous", route.Anonymous,
		}
	})
}

// priceList writes PRICES as a list, even if it was in JSON.
func priceList(r *Runtime) string {
	return listOf(r.Prices, yaml.FlowStyle, func(p prices.Price) []any {
		return []any{
			"provider", p.Provider, "model", p.Model, "from", p.From, "above", p.Above, "service_tier", p.ServiceTier,
			"input", p.Input, "output", p.Output, "cache_read", p.CacheRead, "cache_write", p.CacheWrite,
			"reasoning", p.Reasoning,
		}
	})
}

// listOf writes a list of mappings. fields returns names and values. Empty values are left out.
func listOf[E any](all []E, style yaml.Style, fields func(E) []any) string {
	if len(all) == 0 {
		return ""
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, one := range all {
		mapping := &yaml.Node{Kind: yaml.MappingNode, Style: style}
		pairs := fields(one)
		for i := 0; i < len(pairs); i += 2 {
			if value := scalar(pairs[i+1]); value != nil {
				name := &yaml.Node{}
				name.SetString(pairs[i].(string))
				mapping.Content = append(mapping.Content, name, value)
			}
		}
		list.Content = append(list.Content, mapping)
	}
	return encode(list)
}

// scalar returns the node of a value, or nil for an empty one.
func scalar(value any) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode}
	switch value := value.(type) {
	case string:
		if value == "" {
			return nil
		}
		// A text such as 2030-01-31 or true would become another type.
		node.SetString(value)
	case bool:
		if !value {
			return nil
		}
		node.Tag, node.Value = "!!bool", "true"
	case int64:
		if value == 0 {
			return nil
		}
		node.Tag, node.Value = "!!int", strconv.FormatInt(value, 10)
	case prices.Rate:
		if value.IsZero() {
			return nil
		}
		node.Tag, node.Value = "!!float", value.String()
		if !strings.Contains(node.Value, ".") {
			node.Tag = "!!int"
		}
	}
	return node
}

func encode(node *yaml.Node) string {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	// A node of plain values can be encoded.
	_ = encoder.Encode(node)
	_ = encoder.Close()
	return text.String()
}

// ManifestLine returns the lines that set a value in the data of keywright-config, indented as there.
func ManifestLine(name, value string) string {
	data := &yaml.Node{Kind: yaml.MappingNode}
	key, text := &yaml.Node{}, &yaml.Node{}
	key.SetString(name)
	text.SetString(value)
	data.Content = []*yaml.Node{key, text}
	return encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Value: "data"}, data,
	}})
}

// not writes a setting whose field in Runtime is the opposite.
func not(on bool) string { return strconv.FormatBool(!on) }

func auditRetention(r *Runtime) string {
	retention, _ := r.Audit.Limits()
	return given(retention, auditBounds.retention, duration)
}

func auditMaxEntries(r *Runtime) string {
	_, rows := r.Audit.Limits()
	return given(rows, auditBounds.rows, strconv.Itoa)
}

func usageRetention(r *Runtime) string {
	retention, _ := r.Usage.Limits()
	return given(retention, usageBounds.retention, duration)
}

func usageMaxRecords(r *Runtime) string {
	_, rows := r.Usage.Limits()
	return given(rows, usageBounds.rows, strconv.Itoa)
}
