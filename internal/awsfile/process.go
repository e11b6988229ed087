package awsfile

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// CheckProcess refuses commands that cannot stand in a profile so that every SDK
// runs them: botocore splits the line by itself, Go and JavaScript hand it to a
// shell. Wanted are the absolute path of a program with gimme in its name, by
// which the line is known again, then credential-process, --profile and a name,
// then only plain words.
func CheckProcess(argv []string) error {
	if len(argv) < 4 || argv[1] != "credential-process" || argv[2] != "--profile" {
		return fmt.Errorf("credential process %q: PROGRAM credential-process --profile NAME is wanted", argv)
	}
	path := argv[0]
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("credential process: the program's path %q is not absolute", path)
	case !isGimme(path):
		return fmt.Errorf("credential process: the program %q has not gimme in its name, by which its line in the file would be known again", path)
	}
	for _, r := range path {
		if !bare(r) && !strings.ContainsRune(" ()=,", r) {
			return fmt.Errorf("credential process: the program's path %q holds %q, which not every SDK carries through; move the program to a plainer path", path, r)
		}
	}
	for _, word := range argv[1:] {
		if !plainWord(word) {
			return fmt.Errorf("credential process: the argument %q is not a plain word", word)
		}
	}
	return nil
}

// bare says whether r may stand in a path without quotes, for botocore's
// splitter, a shell and the readers of the file. Backslashes are those of
// Windows, where botocore and cmd.exe leave them as they are.
func bare(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) ||
		strings.ContainsRune("/._-+@:~", r) || r == '\\' && filepath.Separator == '\\'
}

func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !letterOrDigit(r) && !strings.ContainsRune("/._-+@:=", r) })
}

func letterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// commandLine is argv, which CheckProcess accepts, as the value of
// credential_process. It never begins and ends with a quote: the Go SDK would
// take both away.
func commandLine(argv []string) string {
	path := argv[0]
	if strings.ContainsFunc(path, func(r rune) bool { return !bare(r) }) {
		path = `"` + path + `"`
	}
	return strings.Join(append([]string{path}, argv[1:]...), " ")
}

// ownProcess returns the words of a command line that gimme wrote for profile,
// and nil for any other.
func ownProcess(line, profile string) []string {
	path, rest, ok := strings.Cut(line, " ")
	if quoted, found := strings.CutPrefix(line, `"`); found {
		path, rest, ok = strings.Cut(quoted, `" `)
	}
	if !ok {
		return nil
	}
	argv := append([]string{path}, strings.Fields(rest)...)
	if CheckProcess(argv) != nil || argv[3] != profile || commandLine(argv) != line {
		return nil
	}
	return slices.Clip(argv)
}

func isGimme(path string) bool {
	return strings.Contains(strings.ToLower(filepath.Base(path)), "gimme")
}
