package process_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/test/process"
)

// TestMain is also the programs that are timed: what the first argument says.
func TestMain(m *testing.M) {
	switch os.Args[1] {
	case "say":
		os.Stdout.WriteString("said\n")
		os.Exit(0)
	case "be-slow":
		time.Sleep(50 * time.Millisecond)
		os.Stderr.WriteString("said\n")
		os.Exit(0)
	case "be-silent":
		os.Exit(0)
	case "fail":
		os.Stderr.WriteString("cannot\n")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestInTurn(t *testing.T) {
	program := func(does string) process.Program { return process.Program{Args: []string{os.Args[0], does}} }
	times, err := process.InTurn(3, program("say"), program("be-slow"))
	if err != nil || len(times) != 2 || len(times[0]) != 3 || len(times[1]) != 3 {
		t.Fatalf("%v, %v", times, err)
	}
	if times[1][0] < 50*time.Millisecond || times[1][0] > times[1][1] || times[1][1] > times[1][2] {
		t.Errorf("%v are no times of the slow one, the shortest first", times[1])
	}
	for does, want := range map[string]string{"fail": "cannot", "be-silent": "it printed nothing", "": "none"} {
		p := program(does)
		if does == "" {
			p = process.Program{Args: []string{t.TempDir() + "/none"}}
		}
		if times, err := process.InTurn(3, program("say"), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", does, times, err, want)
		}
	}
}

func TestTimes(t *testing.T) {
	a, b := []time.Duration{1, 6, 7}, []time.Duration{1, 2, 90}
	if got := process.Times(a, b); got != 3 {
		t.Errorf("got %v times", got)
	}
}
