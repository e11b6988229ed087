package checksum_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// The sums of "123456789" that the algorithms' own documents give, or their
// reference programs.
var check = map[string]string{
	"CRC32":     "cbf43926",
	"CRC32C":    "e3069283",
	"CRC64NVME": "ae8b14860a799888",
	"MD5":       "25f9e794323b453885f5181f1b624d0b",
	"SHA1":      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
	"SHA256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	"SHA512":    "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
	"XXHASH64":  "8cb841db40e6ae83",
	"XXHASH3":   "72dcb18b67a17dff",
	"XXHASH128": "33119477ede5dcd5e9716427681d5860",
}

func TestSums(t *testing.T) {
	var names []string
	for _, header := range checksum.Headers() {
		a, ok := checksum.ForHeader(header)
		if !ok {
			t.Fatalf("no algorithm of %s", header)
		}
		names = append(names, a.Name())
		h := a.New()
		h.Write([]byte("1234"))
		h.Write([]byte("56789"))
		sum := h.Sum(nil)
		if a.Size() != len(sum) || h.Size() != len(sum) || a.Header() != header {
			t.Errorf("%s: size %d and %d of a sum of %d, header %s", a.Name(), a.Size(), h.Size(), len(sum), a.Header())
		}
		if got := hex.EncodeToString(sum); got != check[a.Name()] {
			t.Errorf("%s of 123456789: got %s, want %s", a.Name(), got, check[a.Name()])
		}
		value := base64.StdEncoding.EncodeToString(sum)
		if got, ok := a.Decode(value); !ok || !slices.Equal(got, sum) || len(value) != a.Length() {
			t.Errorf("%s: %s decodes to %x, %v", a.Name(), value, got, ok)
		}
		for _, bad := range []string{"", value[1:], value + "=", "*" + value[1:], strings.TrimRight(value, "=")} {
			if _, ok := a.Decode(bad); ok && bad != value {
				t.Errorf("%s: %q passed for a sum", a.Name(), bad)
			}
		}
		if again, ok := checksum.ForHeader(strings.ToUpper(header)); !ok || again.Name() != a.Name() {
			t.Errorf("%s is not found in upper case", header)
		}
	}
	if len(names) != len(check) || !slices.IsSorted(checksum.Headers()) {
		t.Errorf("got %v", names)
	}
}

func TestWhatIsNone(t *testing.T) {
	for _, name := range []string{"", "x-amz-checksum-", "x-amz-checksum-crc", "x-amz-checksum-algorithm", "x-amz-checksum-type", "content-md5", "crc32"} {
		if a, ok := checksum.ForHeader(name); ok || a.New() != nil || a.Header() != "" {
			t.Errorf("%q is %s", name, a.Name())
		}
	}
	if _, ok := (checksum.Algorithm{}).Decode(""); ok {
		t.Error("none has a sum")
	}
}

// TestVectors holds the sums to those of the AWS SDK for JavaScript, which
// test/e2e sends to a server that computes them, too.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/sums.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Length int               `json:"length"`
		Sums   map[string]string `json:"sums"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) != 20 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, vec := range vectors {
		text := make([]byte, vec.Length)
		for i := range text {
			text[i] = byte((7*i + 3) % 251)
		}
		for _, header := range checksum.Headers() {
			a, _ := checksum.ForHeader(header)
			whole, pieces := a.New(), a.New()
			whole.Write(text)
			for piece := range slices.Chunk(text, 13) {
				pieces.Write(piece)
			}
			want := vec.Sums[header]
			if got := base64.StdEncoding.EncodeToString(whole.Sum(nil)); got != want {
				t.Errorf("%s of %d bytes: %s, want %s", header, vec.Length, got, want)
			}
			if got := base64.StdEncoding.EncodeToString(pieces.Sum(nil)); got != want {
				t.Errorf("%s of %d bytes in pieces: %s, want %s", header, vec.Length, got, want)
			}
		}
	}
}

// TestUnderFIPS runs in a process of its own, where only algorithms of FIPS 140
// may be used.
func TestUnderFIPS(t *testing.T) {
	if os.Getenv("GODEBUG") != "fips140=only" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnderFIPS$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestUnderFIPS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, header := range checksum.Headers() {
		a, _ := checksum.ForHeader(header)
		forbidden := header == "x-amz-checksum-md5" || header == "x-amz-checksum-sha1"
		h := a.New()
		if (h == nil) != forbidden {
			t.Errorf("%s: %v", header, h)
		}
		if h != nil {
			h.Write([]byte("x"))
			h.Sum(nil)
		}
	}
}

// BenchmarkSum is each of them over 64 KiB, as a body is read.
func BenchmarkSum(b *testing.B) {
	data, sum := make([]byte, 64<<10), make([]byte, 0, 64)
	for _, header := range checksum.Headers() {
		a, _ := checksum.ForHeader(header)
		b.Run(a.Name(), func(b *testing.B) {
			h := a.New()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				h.Reset()
				h.Write(data)
				sum = h.Sum(sum[:0])
			}
		})
	}
}
