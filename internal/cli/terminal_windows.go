package cli

func isBackgroundOf(int) bool { return false }
