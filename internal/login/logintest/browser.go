package logintest

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// A Browser follows the login as a person's browser does, and keeps what it
// saw last. One browser is for one login.
type Browser struct {
	URL    string // in the address bar at the end
	Status int
	Header http.Header
	Body   string
}

// Open is for login.Options.OpenBrowser.
func (b *Browser) Open(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	b.URL, b.Status, b.Header, b.Body = answer.Request.URL.String(), answer.StatusCode, answer.Header, string(body)
	return nil
}
