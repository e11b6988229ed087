package discovery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json" // refuses duplicate names, and does not take Issuer for issuer

	"github.com/gimme-broker/gimme/internal/secret"
)

// An Error says why a sidecar could not be asked.
type Error struct {
	Address string // of the sidecar
	Reason  string // one clause
	Remedy  string // what to do about it, one clause
	cause   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("sidecar %s: %s; %s", e.Address, e.Reason, e.Remedy)
}

// Unwrap gives the network's error where there is one, so that a cancelled
// context can be told from a sidecar that does not answer.
func (e *Error) Unwrap() error { return e.cause }

const (
	checkAddress = "check the address, and that the sidecar is running"
	notASidecar  = "check the address with whoever runs the sidecar"
	tellOperator = "tell whoever runs the sidecar"
)

// Fetch reads the document of the sidecar at address. Redirects are not
// followed, and more than 64 KiB are not read. Errors are *Error, but for an
// address that CheckAddress refuses.
func Fetch(ctx context.Context, c *http.Client, address string) (Document, error) {
	var d Document
	if err := get(ctx, c, address, Path, secret.Text{}, &d); err != nil {
		return Document{}, err
	}
	if err := d.Check(); err != nil {
		return Document{}, &Error{Address: address, Reason: "its discovery document is wrong: " + err.Error(), Remedy: tellOperator}
	}
	return d, nil
}

// FetchRoles asks the sidecar at address which roles it has for the holder of
// idToken; there may be none. It keeps to the limits of Fetch. Errors are
// *Error, but for an address that CheckAddress refuses.
func FetchRoles(ctx context.Context, c *http.Client, address string, idToken secret.Text) (Roles, error) {
	var r Roles
	if err := get(ctx, c, address, RolesPath, idToken, &r); err != nil {
		return Roles{}, err
	}
	err := r.Check()
	if r.Roles == nil {
		err = errors.New("it has no roles")
	}
	if err != nil {
		return Roles{}, &Error{Address: address, Reason: "its list of roles is wrong: " + err.Error(), Remedy: tellOperator}
	}
	return r, nil
}

func get(ctx context.Context, c *http.Client, address, path string, bearer secret.Text, into any) error {
	if err := CheckAddress(address); err != nil {
		return err
	}
	fail := func(remedy, format string, args ...any) error {
		return &Error{Address: address, Reason: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+path, nil)
	if err != nil {
		return fail(checkAddress, "no request can be made for it: %v", err)
	}
	r.Header.Set("Accept", "application/json")
	if !bearer.Empty() {
		r.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}
	straight := *c
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := straight.Do(r)
	if err != nil {
		return unreachable(address, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return unreachable(address, err)
	}
	if remedy, reason := judge(answer); reason != "" {
		return fail(remedy, "%s", reason)
	}
	if len(body) > maxBody {
		return fail(notASidecar, "%s is larger than %d bytes", path, maxBody)
	}
	if err := decode(body, into); err != nil {
		return fail(tellOperator, "%s cannot be read: %s", path, visible(err.Error()))
	}
	return nil
}

// unreachable puts a failure of the network into words.
func unreachable(address string, err error) error {
	e := &Error{Address: address, Remedy: checkAddress, cause: err}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address is already named
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Reason = "its certificate is not trusted: " + bad.Err.Error()
		e.Remedy = "if the certificate is your company's, add its authority to the system's trusted certificates"
		return e
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
		e.Reason = fmt.Sprintf("there is no host %q", d.Name)
		return e
	}
	switch text := err.Error(); {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		e.Reason, e.Remedy = "it speaks plain http", "check the address; https is wanted unless the sidecar is on this machine"
	case errors.Is(err, context.Canceled):
		e.Reason, e.Remedy = "interrupted before it answered", "try again"
	case errors.Is(err, context.DeadlineExceeded):
		e.Reason = "no answer in time"
	default:
		e.Reason = "cannot be reached: " + text
	}
	return e
}

// judge says what is wrong with an answer, if anything, and what to do.
func judge(answer *http.Response) (remedy, reason string) {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	why := visible(answer.Header.Get("X-Gimme-Reason"))
	switch s := answer.StatusCode; {
	case s >= 300 && s < 400:
		return notASidecar, fmt.Sprintf("it redirects to %q, and redirects are not followed", visible(answer.Header.Get("Location")))
	case s != http.StatusOK && why != "":
		return "log in again, or " + tellOperator, "it refuses: " + why
	case s >= 500:
		return "try again, or " + tellOperator, fmt.Sprintf("it answers with status %d", s)
	case s != http.StatusOK:
		return notASidecar, fmt.Sprintf("this is not a gimme sidecar: it answers with status %d", s)
	case kind != "application/json":
		return notASidecar, fmt.Sprintf("this is not a gimme sidecar: it answers with %.64q and not with JSON", kind)
	}
	return "", ""
}

// visible keeps what a terminal may show of a header.
func visible(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 1024)]
}

// decode is strict but for members that it does not know, which a later
// version may have.
func decode(body []byte, into any) error {
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	var whole map[string]any // finds duplicates also inside of what is not known
	if err := json.Unmarshal(body, &whole); err != nil {
		return err
	}
	if whole == nil {
		return errors.New("it is not a JSON object")
	}
	return json.Unmarshal(body, into)
}
