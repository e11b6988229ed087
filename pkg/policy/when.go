package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// whenKeys are the conditions, and the order in which they are judged and told:
// those that need to look at an object come last.
var whenKeys = []string{
	"source_ip", "mfa", "tls", "time", "auth_method", "presigned", "encryption", "kms_keys", "request_tags", "object_tags",
}

// ofUploads are the conditions that stand on grants of updates alone.
var ofUploads = []string{"encryption", "kms_keys", "request_tags"}

// when reads conditions. uploads says whether those about uploads may stand
// here.
func (r *reader) when(n *yaml.Node, uploads bool) []condition {
	values := r.fields(n, whenKeys)
	if values != nil && len(values) == 0 {
		r.fault(n, "when has no condition; leave it out if there is none")
	}
	var all []condition
	for _, key := range whenKeys {
		at := values[key]
		if at == nil {
			continue
		}
		if slices.Contains(ofUploads, key) && !uploads {
			r.fault(at, "%s judges uploads, so it stands in the when of a grant of updates", key)
			continue
		}
		all = append(all, r.condition(key, at))
	}
	return all
}

func (r *reader) condition(key string, at *yaml.Node) condition {
	switch key {
	case "source_ip":
		return r.network(at, "address", "addresses")
	case "mfa":
		return r.login(at)
	case "tls":
		return r.transport(at)
	case "time":
		return r.schedule(at)
	case "auth_method":
		return origin(r.choices(at, "method", "methods", "browser", "device", "ci", "service-key"))
	case "presigned":
		return r.presigning(at)
	case "encryption":
		return encryption(r.choices(at, "encryption", "encryptions", "aws:kms", "aws:kms:dsse", "AES256", "SSE-C"))
	case "kms_keys":
		return kmsKeys(plain(r.texts(at, "key", "keys", nil)))
	case "request_tags":
		return requestTags(r.tagged(at))
	}
	return objectTags(r.tagged(at))
}

// network reads addresses and networks.
func (r *reader) network(n *yaml.Node, one, many string) network {
	var all network
	for _, v := range r.texts(n, one, many, nil) {
		p, err := netip.ParsePrefix(v.V)
		if ip, bad := netip.ParseAddr(v.V); bad == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		switch {
		case err != nil:
			r.faultAt(v, "%s %q is neither an address nor a network, such as 10.0.0.0/8", one, v.V)
		case p.Addr().Is4In6():
			r.faultAt(v, "%s %q is IPv4 in IPv6 form; write it as IPv4", one, v.V)
		case p != p.Masked():
			r.faultAt(v, "%s %q has bits behind its length; write %q", one, v.V, p.Masked())
		default:
			all = append(all, p)
		}
	}
	return all
}

func (r *reader) login(n *yaml.Node) login {
	values := r.fields(n, []string{"max_age", "amr"})
	if values != nil && len(values) == 0 {
		r.fault(n, "mfa needs max_age, amr or both")
	}
	l := login{amr: strongMethods[:]}
	if at := values["max_age"]; at != nil {
		l.maxAge = r.window(at, "max_age")
	}
	if at := values["amr"]; at != nil {
		l.amr = plain(r.texts(at, "method", "methods", nil))
	}
	return l
}

func (r *reader) window(n *yaml.Node, what string) time.Duration {
	d, ok := parseWindow(n.Value)
	if !ok || n.Kind != yaml.ScalarNode {
		r.fault(n, "%s is %s; a time is wanted, such as 15m, 1h or 30d", what, r.shown(n))
	}
	return d
}

func (r *reader) transport(n *yaml.Node) transport {
	// Without quotes 1.2 is a number.
	if _, ok := r.text(n, "a version of TLS"); ok && r.choice(n, "tls", "1.2", "1.3") == "1.2" {
		return 0x0303
	}
	return 0x0304
}

func (r *reader) schedule(n *yaml.Node) schedule {
	values := r.fields(n, []string{"days", "hours", "tz"})
	s := schedule{zone: time.UTC}
	if values != nil && values["days"] == nil && values["hours"] == nil {
		r.fault(n, "time needs days, hours or both")
	}
	var words []string
	s.days = [7]bool{true, true, true, true, true, true, true}
	if at := values["days"]; at != nil {
		s.days = [7]bool{}
		for _, v := range r.texts(at, "day", "days", nil) {
			if !parseDays(v.V, &s.days) {
				r.faultAt(v, "day %q is none of mon, tue, wed, thu, fri, sat, sun, and no span of them such as mon-fri", v.V)
			}
			words = append(words, v.V)
		}
	}
	if at := values["hours"]; at != nil {
		for _, v := range r.texts(at, "span", "spans of hours", nil) {
			h, ok := parseSpan(v.V)
			if !ok {
				r.faultAt(v, "hours %q are no span of a day, such as \"08:00-18:00\"", v.V)
			}
			s.spans = append(s.spans, h)
			words = append(words, v.V)
		}
	}
	if at := values["tz"]; at != nil {
		s.zone = r.zone(at)
	}
	s.text = strings.Join(words, ", ") + " " + s.zone.String()
	return s
}

func (r *reader) zone(n *yaml.Node) *time.Location {
	v, ok := r.text(n, "a time zone")
	if !ok || v.V == "UTC" {
		return time.UTC
	}
	if r.words.zone == nil {
		r.faultAt(v, "time zone %q is not known here; only UTC is", v.V)
		return time.UTC
	}
	zone, err := r.words.zone(v.V)
	if err != nil || v.V == "Local" {
		r.faultAt(v, "time zone %q is not known; one of the IANA database is wanted, such as Europe/Berlin", v.V)
		return time.UTC
	}
	return zone
}

func (r *reader) presigning(n *yaml.Node) presigning {
	if n.Kind == yaml.ScalarNode && n.Value == "never" {
		return presigning{never: true}
	}
	if n.Kind == yaml.ScalarNode {
		r.fault(n, "presigned is %s; write never, or {max_age: 15m}", r.shown(n))
		return presigning{}
	}
	values := r.fields(n, []string{"max_age"})
	var c presigning
	if at := r.field(n, values, "max_age", "presigned"); at != nil {
		c.maxAge = r.window(at, "max_age")
	}
	return c
}

// tagged reads tags with their values, in the order of the file.
func (r *reader) tagged(n *yaml.Node) []tagged {
	values, keys := r.mapping(n, "of tags to values")
	if values != nil && len(keys) == 0 {
		r.fault(n, "no tag is named")
	}
	var all []tagged
	for _, k := range keys {
		r.text(k, "tag")
		at := values[k.Value]
		t := tagged{key: k.Value}
		if at.Kind == yaml.SequenceNode {
			t.values = plain(r.texts(at, "value", "values", nil))
		} else if v, ok := r.text(at, "a value, or a list of values,"); ok {
			t.values = []string{v.V}
		}
		for _, v := range t.values {
			r.placeholders(at, v)
		}
		all = append(all, t)
	}
	return all
}

// placeholders reports a ${…} that stands for nothing.
func (r *reader) placeholders(n *yaml.Node, value string) {
	for rest := value; ; {
		_, after, found := strings.Cut(rest, "${")
		if !found {
			return
		}
		word, tail, closed := strings.Cut(after, "}")
		if !closed {
			r.fault(n, "%q in a tag's value is not closed; ${subject}, ${email} and ${service} are", "${"+word)
			return
		}
		if known := []string{"subject", "email", "service"}; !slices.Contains(known, word) {
			r.fault(n, "%q in a tag's value stands for nothing; ${subject}, ${email} and ${service} do%s", "${"+word+"}", strictyaml.Meant(word, known))
		}
		rest = tail
	}
}

// choice reads one of the words in known; "" when it is none.
func (r *reader) choice(n *yaml.Node, what string, known ...string) string {
	if n.Kind == yaml.ScalarNode && slices.Contains(known, n.Value) {
		return n.Value
	}
	if n.Kind == yaml.AliasNode {
		return ""
	}
	r.fault(n, "%s is %s; write %s%s", what, r.shown(n), either(known), strictyaml.Meant(n.Value, known))
	return ""
}

// choices reads a list of such words.
func (r *reader) choices(n *yaml.Node, one, many string, known ...string) []string {
	var all []string
	for _, v := range r.texts(n, one, many, nil) {
		if !slices.Contains(known, v.V) {
			r.faultAt(v, "%s %q is none of %s%s", one, v.V, strings.Join(known, ", "), strictyaml.Meant(v.V, known))
		}
		all = append(all, v.V)
	}
	return all
}

func plain(values []strictyaml.Value[string]) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.V
	}
	return texts
}

// shown is n as a fault quotes it.
func (r *reader) shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}
