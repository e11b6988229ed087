package devstack

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// logIn does what p does in a browser: open address, fill in the login page
// that answers, send it, and follow to the page at the end. The error says
// where that was not the page that closes a login.
func logIn(ctx context.Context, p Person, address string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	page, err := visit(ctx, browser, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("open the login page: %w", err)
	}
	f, err := findForm(page.body)
	if err != nil {
		return fmt.Errorf("login page: %w", err)
	}
	action, err := page.at.Parse(f.action)
	if err != nil {
		return fmt.Errorf("login page: %w", err)
	}
	f.fields.Set("username", p.Email)
	f.fields.Set("password", p.Password.Reveal())
	if _, err := visit(ctx, browser, http.MethodPost, action.String(), f.fields); err != nil {
		return fmt.Errorf("send the login page: %w", err)
	}
	return nil
}

// A visited page is what answered after all redirects.
type visited struct {
	at   *url.URL
	body string
}

// visit fails unless the last answer is a 200.
func visit(ctx context.Context, browser *http.Client, method, address string, fields url.Values) (visited, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(fields.Encode()))
	if err != nil {
		return visited{}, err
	}
	if fields != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(r)
	if err != nil {
		return visited{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return visited{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return visited{}, fmt.Errorf("%s answered %s", resp.Request.URL.Host+resp.Request.URL.Path, resp.Status)
	}
	return visited{at: resp.Request.URL, body: string(body)}, nil
}

// A form is the first one of a page, with the values that stand in it.
type form struct {
	action string
	fields url.Values
}

// findForm reads the HTML that this package's own pages are written in: it is
// well-formed but for the elements that HTML never closes.
func findForm(page string) (form, error) {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var f *form
	for {
		token, err := d.Token()
		if err != nil {
			return form{}, fmt.Errorf("it has no form: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch {
			case t.Name.Local == "form":
				f = &form{action: attribute(t, "action"), fields: url.Values{}}
			case t.Name.Local == "input" && f != nil:
				f.fields.Add(attribute(t, "name"), attribute(t, "value"))
			}
		case xml.EndElement:
			if t.Name.Local == "form" && f != nil {
				return *f, nil
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
