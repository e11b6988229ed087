package devstack

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	loginPath  = "/login"
	stylePath  = "/login.css"
	passedPath = "/authorize/callback" // of the OpenID endpoints: answers with the code
	cookieName = "gimme_dev_login"
)

//go:embed assets
var assets embed.FS

// The loginPage asks for an e-mail address and a password. It needs no script,
// and its content security policy permits none.
type loginPage struct {
	begun  *logins
	people []Person
	pages  *template.Template
	style  []byte
	csrf   []byte // key of the form tokens
	cross  *http.CrossOriginProtection
}

func newLoginPage(issuer string, begun *logins, people []Person) (*loginPage, error) {
	pages, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the login page: %w", err)
	}
	style, err := assets.ReadFile("assets/login.css")
	if err != nil {
		return nil, fmt.Errorf("read the login page: %w", err)
	}
	p := &loginPage{begun: begun, people: people, pages: pages, style: style, csrf: make([]byte, 32), cross: http.NewCrossOriginProtection()}
	if _, err := rand.Read(p.csrf); err != nil {
		return nil, fmt.Errorf("make the key of the login page: %w", err)
	}
	if err := p.cross.AddTrustedOrigin(issuer); err != nil {
		return nil, fmt.Errorf("login page: %w", err)
	}
	return p, nil
}

func (p *loginPage) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+loginPath, p.show)
	mux.Handle("POST "+loginPath, p.cross.Handler(http.HandlerFunc(p.submit)))
	mux.HandleFunc("GET "+stylePath, func(w http.ResponseWriter, _ *http.Request) {
		guard(w.Header(), "")
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(p.style) // a failed write is the reader's own affair
	})
}

// A loginView is what the page shows.
type loginView struct {
	ID, CSRF, Username string
	Problem            string // with the last attempt; may be empty
	People             []Person
}

func (p *loginPage) show(w http.ResponseWriter, r *http.Request) {
	l, err := p.begun.find(r.URL.Query().Get("id"))
	if err != nil || l.Person != nil {
		p.startAgain(w)
		return
	}
	browser := browserID(r)
	if browser == "" {
		browser = rand.Text()
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: browser, Path: loginPath, MaxAge: int(loginLife.Seconds()),
			HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	p.form(w, http.StatusOK, l, loginView{CSRF: p.token(browser, l.ID), Username: l.Hint})
}

func (p *loginPage) submit(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.message(w, http.StatusBadRequest, "That form could not be read", "Go back and try once more.")
		return
	}
	l, err := p.begun.find(r.PostForm.Get("id"))
	if err != nil || l.Person != nil {
		p.startAgain(w)
		return
	}
	browser := browserID(r)
	token := p.token(browser, l.ID)
	if browser == "" || !hmac.Equal([]byte(token), []byte(r.PostForm.Get("csrf"))) {
		p.message(w, http.StatusForbidden, "This form did not come from this browser",
			"The login page sets one cookie. Allow it for this address, and start the login again.")
		return
	}
	username := strings.TrimSpace(r.PostForm.Get("username"))
	person, ok := p.whoIs(username, r.PostForm.Get("password"))
	if !ok {
		p.wrongPassword(w, l, loginView{CSRF: token, Username: username})
		return
	}
	if err := p.begun.pass(l.ID, person); err != nil {
		p.startAgain(w)
		return
	}
	guard(w.Header(), l.RedirectURI)
	http.Redirect(w, r, passedPath+"?"+url.Values{"id": {l.ID}}.Encode(), http.StatusSeeOther)
}

func (p *loginPage) wrongPassword(w http.ResponseWriter, l login, v loginView) {
	if err := p.begun.fail(l.ID); err != nil {
		p.startAgain(w)
		return
	}
	v.Problem = "That e-mail address and password do not go together."
	p.form(w, http.StatusForbidden, l, v)
}

// whoIs compares password with every person's, whatever the name, so that the
// time it takes tells nothing.
func (p *loginPage) whoIs(username, password string) (found Person, ok bool) {
	for _, person := range p.people {
		right := hmac.Equal([]byte(person.Password.Reveal()), []byte(password))
		if strings.EqualFold(person.Email, username) && right {
			found, ok = person, true
		}
	}
	return found, ok
}

// token ties the form to the browser and to the one login.
func (p *loginPage) token(browser, loginID string) string {
	mac := hmac.New(sha256.New, p.csrf)
	mac.Write([]byte(browser + "\n" + loginID))
	return hex.EncodeToString(mac.Sum(nil))
}

func browserID(r *http.Request) string {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return c.Value
}

func (p *loginPage) form(w http.ResponseWriter, status int, l login, v loginView) {
	v.ID, v.People = l.ID, slices.Clone(p.people)
	guard(w.Header(), l.RedirectURI)
	p.write(w, status, "login.html", v)
}

func (p *loginPage) startAgain(w http.ResponseWriter) {
	p.message(w, http.StatusGone, "This login is over",
		"It has been used, has expired, or had too many wrong passwords. Run the gimme command again to start a new one.")
}

func (p *loginPage) message(w http.ResponseWriter, status int, title, text string) {
	guard(w.Header(), "")
	p.write(w, status, "message.html", struct{ Title, Text string }{title, text})
}

func (p *loginPage) write(w http.ResponseWriter, status int, page string, v any) {
	var out bytes.Buffer
	if err := p.pages.ExecuteTemplate(&out, page, v); err != nil {
		http.Error(w, "the login page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes()) // a failed write is the reader's own affair
}

// guard sets the headers that keep a page to itself. Browsers apply form-action
// to the redirects that follow a form too, hence the origin of redirectURI.
func guard(h http.Header, redirectURI string) {
	form := "'self'"
	if isCallback(redirectURI) {
		form += " " + strings.TrimSuffix(redirectURI, callbackPath)
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action "+form+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
