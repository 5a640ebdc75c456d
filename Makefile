# The commands of a contributor. `make` alone lists them.
# Needs Go, git, bash and make. Tools and the control plane are built from their Go modules and cached outside the checkout.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

## Variables, to be set on the command line: make test PKG=./internal/...
PKG ?= ./...
TEST_FLAGS ?=
TEST_TIMEOUT ?= 20m
# The race detector needs a C compiler. RACE=no turns it off.
RACE ?= $(if $(filter 1,$(shell go env CGO_ENABLED)),yes,no)
BENCH ?= .
BENCH_FLAGS ?= -benchmem
# For each package: test/bench alone takes half an hour.
BENCH_TIMEOUT ?= 60m
# The packages that have a benchmark.
BENCH_PKG ?= $(shell hack/packages_with.sh Benchmark)
FUZZTIME ?= 10s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# The version that the manifests name, and the images of it. make images IMAGE_VERSION=v1.2.3 builds another one.
RELEASE := $(shell sed -n 's|.*image: keywright.dev/server:||p' config/server/deployment.yaml)
IMAGE_VERSION ?= $(RELEASE)
IMAGE_PLATFORMS ?= linux/amd64,linux/arm64
# The images of docker-build and deploy, each as name:tag.
OPERATOR_IMG ?= keywright.dev/operator:$(IMAGE_VERSION)
SERVER_IMG ?= keywright.dev/server:$(IMAGE_VERSION)
# For push-images: where the images go, such as registry.example.com/keywright.
REGISTRY ?=
# For krew: the address from which the archives will be downloaded, and that of the documentation, which may be empty.
KREW_URL ?=
KREW_HOMEPAGE ?=
KREW_PLATFORMS ?= linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64
# For release and release-check. Operator and server are built for linux only.
RELEASE_PLATFORMS ?= $(KREW_PLATFORMS)
CHECK_PLATFORMS ?= linux/amd64
CHECK_PROGRAMS ?= operator,server,keywright
# kubectl from PATH, or the one built with the control plane.
KUBECTL ?= $(if $(shell command -v kubectl),kubectl,"$$(hack/controlplane/build.sh)/kubectl")
RUN_FLAGS ?=

# The CPU profile that the compiler optimizes the server with: make profile records it again. Tests and the demo are
# built without it, because it takes minutes to compile everything a second time.
PROFILE := cmd/server/release.pgo

TOOL := go tool -modfile=hack/tools/go.mod
CONTROLLER_GEN := $(TOOL) controller-gen
GOLANGCI_LINT := $(TOOL) golangci-lint
GOTESTSUM := $(TOOL) gotestsum --format=pkgname --ignore-non-json-output-lines

# Builds the control plane unless it is cached, and exports its folder for the tests.
WITH_CONTROL_PLANE = KUBEBUILDER_ASSETS="$$(hack/controlplane/build.sh)" && export KUBEBUILDER_ASSETS &&

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' \
	  $(firstword $(MAKEFILE_LIST))

##@ Development

.PHONY: demo
demo: ## Show a key being issued, accepted, rotated and refused. ONCE=1: stop after the last step.
	@$(WITH_CONTROL_PLANE) \
	hack/gobuild.sh bin/demo ./hack/demo && \
	exec bin/demo $(if $(ONCE),--once)

.PHONY: test
# -count=1: suites run programs that they build themselves, and the test cache does not notice changes in those.
test: ## Run every test, against a real API server.
	@hack/packages.sh
	@$(WITH_CONTROL_PLANE) \
	mkdir -p bin && rm -f bin/test.json && status=0 && \
	{ $(GOTESTSUM) --jsonfile=bin/test.json --packages='$(PKG)' -- \
	  -count=1 -timeout=$(TEST_TIMEOUT) $(if $(filter yes,$(RACE)),-race) $(TEST_FLAGS) || status=$$?; } && \
	go run ./hack/testcount bin/test.json && exit $$status

# The commit to upgrade from: the last release, or the commit before.
UPGRADE_FROM ?= $(shell git describe --tags --abbrev=0 2>/dev/null || git rev-parse HEAD~1)

.PHONY: test-upgrade
test-upgrade: ## Upgrade from UPGRADE_FROM (a commit) to this checkout under traffic, in both orders, and roll back.
	@hack/packages.sh
	@$(WITH_CONTROL_PLANE) 	KEYWRIGHT_UPGRADE_FROM='$(UPGRADE_FROM)' 	go test -count=1 -timeout=1h $(TEST_FLAGS) ./test/upgrade

.PHONY: test-velero
# Not a part of make test: Velero takes more than eight minutes to build the first time.
test-velero: ## Back up with Velero, lose the cluster, and restore it with Velero, which is built first.
	@$(WITH_CONTROL_PLANE) \
	KEYWRIGHT_VELERO="$$(hack/velero/build.sh)" && export KEYWRIGHT_VELERO && \
	go test -count=1 -timeout=20m -v ./test/recovery -ginkgo.focus=Velero $(TEST_FLAGS)

.PHONY: bench
# go test runs the benchmarks of several packages one after the other.
bench: ## Run the benchmarks. BENCH=<regexp> selects.
	@$(WITH_CONTROL_PLANE) \
	go test -run='^$$' -bench='$(BENCH)' -timeout=$(BENCH_TIMEOUT) $(BENCH_FLAGS) $(BENCH_PKG)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s).
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: fmt
fmt: ## Format the Go code.
	gofmt -w .

.PHONY: lint
lint: ## Run the linters.
	$(GOLANGCI_LINT) run ./...

.PHONY: generate
generate: ## Generate the deep copies of api/.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: ## Generate config/crd/bases from api/.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases

.PHONY: chart
chart: ## Generate the templates of charts/keywright that repeat config.
	go run ./hack/chart .

.PHONY: dashboard
dashboard: ## Generate the Grafana dashboard of config/monitoring, and its copy in the chart.
	@mkdir -p bin
	go -C hack/dashboard run . >bin/dashboard.json
	mv bin/dashboard.json config/monitoring/dashboard.json
	$(MAKE) chart

.PHONY: cli-docs
cli-docs: ## Generate docs/cli.md and docs/man from the help texts.
	go run ./hack/clidocs docs

.PHONY: cli-session
cli-session: ## Play the session of docs/cli.md again, and record it.
	@$(WITH_CONTROL_PLANE) \
	go test -count=1 -run='^TestScripts$$/^server$$/^session$$' ./test/cli -update
	$(MAKE) cli-docs

.PHONY: screenshots
screenshots: ## Take the pictures of the pages in docs/images again.
	@hack/packages.sh
	@$(WITH_CONTROL_PLANE) \
	go test -count=1 -run='^TestPages$$' ./test/pages -update

.PHONY: verify
verify: ## Regenerate, check and lint everything; fail if that changes a file.
	@hack/verify.sh

.PHONY: control-plane
control-plane: ## Build etcd, kube-apiserver and kubectl, and print their folder.
	@hack/controlplane/build.sh

# A real node in namespaces of its own. CLUSTER names one of several.
CLUSTER ?= keywright
RUN_CLUSTER = hack/cluster/run.sh -name '$(CLUSTER)'

.PHONY: cluster
# Needs root. The first time its programs are built, in about twelve minutes.
cluster: ## Start a Kubernetes cluster with one real node, and load the images of Keywright.
	@$(RUN_CLUSTER) up
	@$(MAKE) images IMAGE_PLATFORMS=linux/$$(go env GOARCH)
	@$(RUN_CLUSTER) load bin/images/*-$$(go env GOARCH).docker.tar
	@$(RUN_CLUSTER) next

.PHONY: test-cluster
# Not a part of make test: it needs root and ten minutes. It removes the cluster, and starts it again.
test-cluster: cluster ## Install Keywright on the cluster, rotate, restart, evict and kill it under traffic, lose the cluster, and upgrade.
	@hack/packages.sh nginx postgresql
	@test/cluster/images.sh $(RUN_CLUSTER)
	@$(WITH_CONTROL_PLANE) \
	KEYWRIGHT_UPGRADE_FROM='$(UPGRADE_FROM)' \
	KEYWRIGHT_CLUSTER="$$($(RUN_CLUSTER) folder)" go test -count=1 -timeout=60m -v ./test/cluster $(TEST_FLAGS)

.PHONY: cluster-down
cluster-down: ## Remove the cluster of make cluster.
	@$(RUN_CLUSTER) down

.PHONY: clean
clean: ## Remove what was built in the checkout. Caches outside it stay.
	rm -rf bin dist .demo

##@ Build

.PHONY: build
build: ## Build bin/operator, bin/server and bin/keywright, static.
	CGO_ENABLED=0 go build -trimpath -pgo=$(PROFILE) -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/operator ./cmd/server
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/keywright

.PHONY: krew
# Each platform is compiled from scratch the first time.
krew: ## Build the archives of kubectl keywright and Krew's manifest: VERSION=v1.2.3 KREW_URL=<where the archives will be>.
	go -C hack/krew run . -version '$(VERSION)' -url '$(KREW_URL)' -homepage '$(KREW_HOMEPAGE)' \
	  -platforms '$(KREW_PLATFORMS)' -out $(CURDIR)/bin/krew

# The time of the commit is the time in the images and archives, so that two builds of a commit are equal.
EPOCH = SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
IMAGES = $(EPOCH) go -C hack/images run . -version '$(IMAGE_VERSION)' -platforms '$(IMAGE_PLATFORMS)' \
  -revision "$$(git rev-parse HEAD 2>/dev/null || true)"

.PHONY: images
# Each platform is compiled from scratch the first time.
images: ## Build the images without Docker, as archives in bin/images.
	@$(IMAGES) -out $(CURDIR)/bin/images

.PHONY: push-images
push-images: ## Build the images and push them: REGISTRY=registry.example.com/keywright.
	@$(IMAGES) -push -repository '$(REGISTRY)'

# The kustomization of deploy and dist.
WITH_IMAGES = mkdir -p bin/deploy && printf '%s\n' 'resources: [../../config/default]' 'images:' \
  '- {name: keywright.dev/operator, newName: $(OPERATOR_IMG)}' '- {name: keywright.dev/server, newName: $(SERVER_IMG)}' | \
  sed -E 's/newName: (.*):([^:/]*)\}/newName: "\1", newTag: "\2"}/' >bin/deploy/kustomization.yaml

.PHONY: dist
dist: chart ## Build dist/install.yaml, with the images OPERATOR_IMG and SERVER_IMG, and the archive of the chart.
	@$(WITH_IMAGES)
	@mkdir -p dist
	$(KUBECTL) kustomize bin/deploy >dist/install.yaml
	go run ./hack/release chart -version '$(RELEASE)' -out dist

.PHONY: release
# Each platform is compiled from scratch the first time.
release: chart ## Build everything that is published, into dist/release: programs, bills of materials, images, chart, checksums.
	@rm -rf bin/release dist/release && mkdir -p dist/release/images
	$(EPOCH) go run ./hack/release build -version '$(RELEASE)' -out dist/release -platforms '$(RELEASE_PLATFORMS)'
	@$(IMAGES) -compiled $(CURDIR)/bin/release -out $(CURDIR)/dist/release/images
	go run ./hack/release chart -version '$(RELEASE)' -out dist/release
	$(KUBECTL) kustomize config/default >dist/release/install.yaml
	go run ./hack/release sums -version '$(RELEASE)' -out dist/release

.PHONY: release-check
release-check: ## Build the programs for CHECK_PLATFORMS twice, and compare them. FRESH=yes: once without the build cache.
	hack/release/check.sh '$(RELEASE)' '$(CHECK_PLATFORMS)' '$(CHECK_PROGRAMS)'

.PHONY: docker-build
docker-build: ## Build the images OPERATOR_IMG and SERVER_IMG with Docker.
	docker build --build-arg VERSION=$(IMAGE_VERSION) --target operator -t $(OPERATOR_IMG) .
	docker build --build-arg VERSION=$(IMAGE_VERSION) --target server -t $(SERVER_IMG) .

.PHONY: profile
profile: ## Record the CPU profile that the server is compiled with again.
	go test -trimpath -run='^$$' -bench=BenchmarkAuth -benchtime=500000x -cpuprofile=$(CURDIR)/$(PROFILE) -o bin/profile.test ./cmd/server

##@ Cluster (of the current kubectl context)

.PHONY: run
run: ## Run the operator on this machine. RUN_FLAGS: its flags.
	go run ./cmd/operator $(RUN_FLAGS)

.PHONY: install
install: ## Install the CRDs.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CRDs and all objects of their kinds. The operator must still run.
	hack/delete_objects.sh $(KUBECTL)
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: ## Install everything, with the images OPERATOR_IMG and SERVER_IMG.
	@$(WITH_IMAGES)
	$(KUBECTL) apply --server-side -k bin/deploy

.PHONY: undeploy
undeploy: ## Remove everything: all keys, all admins, the pepper and the programs.
	hack/delete_objects.sh $(KUBECTL)
	$(KUBECTL) delete --ignore-not-found -k config/default
