package cli

import "github.com/spf13/cobra"

// Commands are all of them, for tests of their help.
func Commands() []*cobra.Command { return App{}.root().Commands() }

// ProcessKey is the key of a profile's credentials in the store.
func ProcessKey(a App, profile string) (string, error) {
	p, err := a.process(profile)
	if err != nil {
		return "", err
	}
	return p.request.Key(), nil
}
