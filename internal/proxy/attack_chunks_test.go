package proxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A chunk of a body in the streaming forms, with the signature of the one
// before it.
type chunk struct{ data, signature string }

// chunks signs m, a form with signed chunks, and gives the chunks of its body,
// the empty last one included, and the trailer if the form has one.
func (a *attack) chunks(m message, s seal, data ...string) (signed message, list []chunk, trailer string) {
	m.body = ""
	m = m.framed(a.host)
	s = s.defaults(m)
	m = m.sign(s)
	authorization, _ := m.line("Authorization")
	_, previous, _ := strings.Cut(authorization, "Signature=")
	next := func(kind, last string) string {
		previous = hexOf(hmacOf(s.key(), "AWS4-HMAC-SHA256-"+kind+"\n"+s.at.Format(amzTime)+"\n"+s.scope()+"\n"+previous+"\n"+last))
		return previous
	}
	for _, d := range append(slices.Clone(data), "") {
		list = append(list, chunk{d, next("PAYLOAD", sha("")+"\n"+sha(d))})
	}
	if mode, _ := m.line("x-amz-content-sha256"); mode == signedTrailer {
		trailer = "x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:" + next("TRAILER", sha("x-amz-checksum-crc32:NhCmhg==\n")) + "\r\n"
	}
	return m, list, trailer
}

// framedChunks is the body that chunks make.
func framedChunks(list []chunk, trailer string) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n", len(c.data), c.signature)
		if c.data != "" {
			b.WriteString(c.data + "\r\n")
		}
	}
	return b.String() + trailer + "\r\n"
}

// brokenChunks: where each chunk is signed, each is the one that was signed, in
// its place, up to the last.
func (a *attack) brokenChunks() {
	a.store.answerWith(nil)
	defer a.store.answerWith(ok)
	a.put("lake", "customers/x", "before")
	zeros := strings.Repeat("0", 64)
	for _, mode := range []string{signedChunks, signedTrailer} {
		send := func(name string, edit func(list []chunk, trailer string) ([]chunk, string)) {
			a.run("advisory 13/"+mode+", "+name, func(t *testing.T) {
				m, list, trailer := a.chunks(upload("/lake/customers/x", mode), a.by("alice"), "he", "l", "lo")
				if edit == nil {
					m.body = framedChunks(list, trailer)
					replies := exchangeRaw(t, a.host, a.roots, m.framed(a.host).String(), false)
					a.newEvents()
					if got, _ := a.stored("lake", "customers/x"); len(replies) != 1 || replies[0].status != 200 || got != "hello" {
						t.Errorf("what the others are made from: %+v, stored %q", replies, got)
					}
					a.put("lake", "customers/x", "before")
					return
				}
				list, trailer = edit(list, trailer)
				m.body = framedChunks(list, trailer)
				a.wantNoObject(t, m.framed(a.host).String())
			})
		}
		send("as it should be", nil)
		for i := range 4 {
			send(fmt.Sprintf("signature %d is another", i), func(l []chunk, t string) ([]chunk, string) { l[i].signature = flip(l[i].signature, 3); return l, t })
			send(fmt.Sprintf("signature %d is nothing", i), func(l []chunk, t string) ([]chunk, string) { l[i].signature = zeros; return l, t })
			send(fmt.Sprintf("chunk %d is missing", i), func(l []chunk, t string) ([]chunk, string) { return slices.Delete(l, i, i+1), t })
		}
		for i := range 3 {
			send(fmt.Sprintf("a byte of chunk %d is another", i), func(l []chunk, t string) ([]chunk, string) { l[i].data = flip(l[i].data, 0); return l, t })
		}
		send("two change places", func(l []chunk, t string) ([]chunk, string) { l[0], l[2] = l[2], l[0]; return l, t })
		send("two are one", func(l []chunk, t string) ([]chunk, string) {
			l[1].data += l[2].data
			return slices.Delete(l, 2, 3), t
		})
		send("one is sent again", func(l []chunk, t string) ([]chunk, string) { return slices.Insert(l, 1, l[0]), t })
		send("signed by another", func(l []chunk, t string) ([]chunk, string) {
			_, other, _ := a.chunks(upload("/lake/customers/x", mode), a.by("thief"), "he", "l", "lo")
			return other, t
		})
		if mode == signedTrailer {
			send("another checksum", func(l []chunk, t string) ([]chunk, string) { return l, strings.Replace(t, "NhCmhg", "AAAAAA", 1) })
			send("no trailer", func(l []chunk, _ string) ([]chunk, string) { return l, "" })
			send("no signature of the trailer", func(l []chunk, t string) ([]chunk, string) {
				return l, t[:strings.Index(t, "x-amz-trailer-signature")]
			})
			send("signature of the trailer is nothing", func(l []chunk, t string) ([]chunk, string) {
				return l, t[:strings.Index(t, "signature:")] + "signature:" + zeros + "\r\n"
			})
		}
	}
	plain := upload("/lake/customers/x", signedChunks)
	a.run("advisory 37/chunks without signatures", func(t *testing.T) { a.wantNoObject(t, a.signed(plain, a.by("alice"))) })
}
