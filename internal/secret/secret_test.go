package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/secret"
)

func TestNoFormatShowsTheSecret(t *testing.T) {
	const canary = "canary-7d1f"
	s := secret.New(canary)
	inside := struct {
		S secret.Text
		P *secret.Text
		M map[string]secret.Text
		s secret.Text
	}{s, &s, map[string]secret.Text{"k": s}, s}

	var out strings.Builder
	for _, v := range []any{s, &s, inside, &inside, []secret.Text{s}, fmt.Errorf("bad key %v", s)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
		slog.New(h).Info("x", "s", s, "in", inside)
	}
	out.Write(logged.Bytes())

	hexed := fmt.Sprintf("%x", canary)
	for _, needle := range []string{canary, hexed, strings.ToUpper(hexed)} {
		if strings.Contains(out.String(), needle) {
			t.Errorf("the secret is shown: %s", out.String())
		}
	}
	if s.Reveal() != canary || s.Empty() || !secret.New("").Empty() || !s.Equal(secret.New(canary)) || s.Equal(secret.Text{}) {
		t.Error("Reveal, Empty or Equal is wrong")
	}
}
