package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// write makes a page of what was measured, prints the budgets, and renews the
// documentation if that is wanted.
func (c *comparison) write() error {
	rows, budgets := c.rows(), budgetTable(c.all())
	name := c.name()
	plots := filepath.Join(c.out, name)
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	if err := drawAll(plots, rows); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.out, name+".md"), []byte(c.text(rows, budgets, name)), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n%s\nThe figures are in %s.\n", c.Machine, table(rows), budgets, filepath.Join(c.out, name+".md"))
	if c.page == "" {
		return nil
	}
	beside := strings.TrimSuffix(c.page, ".md")
	if err := os.MkdirAll(beside, 0o755); err != nil {
		return err
	}
	if err := drawAll(beside, rows); err != nil {
		return err
	}
	page, err := os.ReadFile(c.page)
	if err != nil {
		return err
	}
	if page, err = renew(page, c.text(rows, budgets, filepath.Base(beside))); err != nil {
		return fmt.Errorf("%s: %w", c.page, err)
	}
	return os.WriteFile(c.page, page, 0o644)
}

// text is the page: machine, budgets, plots, table.
func (c *comparison) text(rows []row, budgets, plots string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, on %s, in %d rounds of %s.\n\n%s\n", c.Machine, c.Began.UTC().Format("2 January 2006"), c.Rounds, c.Duration, budgets)
	for _, p := range pictures() {
		fmt.Fprintf(&b, "![%s](%s/%s.svg)\n\n", p.title, plots, p.file)
	}
	b.WriteString(table(rows))
	return b.String()
}

// The marks between which a page is renewed.
const (
	opening = "<!-- figures -->\n"
	closing = "<!-- end of figures -->\n"
)

// renew puts text between the marks of a page.
func renew(page []byte, text string) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(opening))
	_, after, ended := bytes.Cut(rest, []byte(closing))
	if !found || !ended {
		return nil, fmt.Errorf("the marks %q and %q are not there", strings.TrimSpace(opening), strings.TrimSpace(closing))
	}
	return bytes.Join([][]byte{before, []byte(opening), []byte(text), []byte(closing), after}, nil), nil
}
