package login

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

// The pages are fixed text: nothing that came over the network is in them.
type page struct{ title, text, mark string }

var (
	pageSignedIn = page{"You are signed in", "You can close this tab and go back to the terminal.", "✓"}
	pageFailed   = page{"The sign-in did not work", "Look at the terminal: it says why.", "!"}
	pageNothing  = page{"Nothing to see here", "This page belongs to a sign-in in a terminal. You can close this tab.", "·"}
)

//go:embed page.css
var style string

const frame = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>TITLE · gimme</title>
<style>STYLE</style>
</head>
<body>
<main>
<p class="mark" aria-hidden="true">MARK</p>
<h1>TITLE</h1>
<p>TEXT</p>
<p class="name">gimme</p>
</main>
</body>
</html>
`

// styleHash is the source expression that permits the style, and no other.
func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func (p page) html() string {
	return strings.NewReplacer("TITLE", p.title, "TEXT", p.text, "MARK", p.mark, "STYLE", style).Replace(frame)
}

func writePage(w http.ResponseWriter, status int, p page) {
	setHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, p.html())
}
