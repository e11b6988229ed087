// Package e2e holds the end-to-end tests: the real gimme, driven through its
// front door by real clients, against parts that were written by others.
//
// The identity provider is oidc-provider, the upstream versitygw, which checks
// every signature, the browser Chromium, the clients the aws CLI, the SDKs for Go,
// JavaScript and Python, minio-go, rclone and s3cmd. Between the sidecar and the upstream stands a
// recorder that changes nothing, so that a test can tell that a refused request
// never went further. IAM policies are judged by iam-policy and iam-simulate of
// cloud-copilot, Terraform by the library behind terraform fmt, and by terraform
// itself where it is on the machine. TestSoak has a load of all kinds of clients on
// a sidecar whose surroundings fail: two minutes as a test among others, an hour
// with `make soak`.
//
// `make setup` installs what the tests need, `make test-e2e` runs them.
package e2e
