# Everything a contributor runs. `make` alone lists it.
# Needs Go, git, bash and make; tools and the control plane are built from their Go modules, cached outside the checkout.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

## Variables, to be set on the command line: make test PKG=./internal/...
PKG ?= ./...
TEST_FLAGS ?=
TEST_TIMEOUT ?= 20m
# The race detector needs a C compiler: yes where there is one. RACE=no leaves it out.
RACE ?= $(if $(filter 1,$(shell go env CGO_ENABLED)),yes,no)
BENCH ?= .
BENCH_FLAGS ?= -benchmem
# Of one package: test/bench alone takes half an hour.
BENCH_TIMEOUT ?= 60m
# The packages that have a benchmark.
BENCH_PKG ?= $(shell hack/packages_with.sh Benchmark)
FUZZTIME ?= 10s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# What the compiler is told of where the server spends its time: 3 in 100 of each request. Tests and the demo are built
# without, for it takes minutes to build all once more.
PROFILE := cmd/server/release.pgo

TOOL := go tool -modfile=hack/tools/go.mod
CONTROLLER_GEN := $(TOOL) controller-gen
GOLANGCI_LINT := $(TOOL) golangci-lint

# Builds the control plane where it is not cached and tells the tests where it is.
WITH_CONTROL_PLANE = KUBEBUILDER_ASSETS="$$(hack/controlplane/build.sh)" && export KUBEBUILDER_ASSETS &&

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Show a key being issued, accepted, rotated and refused. ONCE=1: run through and stop.
	@$(WITH_CONTROL_PLANE) \
	hack/gobuild.sh bin/demo ./hack/demo && \
	exec bin/demo $(if $(ONCE),--once)

.PHONY: test
# -count=1: suites run programs they build themselves, a change in which the test cache does not see.
test: ## Run every test, against a real API server.
	@hack/packages.sh
	@$(WITH_CONTROL_PLANE) \
	go run ./hack/runtests -count=1 -timeout=$(TEST_TIMEOUT) $(if $(filter yes,$(RACE)),-race) $(TEST_FLAGS) $(PKG)

.PHONY: bench
# go test runs the benchmarks of several packages one after the other.
bench: ## Run the benchmarks. BENCH=<regexp> chooses.
	@$(WITH_CONTROL_PLANE) \
	go test -run='^$$' -bench='$(BENCH)' -timeout=$(BENCH_TIMEOUT) $(BENCH_FLAGS) $(BENCH_PKG)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s).
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: build
build: ## Build bin/operator and bin/server, static.
	CGO_ENABLED=0 go build -trimpath -pgo=$(PROFILE) -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/operator ./cmd/server

.PHONY: profile
profile: ## Take the profile that the server is compiled by anew.
	go test -trimpath -run='^$$' -bench=BenchmarkAuth -benchtime=500000x -cpuprofile=$(CURDIR)/$(PROFILE) -o bin/profile.test ./cmd/server

.PHONY: generate
generate: ## Generate the deep copies of api/.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: ## Generate config/crd/bases from api/.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases

.PHONY: lint
lint: ## Run the linters.
	$(GOLANGCI_LINT) run ./...

.PHONY: verify
verify: ## Regenerate everything, check it and lint; fail when that changes a file.
	@hack/verify.sh

.PHONY: control-plane
control-plane: ## Build etcd, kube-apiserver and kubectl, and print their folder.
	@hack/controlplane/build.sh

.PHONY: clean
clean: ## Remove what was built in the checkout. Caches outside it stay.
	rm -rf bin .demo
