package policy

import (
	"net/netip"
	"time"
)

// Facts are what is known of a request beside who asks for what. The
// conditions of rules and grants (when, hosts) are judged by them. An attribute
// that is absent, its zero value, holds in no condition, but for Signed and
// Upload: without them a request is not presigned, and brings no object. nil
// Facts are the zero Facts.
type Facts struct {
	// Now is the moment of the request. Times of day, the age of a login and
	// the time in which policies are in force are judged by it. Zero: unknown;
	// policies without valid_from and valid_until are then in force, and those
	// with one of them are not.
	Now time.Time
	// SourceIP is where the request comes from. An IPv4 address in IPv6 form
	// counts as IPv4.
	SourceIP netip.Addr
	// TLS is the version of the connection as in crypto/tls (0x0303 is 1.2). 0:
	// it is plain, or not known.
	TLS uint16
	// AuthTime is when the person last proved who they are.
	AuthTime time.Time
	// AMR says how they did, in the words of RFC 8176.
	AMR []string
	// AuthMethod says how the credentials were obtained: browser, device, ci or
	// service-key.
	AuthMethod string
	// Signed is when a presigned request was signed. Zero: it is not presigned.
	Signed time.Time
	// Upload is what the request says of the object that it brings. nil: it
	// brings none, and conditions about uploads have nothing to judge: they hold.
	Upload *Upload
	// ObjectTags has the tags of existing objects, by the Path of the Question.
	// Those of an object that is not in it are not known, and then no
	// condition on them holds; Decision.WantsTags says whose tags were missed.
	ObjectTags map[string]map[string]string
}

// An Upload is what a request says of the object that it brings.
type Upload struct {
	Encryption string            // such as AES256, aws:kms; "": the request does not say
	KMSKey     string            // as the request names it; "": it does not
	Tags       map[string]string // that the object is to have
	// TagsAlone says that the tags of an object are set and nothing else:
	// conditions on its encryption then have nothing to judge.
	TagsAlone bool
}

// A Limit bounds what one policy lets a principal do with the data of one label
// by one kind of access. Whoever enforces limits keeps count of what was used;
// a decision does not.
type Limit struct {
	Policy    string
	Label     string
	Access    Access
	Monitored bool // the policy, or the whole set, is in monitor mode: to exceed the limit is to be noted, not blocked
	// Rows is how many objects one request may touch; 0: any number.
	Rows int
	// Budgets are of the rules that allowed the request. One of them must have
	// room; empty: none is needed.
	Budgets []Budget
}

// A Budget is what one rule lets one principal use of a label's data, by one
// kind of access.
type Budget struct {
	Rule    string // "rule 2"
	Objects Rate
	Bytes   Rate
}

// A Rate is an amount in a window of time. The zero value is no bound.
type Rate struct {
	Amount int64
	Per    time.Duration
}
