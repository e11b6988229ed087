package cli

import "github.com/spf13/cobra"

// Commands are all of them, for tests of their help.
func Commands() []*cobra.Command { return App{}.root().Commands() }
