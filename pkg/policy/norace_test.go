//go:build !race

package policy_test

// share: all seeds are drawn.
const share = 1
