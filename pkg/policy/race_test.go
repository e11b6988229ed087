//go:build race

package policy_test

// share: under the race detector, which makes the reference evaluator ten times
// slower, a fifth of the seeds is drawn. make test draws all of them without it.
const share = 5
