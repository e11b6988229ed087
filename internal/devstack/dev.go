package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
)

// Dev starts the same servers and stays until ctx ends, which is no error.
func Dev(ctx context.Context, o Options) error { return dev(ctx, o, standard()) }

func dev(ctx context.Context, o Options, r recipe) (err error) {
	if o.Out == nil {
		return errors.New("dev: an output is missing")
	}
	s, err := newStack(ctx, r, o.log())
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.introduce(newTeller(o.Out))
	select {
	case <-ctx.Done():
		return nil
	case <-s.stopped:
		if ctx.Err() != nil { // it ends with ctx too
			return nil
		}
		return errors.New("dev: the sidecar has stopped by itself")
	}
}

func (s *stack) introduce(t *teller) {
	t.heading("gimme dev: an identity provider, an S3 server and the sidecar, all on this machine")
	t.line("")
	t.table([][]string{
		{"sidecar", s.url},
		{"identity provider", s.provider.Issuer()},
	}, nil)
	t.heading("Who can log in")
	t.line("")
	rows := [][]string{}
	for _, p := range []Person{s.alice, s.bob} {
		groups := "no group"
		if len(p.Groups) > 0 {
			groups = "group " + p.Groups[0]
		}
		rows = append(rows, []string{p.Email, p.Password.Reveal(), groups})
	}
	t.table(rows, nil)
	t.heading(fmt.Sprintf("What decides: edit and save, or kill -HUP %d, and the sidecar reads them anew", os.Getpid()))
	t.line("")
	t.table([][]string{
		{"data map", s.path(dataMapFile)},
		{"policy", s.path(policyFile)},
		{"events", s.path(auditFile)},
	}, nil)
	t.heading("In another terminal")
	t.line("")
	t.line("export AWS_CONFIG_FILE=%s AWS_SHARED_CREDENTIALS_FILE=%s GIMME_CONFIG=%s GIMME_STATE_DIR=%s",
		quoted(s.awsConfig()), quoted(s.awsCredentials()), quoted(s.path(homeFolder+"/gimme.yaml")), quoted(s.path(homeFolder+"/state")))
	t.line("gimme s3 --address %s --profile %s", s.url, aliceProfile)
	t.line("aws s3 cp %s s3://%s/customers/ --profile %s", quoted(s.path(sampleFile)), lake, aliceProfile)
	t.line("")
	t.line("The first line keeps your own ~/.aws, settings and logins as they are; without it, the profile is written there.")
	t.line("Then look:       aws s3 ls s3://%s/customers/ --profile %s", lake, aliceProfile)
	t.line("What is refused: aws s3 rm s3://%s/%s --profile %s", lake, customersKey, aliceProfile)
	t.line("")
	t.line("Ctrl-C stops everything and removes %s", s.folder)
}

// quoted is path as one word of a shell.
func quoted(path string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("/._-+@%", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if strings.IndexFunc(path, special) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
