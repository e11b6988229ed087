package logintest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// A refusal is an answer of RFC 6749, section 5.2.
type refusal struct{ code, description string }

func (r *refusal) Error() string { return r.code + ": " + r.description }

func sendRefusal(w http.ResponseWriter, err error) {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = &refusal{"invalid_request", err.Error()}
	}
	sendJSON(w, http.StatusBadRequest, map[string]any{"error": r.code, "error_description": r.description})
}

// Refuse is for Token and Script: an error of OAuth 2.0.
func Refuse(code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { sendRefusal(w, &refusal{code, "as the test wants it"}) }
}

// Status is for Token and Script: an answer that is none of OAuth 2.0.
func Status(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "as the test wants it", status) }
}

// Cut is for Token and Script: it cuts the connection without an answer. In the
// process of NewInProcess it does so too.
func Cut(http.ResponseWriter, *http.Request) {
	panic(http.ErrAbortHandler)
}

// Next adds to Script while the provider serves.
func (i *Issuer) Next(answers ...http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.Script = append(i.Script, answers...)
}

// Count says how many requests there were: by grant type ("authorization_code",
// "refresh_token", or RFC 8628's), "device", "revoke" or "end".
func (i *Issuer) Count(of string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts[of]
}

// Forms are those that the token endpoint was sent so far.
func (i *Issuer) Forms() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.forms)
}

// Asked are the authorization requests that were granted so far.
func (i *Issuer) Asked() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.asked)
}

// Ended are the requests to end a session so far.
func (i *Issuer) Ended() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.ended)
}

// A family is all refresh tokens of one login.
type family struct {
	current string
	dead    bool
}

// newFamily gives the first refresh token of a login, or none.
func (i *Issuer) newFamily(scope string) string {
	if !i.Refresh || !slices.Contains(strings.Fields(scope), "offline_access") {
		return ""
	}
	return i.NewRefreshToken()
}

// NewRefreshToken gives a refresh token as if alice had logged in.
func (i *Issuer) NewRefreshToken() string {
	token := i.secret()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.families[token] = &family{current: token}
	return token
}

// Alive says whether token could be refreshed with now.
func (i *Issuer) Alive(token string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	f := i.families[token]
	return f != nil && !f.dead && f.current == token
}

// refresh is RFC 6749 section 6, with rotation and detection of reuse (RFC
// 9700, section 4.14.2).
func (i *Issuer) refresh(form url.Values) (map[string]any, error) {
	used, next := form.Get("refresh_token"), i.secret()
	i.mu.Lock()
	f := i.families[used]
	switch {
	case f == nil || f.dead:
		i.mu.Unlock()
		return nil, &refusal{"invalid_grant", "the refresh token is not known"}
	case f.current != used:
		f.dead = true
		i.mu.Unlock()
		return nil, &refusal{"invalid_grant", "the refresh token was used before: all of its login are revoked"}
	case i.NoRotation:
		next = ""
	default:
		f.current = next
		i.families[next] = f
	}
	i.mu.Unlock()
	m := i.grant("", next)
	if i.NoIDToken {
		delete(m, "id_token")
	}
	return m, nil
}

// revoke is RFC 7009: it ends the family, and knows nothing of tokens that are
// not known.
func (i *Issuer) revoke(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	i.mu.Lock()
	i.counts["revoke"]++
	i.mu.Unlock()
	if err == nil {
		err = i.client(r)
	}
	if err == nil && (r.PostForm.Get("token") == "" || r.PostForm.Get("token_type_hint") != "refresh_token") {
		err = &refusal{"invalid_request", "no token, or no hint"}
	}
	if err != nil {
		sendRefusal(w, err)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.families[r.PostForm.Get("token")]; f != nil {
		f.dead = true
	}
}

func (i *Issuer) endSession(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts["end"]++
	i.ended = append(i.ended, r.URL.Query())
	w.Write([]byte("You are signed out"))
}

// A device is a login that began on a device.
type device struct {
	user, scope, challenge string
	expires                time.Time
	decided, approved      bool
}

// authorizeDevice is RFC 8628, section 3.1.
func (i *Issuer) authorizeDevice(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err == nil {
		err = i.client(r)
	}
	if err == nil && !slices.Contains(strings.Fields(r.PostForm.Get("scope")), "openid") {
		err = &refusal{"invalid_scope", "no openid"}
	}
	if err != nil {
		sendRefusal(w, err)
		return
	}
	interval, life := max(i.Interval, 1), i.ExpiresIn
	if life == 0 {
		life = 60
	}
	code := i.secret()
	user := code[:4] + "-" + code[4:8]
	i.mu.Lock()
	i.counts["device"]++
	i.asked = append(i.asked, r.PostForm)
	i.devices[code] = &device{
		user: user, scope: r.PostForm.Get("scope"), challenge: r.PostForm.Get("code_challenge"), expires: time.Now().Add(time.Duration(life) * time.Second),
	}
	i.mu.Unlock()
	sendJSON(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": user, "verification_uri": i.URL + "/activate",
		"verification_uri_complete": i.URL + "/activate?user_code=" + user, "expires_in": life, "interval": interval,
	})
}

// activate is the page that a person visits: with the code in its address, it
// approves the login at once.
func (i *Issuer) activate(w http.ResponseWriter, r *http.Request) {
	if !i.Approve(r.URL.Query().Get("user_code")) {
		http.Error(w, "unknown code", http.StatusNotFound)
	}
}

// Approve and Deny are what a person does who typed that code. They say whether
// the code is known.
func (i *Issuer) Approve(userCode string) bool { return i.decide(userCode, true) }

// Deny: see Approve.
func (i *Issuer) Deny(userCode string) bool { return i.decide(userCode, false) }

func (i *Issuer) decide(userCode string, approved bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, d := range i.devices {
		if d.user == userCode && !d.decided {
			d.decided, d.approved = true, approved
			return true
		}
	}
	return false
}

// redeemDevice is RFC 8628, section 3.4 and 3.5.
func (i *Issuer) redeemDevice(f url.Values) (map[string]any, error) {
	i.mu.Lock()
	d, known := i.devices[f.Get("device_code")]
	if known && d.decided {
		delete(i.devices, f.Get("device_code"))
	}
	i.mu.Unlock()
	switch {
	case !known:
		return nil, &refusal{"invalid_grant", "unknown device code"}
	case !time.Now().Before(d.expires):
		return nil, &refusal{"expired_token", ""}
	case !d.decided:
		return nil, &refusal{"authorization_pending", ""}
	case !d.approved:
		return nil, &refusal{"access_denied", ""}
	case d.challenge != "" && !proves(f.Get("code_verifier"), d.challenge):
		return nil, &refusal{"invalid_grant", "wrong code_verifier"}
	}
	return i.grant("", i.newFamily(d.scope)), nil
}
