package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/session"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const (
	vectorsFile = "testdata/vectors.json"
	vectorKeys  = "# text of a key file\n" +
		"verify 00c0ffee ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n" +
		"active 3f9a1c07 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
	vectorDeployment = "prod-eu"
)

// Vectors is the form of testdata/vectors.json. Texts of bytes are lower-case
// hexadecimal, times are seconds of Unix time.
type Vectors struct {
	KeyFile    string `json:"key_file"`
	Deployment string `json:"deployment"`
	Good       []Good `json:"good"`
	Bad        []Bad  `json:"bad"`
}

// Good is a token that opens, with every value on the way to it.
type Good struct {
	Name            string       `json:"name"`
	Claims          VectorClaims `json:"claims"`
	Salt            string       `json:"salt"`
	Nonce           string       `json:"nonce"`
	Key             string       `json:"key"`
	Commitment      string       `json:"commitment"`
	Plaintext       string       `json:"plaintext"`
	AccessKeyID     string       `json:"access_key_id"`
	SecretAccessKey string       `json:"secret_access_key"`
	Token           string       `json:"token"`
}

// Bad is a token that does not open, all in the one way.
type Bad struct {
	Name        string `json:"name"`
	Deployment  string `json:"deployment,omitempty"` // if not that of all
	AccessKeyID string `json:"access_key_id"`
	Token       string `json:"token"`
}

// VectorClaims are claims as JSON has them.
type VectorClaims struct {
	ID           string   `json:"id"`
	Issuer       string   `json:"issuer"`
	Subject      string   `json:"subject"`
	Email        string   `json:"email"`
	Name         string   `json:"name"`
	EmailDecides bool     `json:"email_decides"`
	Groups       []string `json:"groups"`
	Role         string   `json:"role"`
	Issued       int64    `json:"issued"`
	Expires      int64    `json:"expires"`
	AuthTime     int64    `json:"auth_time"`
	AMR          []string `json:"amr"`
	ACR          string   `json:"acr"`
	Method       string   `json:"method"`
	IdPSession   string   `json:"idp_session"`

	// Of plaintexts of version 2.
	SessionName string          `json:"session_name,omitempty"`
	Upstream    *VectorUpstream `json:"upstream,omitempty"`
}

// VectorUpstream are credentials as JSON has them.
type VectorUpstream struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
}

func (v VectorClaims) claims() session.Claims {
	c := session.Claims{
		ID:        [16]byte(unhex(v.ID)),
		Principal: session.Principal{Issuer: v.Issuer, Subject: v.Subject, Email: v.Email, Name: v.Name, EmailDecides: v.EmailDecides},
		Groups:    v.Groups, Role: v.Role,
		Issued: time.Unix(v.Issued, 0).UTC(), Expires: time.Unix(v.Expires, 0).UTC(),
		AMR: v.AMR, ACR: v.ACR, Method: v.Method, IdPSession: v.IdPSession, Name: v.SessionName,
	}
	if u := v.Upstream; u != nil {
		c.Upstream = &session.UpstreamCredentials{AccessKeyID: u.AccessKeyID, SecretAccessKey: secret.New(u.SecretAccessKey), SessionToken: secret.New(u.SessionToken)}
	}
	if v.AuthTime != 0 {
		c.AuthTime = time.Unix(v.AuthTime, 0).UTC()
	}
	return c
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	if *update {
		data, err := json.MarshalIndent(makeVectors(t), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v Vectors
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Good) < 7 || len(v.Bad) < 55 {
		t.Fatalf("%d good and %d bad vectors", len(v.Good), len(v.Bad))
	}
	for _, g := range v.Good {
		t.Run(g.Name, func(t *testing.T) { checkGood(t, keyring(t, v.KeyFile, v.Deployment), g) })
	}
	for _, b := range v.Bad {
		t.Run(b.Name, func(t *testing.T) {
			deployment := v.Deployment
			if b.Deployment != "" {
				deployment = b.Deployment
			}
			s, err := keyring(t, v.KeyFile, deployment).Open(b.Token, b.AccessKeyID)
			if s != nil || !errors.Is(err, session.ErrInvalid) {
				t.Errorf("Open = %v, %v; want nil, ErrInvalid", s, err)
			}
		})
	}
}

func keyring(t testing.TB, file, deployment string) *session.Keyring {
	t.Helper()
	k, err := session.ParseKeyring(file, deployment)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func checkGood(t *testing.T, k *session.Keyring, g Good) {
	want := g.Claims.claims()
	credentials, err := k.IssueWith(want, unhex(g.Salt), unhex(g.Nonce))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := session.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	key, commitment := k.Derive(unhex(g.Salt))
	for _, pair := range [][2]string{
		{g.AccessKeyID, credentials.AccessKeyID},
		{g.SecretAccessKey, credentials.SecretAccessKey.Reveal()},
		{g.Token, credentials.SessionToken.Reveal()},
		{g.Plaintext, hex.EncodeToString(plain)},
		{g.Key, hex.EncodeToString(key)},
		{g.Commitment, hex.EncodeToString(commitment)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("got  %s\nwant %s", pair[1], pair[0])
		}
	}
	s, err := k.Open(g.Token, g.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if s.SecretAccessKey.Reveal() != g.SecretAccessKey {
		t.Error("the opened session has another secret access key")
	}
}

func makeVectors(t *testing.T) Vectors {
	full := VectorClaims{
		ID: "000102030405060708090a0b0c0d0e0f", Issuer: "https://idp.example", Subject: "248289761001", Email: "alice@example.com",
		Name: "Alice Ærø", EmailDecides: true, Groups: []string{"data-engineering", "68f190e8-311c-4d5c-8b0a-2f0c52c7a1de"},
		Role: "arn:aws:iam::111122223333:role/data-engineering", Issued: 1772442600, Expires: 1772446200, AuthTime: 1772442590,
		AMR: []string{"pwd", "otp"}, ACR: "urn:example:mfa", Method: "oidc", IdPSession: "8c1f0d9e",
	}
	least := VectorClaims{ID: "ffffffffffffffffffffffffffffffff", Issuer: "i", Subject: "s", Role: "r", Issued: 1, Expires: 2}
	last := least
	last.Issued, last.Expires, last.AuthTime = 253402300798, 253402300799, 253402300799
	large := full
	large.Groups = nil
	for i := range 60 {
		large.Groups = append(large.Groups, strings.Repeat(string(rune('a'+i%26)), 36))
	}
	named := full
	named.SessionName = "botocore-session-1772442600"
	upstream := least
	upstream.Upstream = &VectorUpstream{"ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGd=="}
	both := upstream
	both.SessionName = "alice@example.com"
	v := Vectors{KeyFile: vectorKeys, Deployment: vectorDeployment}
	k := keyring(t, v.KeyFile, v.Deployment)
	for i, g := range []Good{{Name: "all claims", Claims: full}, {Name: "fewest claims", Claims: least}, {Name: "last second", Claims: last}, {Name: "many groups", Claims: large},
		{Name: "session name", Claims: named}, {Name: "upstream credentials", Claims: upstream}, {Name: "session name and upstream credentials", Claims: both}} {
		g.Salt, g.Nonce = strings.Repeat("a"+string(rune('0'+i)), 32), strings.Repeat("b"+string(rune('0'+i)), 12)
		credentials, err := k.IssueWith(g.Claims.claims(), unhex(g.Salt), unhex(g.Nonce))
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := session.Encode(g.Claims.claims())
		key, commitment := k.Derive(unhex(g.Salt))
		g.Plaintext, g.Key, g.Commitment = hex.EncodeToString(plain), hex.EncodeToString(key), hex.EncodeToString(commitment)
		g.AccessKeyID, g.SecretAccessKey, g.Token = credentials.AccessKeyID, credentials.SecretAccessKey.Reveal(), credentials.SessionToken.Reveal()
		v.Good = append(v.Good, g)
	}
	v.Bad = append(badForms(v.Good), badSeals(v.Good)...)
	v.Bad = append(v.Bad, badPlaintexts(k, v.Good[0])...)
	v.Bad = append(v.Bad, badSeconds(k, v.Good[1], v.Good[6])...)
	return v
}

// badForms are no tokens of version g1, in ways that anyone can see.
func badForms(good []Good) []Bad {
	g := good[0]
	body := strings.TrimPrefix(g.Token, "g1.")
	var bad []Bad
	for _, b := range []Bad{
		{Name: "empty", Token: ""},
		{Name: "prefix alone", Token: "g1."},
		{Name: "no prefix", Token: body},
		{Name: "version g2", Token: "g2." + body},
		{Name: "upper-case version", Token: "G1." + body},
		{Name: "padding", Token: good[2].Token + "="},
		{Name: "line end at the end", Token: g.Token + "\n"},
		{Name: "line end inside", Token: g.Token[:40] + "\r\n" + g.Token[40:]},
		{Name: "space before", Token: " " + g.Token},
		{Name: "character of the other base64 alphabet", Token: g.Token[:40] + "+" + g.Token[41:]},
		{Name: "spare bits set", Token: spareBits(good)},
		{Name: "nothing sealed", Token: "g1." + base64.RawURLEncoding.EncodeToString(make([]byte, 96))},
		{Name: "cut in the salt", Token: g.Token[:30]},
		{Name: "cut in the ciphertext", Token: g.Token[:200]},
		{Name: "last byte missing", Token: cut(g.Token, 1)},
		{Name: "byte appended", Token: cut(g.Token, -1)},
		{Name: "longer than 4096", Token: g.Token + strings.Repeat("A", 4097-len(g.Token))},
	} {
		b.AccessKeyID = g.AccessKeyID
		bad = append(bad, b)
	}
	return bad
}

// spareBits changes the bits of the last character that stand for no byte.
func spareBits(good []Good) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, g := range good {
		body := strings.TrimPrefix(g.Token, "g1.")
		if len(body)%4 != 0 {
			last := strings.IndexByte(alphabet, body[len(body)-1])
			return g.Token[:len(g.Token)-1] + alphabet[last|1:last|1+1]
		}
	}
	panic("no token has spare bits")
}

func cut(token string, n int) string {
	b := sealed(token)
	if n < 0 {
		b = append(b, make([]byte, -n)...)
	} else {
		b = b[:len(b)-n]
	}
	return "g1." + base64.RawURLEncoding.EncodeToString(b)
}

func sealed(token string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "g1."))
	if err != nil {
		panic(err)
	}
	return b
}

// badSeals are of the right form, and sealed by someone else or for something
// else.
func badSeals(good []Good) []Bad {
	g := good[0]
	flip := func(at int) string {
		b := sealed(g.Token)
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 1
		return "g1." + base64.RawURLEncoding.EncodeToString(b)
	}
	otherKid := sealed(g.Token)
	copy(otherKid, unhex("00c0ffee"))
	return []Bad{
		{Name: "unknown key", AccessKeyID: g.AccessKeyID, Token: flip(0)},
		{Name: "another key of the file", AccessKeyID: g.AccessKeyID, Token: "g1." + base64.RawURLEncoding.EncodeToString(otherKid)},
		{Name: "salt", AccessKeyID: g.AccessKeyID, Token: flip(4)},
		{Name: "commitment, first bit", AccessKeyID: g.AccessKeyID, Token: flip(36)},
		{Name: "commitment, last byte", AccessKeyID: g.AccessKeyID, Token: flip(67)},
		{Name: "nonce", AccessKeyID: g.AccessKeyID, Token: flip(68)},
		{Name: "ciphertext", AccessKeyID: g.AccessKeyID, Token: flip(80)},
		{Name: "tag", AccessKeyID: g.AccessKeyID, Token: flip(-1)},
		{Name: "another deployment", Deployment: "prod-us", AccessKeyID: g.AccessKeyID, Token: g.Token},
		{Name: "deployment in upper case", Deployment: "PROD-EU", AccessKeyID: g.AccessKeyID, Token: g.Token},
		{Name: "access key id of another session", AccessKeyID: good[1].AccessKeyID, Token: g.Token},
		{Name: "access key id with another tag", AccessKeyID: "GMAA" + g.AccessKeyID[4:], Token: g.Token},
		{Name: "access key id in lower case", AccessKeyID: strings.ToLower(g.AccessKeyID), Token: g.Token},
		{Name: "access key id cut", AccessKeyID: g.AccessKeyID[:29], Token: g.Token},
		{Name: "no access key id", AccessKeyID: "", Token: g.Token},
	}
}

// badPlaintexts are sealed properly, and say what no session says.
func badPlaintexts(k *session.Keyring, g Good) []Bad {
	plain := unhex(g.Plaintext)
	salt, nonce := unhex(strings.Repeat("c0", 32)), unhex(strings.Repeat("d0", 12))
	with := func(at int, b ...byte) []byte {
		p := bytes.Clone(plain)
		copy(p[at:], b)
		return p
	}
	issuer := 1 + 16 + 1 + 3*8 // where its length stands
	var bad []Bad
	for _, c := range []struct {
		name  string
		plain []byte
	}{
		{"plaintext of version 0", with(0, 0)},
		{"plaintext of version 2 without what it has more", with(0, 2)},
		{"plaintext of version 3", with(0, 3)},
		{"plaintext with an unknown flag", with(17, 3)},
		{"plaintext with a byte after it", append(bytes.Clone(plain), 0)},
		{"plaintext without its last byte", plain[:len(plain)-1]},
		{"plaintext of one byte", plain[:1]},
		{"plaintext with a text beyond its end", with(issuer, 0xff, 0xff)},
		{"plaintext that is not UTF-8", with(issuer+2, 0xff)},
		{"plaintext of a session that was not issued", with(18, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"plaintext of a session that expires as it begins", with(26, plain[18:26]...)},
		{"plaintext with a time after 9999", with(34, 0, 0, 0, 0x3a, 0xff, 0xf4, 0x41, 0x80)},
		{"plaintext with a negative time", with(34, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"plaintext without issuer", append(append(bytes.Clone(plain[:issuer]), 0, 0), plain[issuer+2+len(g.Claims.Issuer):]...)},
		{"plaintext of another session", with(1, 0xaa)},
	} {
		bad = append(bad, Bad{Name: c.name, AccessKeyID: g.AccessKeyID, Token: k.SealPlain(c.plain, salt, nonce, g.AccessKeyID)})
	}
	long := g.Claims.claims()
	long.Principal.Name = strings.Repeat("n", 3000)
	tooLong, err := session.Encode(long)
	if err != nil {
		panic(err)
	}
	bad = append(bad, Bad{Name: "longer than 4096, sealed properly", AccessKeyID: g.AccessKeyID, Token: k.SealPlain(tooLong, salt, nonce, g.AccessKeyID)})
	noID := with(1, make([]byte, 16)...)
	zero := k.AccessKeyID([16]byte{})
	return append(bad, Bad{Name: "plaintext without id", AccessKeyID: zero, Token: k.SealPlain(noID, salt, nonce, zero)})
}

// badSeconds are plaintexts of version 2 that are not the one spelling of what
// they say. least has no claim that makes it one; full has all.
func badSeconds(k *session.Keyring, least, full Good) []Bad {
	salt, nonce := unhex(strings.Repeat("c1", 32)), unhex(strings.Repeat("d1", 12))
	second := func(texts ...string) []byte {
		p := bytes.Clone(unhex(least.Plaintext))
		p[0] = 2
		for _, s := range texts {
			p = append(append(p, byte(len(s)>>8), byte(len(s))), s...)
		}
		return p
	}
	whole := unhex(full.Plaintext)
	first := bytes.Clone(whole)
	first[0] = 1
	var bad []Bad
	for _, c := range []struct {
		name  string
		plain []byte
	}{
		{"version 2 that says nothing more", second("", "", "", "")},
		{"version 2 with the name alone, and nothing after it", second("alice")},
		{"version 2 with an access key id alone", second("alice", "ASIA", "", "")},
		{"version 2 without a secret", second("", "ASIA", "", "token")},
		{"version 2 without a session token", second("", "ASIA", "secret", "")},
		{"version 2 without an access key id", second("", "", "secret", "token")},
		{"version 2 with a fourth text", second("", "ASIA", "secret", "token", "more")},
		{"version 2 with an empty text after it", second("", "ASIA", "secret", "token", "")},
		{"version 2 with a name that is not UTF-8", second("\xff", "ASIA", "secret", "token")},
		{"version 2 with a secret that is not UTF-8", second("", "ASIA", "\xff", "token")},
		{"version 2 without its last byte", whole[:len(whole)-1]},
		{"version 2 with a byte after it", append(bytes.Clone(whole), 0)},
		{"version 2 that calls itself version 1", first},
	} {
		bad = append(bad, Bad{Name: c.name, AccessKeyID: least.AccessKeyID, Token: k.SealPlain(c.plain, salt, nonce, least.AccessKeyID)})
	}
	return bad
}
