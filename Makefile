# What a person or CI can ask for. `make help` lists it.
#
# Everything is installed by package name, pinned, and built into bin/. Tools
# have modules of their own under .ci/, so that none of them is in go.mod.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-builtin-rules --no-print-directory

MODULES  := . test/e2e test/engines test/load
FUZZTIME ?= 30s
BENCH    ?= .
STORY    ?= .
TIMEOUT  ?= 20m
FOR      ?= 1h

node := test/e2e/node

.PHONY: help
help: ## list the targets
	@awk -F ': .*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what is needed ---------------------------------------------------------

.PHONY: setup packages
setup: packages bin/versitygw $(node)/node_modules/.installed ## install what the tests need

packages:
	@.ci/packages

$(node)/node_modules/.installed: $(node)/package.json $(node)/package-lock.json $(node)/.npmrc
	cd $(node) && npm ci --ignore-scripts
	touch $@

# Each rule builds the tools of one module, at the versions its go.sum pins.
bin/versitygw: .ci/versitygw/go.mod .ci/versitygw/go.sum
	cd .ci/versitygw && go build -o ../../bin/ tool

bin/rclone: .ci/rclone/go.mod .ci/rclone/go.sum
	cd .ci/rclone && go build -o ../../bin/ tool

bin/goreleaser: .ci/goreleaser/go.mod .ci/goreleaser/go.sum
	cd .ci/goreleaser && go build -o ../../bin/ tool

bin/staticcheck bin/govulncheck bin/benchstat &: .ci/tools/go.mod .ci/tools/go.sum
	cd .ci/tools && go build -o ../../bin/ tool

# --- what can be done -------------------------------------------------------

.PHONY: build
build: ## build bin/gimme
	go build -trimpath -o bin/ ./cmd/gimme

.PHONY: test test-unit test-engines test-e2e
test: setup test-unit test-engines test-e2e ## install what is needed and run every test

test-unit: ## unit tests, in random order, with the race detector
	go test -race -shuffle=on -timeout $(TIMEOUT) ./...
	cd test/load && go test -race -timeout $(TIMEOUT) . ./cmd/...
	go test -timeout $(TIMEOUT) ./pkg/policy # all seeds, which are too many for the race detector
	go test -run '^$$' -fuzz '^FuzzDecideAgainstReference$$' -fuzztime 20s -fuzzminimizetime 10x ./pkg/policy

test-engines: ## one case for gimme, Cedar, OPA and Casbin, with the same answers
	cd test/engines && go test -timeout $(TIMEOUT) ./...

test-e2e: setup ## the end-to-end stories (STORY=TestName for one)
	cd test/e2e && go test -count=1 -timeout $(TIMEOUT) -run '$(STORY)' ./...

.PHONY: soak
soak: setup build ## an hour of mixed load with disturbances (FOR=2m for less)
	cd test/e2e && SOAK_FOR=$(FOR) GIMME_E2E_BINARY=$(CURDIR)/bin/gimme go test -count=1 -timeout 0 -v -run '^TestSoak$$' .

.PHONY: suite
suite: bin/versitygw ## versitygw's conformance suite, straight and through the sidecar
	cd test/e2e && go test -count=1 -timeout $(TIMEOUT) -v -run '^TestConformanceSuite$$' .

.PHONY: lint
lint: bin/staticcheck ## format, vet, modern Go, staticcheck, in every module
	@.ci/lint $(MODULES)

.PHONY: vuln
vuln: bin/govulncheck ## known vulnerabilities in what is called (GOVULNDB=URL for a mirror)
	@.ci/vuln $(MODULES)

.PHONY: release-check
release-check: bin/goreleaser ## check the release configuration and build every archive, without publishing
	bin/goreleaser check
	bin/goreleaser release --snapshot --clean
	@.ci/archives dist

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: bench bench-functions bench-processes
bench: $(if $(filter .,$(BENCH)),bench-functions bench-processes bench-load,bench-functions) ## functions, whole processes, and the sidecar under load (BENCH=Name for some functions alone)

bench-functions: ## every benchmark of a function, with what it allocates (BENCH=Name for some)
	go test -run '^$$' -bench '$(BENCH)' -skip '^BenchmarkStartUp$$' -benchmem ./...

bench-processes: ## how long commands take, whole processes, beside a program that prints a constant
	go test -run '^$$' -bench '^BenchmarkStartUp$$' -benchtime 1x ./internal/cli

.PHONY: regress
regress: bin/benchstat ## compare hot paths with those of the commit in .ci/baseline, or BASE=COMMIT; more than 15 % worse fails
	go run ./test/regress $(if $(BASE),-base '$(BASE)')

.PHONY: bench-load
bench-load: bin/versitygw bin/rclone ## the sidecar under load, beside others (LOAD='-short'; docs/performance.md)
	@.ci/packages bench
	cd test/load && go test -count=1 -timeout $(TIMEOUT) ./rig # that every way gives what it ought to
	cd test/load && go run ./cmd/compare $(LOAD)

.PHONY: bench-policy
bench-policy: ## decisions by size, and beside those of Cedar, OPA and Casbin
	go test -run '^$$' -bench . -benchmem ./pkg/policy
	cd test/engines && go test -run '^$$' -bench . -benchmem .

.PHONY: ci
ci: packages lint vuln regress test release-check ## all that a change has to pass

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist artifacts
