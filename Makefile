# make help lists what there is. demo and build need Go alone; test and lint
# fetch what they need.

GO ?= go
ARGS ?=
# Tools are built once into bin/, each name with its version.
GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.8.0
REDOCLY_VERSION := 2.77.0
AXE_VERSION := 4.14.1
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)
# Prometheus's modules are v0.316 for its version 3.16. Of its service discovery only what
# deploy/prometheus uses is built in: all of it would take many minutes.
PROMTOOL_VERSION := v0.316.0
PROMTOOL_FLAGS := -tags=remove_all_sd,enable_dns_sd,netgo
PROMTOOL := bin/promtool-$(PROMTOOL_VERSION)
GOVULNCHECK := bin/govulncheck-$(GOVULNCHECK_VERSION)
FUZZ_TIME ?= 20s
# Packages are tested in the order in which they are named: so the longest does not run
# alone in the end.
LONGEST_FIRST := ./worker ./api/console/flows ./chaos ./store ./cmd/icims-export
# The tests of two of these wait half of their time: one package more than processors.
PACKAGES_AT_ONCE := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

export PATH := $(CURDIR)/bin:$(PATH)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Export 200 made-up candidates into a simulated iCIMS, then serve the HTTP API over it (ARGS=--exit ends before that, ARGS=--json with one line)
	@CGO_ENABLED=0 $(GO) run ./cmd/icims-export demo $(ARGS)

.PHONY: build
build: ## Build the static binary bin/icims-export
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/icims-export ./cmd/icims-export

.PHONY: test
test: browser ## Run all tests with the race detector; gets redis-server, Chromium and a C compiler where they are missing
	@sh scripts/ensure-redis.sh
	@sh scripts/ensure-cc.sh
	CGO_ENABLED=1 $(GO) test -race -timeout 20m -p $(PACKAGES_AT_ONCE) $(ARGS) $(LONGEST_FIRST) ./...

# What the tests of the console need.
.PHONY: browser
browser:
	@sh scripts/ensure-chromium.sh
	@sh scripts/ensure-axe.sh bin/axe-core-$(AXE_VERSION) $(AXE_VERSION)

# All pictures are in bin/screenshots; docs/screenshots has those that documents show.
.PHONY: screenshots
screenshots: browser ## Write pictures of all pages of the console to bin/screenshots, and anew those in docs/screenshots
	@sh scripts/ensure-redis.sh
	@rm -rf bin/screenshots && mkdir -p bin/screenshots docs/screenshots
	SCREENSHOTS=$(CURDIR)/bin/screenshots $(GO) test -count=1 ./api/console/flows
	@for picture in docs/screenshots/*.png; do cp "bin/screenshots/$${picture##*/}" docs/screenshots/; done

.PHONY: lint
lint: fmt-check vet golangci vulncheck openapi-lint ## Run all static checks

.PHONY: fmt-check
fmt-check:
	@files=$$($$($(GO) env GOROOT)/bin/gofmt -l .); \
	if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: golangci
golangci: $(GOLANGCI)
	$(GOLANGCI) run --allow-parallel-runners

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK)
	@sh scripts/vulncheck.sh $(GOVULNCHECK)

.PHONY: openapi
openapi: ## Write api/openapi.yaml anew from the routes
	$(GO) test ./api -run TestOpenAPIDocumentIsUpToDate -update

.PHONY: openapi-lint
openapi-lint:
	@sh scripts/openapi-lint.sh bin/redocly-$(REDOCLY_VERSION) $(REDOCLY_VERSION) api/openapi.yaml

.PHONY: rules
rules: $(PROMTOOL) ## Check and test the alert rules, and check the dashboard's queries
	$(PROMTOOL) check config deploy/prometheus/prometheus.yml
	$(PROMTOOL) test rules deploy/prometheus/alerts_test.yml
	PROMTOOL=$(CURDIR)/$(PROMTOOL) $(GO) test -count=1 ./deploy

$(PROMTOOL):
	@TOOL_FLAGS=$(PROMTOOL_FLAGS) sh scripts/install-tool.sh $@ github.com/prometheus/prometheus/cmd/promtool@$(PROMTOOL_VERSION)

$(GOLANGCI):
	@sh scripts/install-tool.sh $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(GOVULNCHECK):
	@sh scripts/install-tool.sh $@ golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

.PHONY: bench
bench: ## Measure processor time, calls and bytes (see docs/benchmarks.md), about 8 minutes
	@sh scripts/ensure-redis.sh
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./bench $(ARGS)
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 15m ./bench/api

.PHONY: bench-lanes
bench-lanes: ## Measure what lanes and limits keep (ARGS="-bench Kill" for one row), about 40 minutes
	@sh scripts/ensure-redis.sh
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 90m ./bench/lanes $(ARGS)

.PHONY: bench-scaling
bench-scaling: ## Measure what docs/scaling.md calculates with: commands, idle lanes, memory
	@sh scripts/ensure-redis.sh
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 15m ./bench/scaling $(ARGS)

.PHONY: chaos
chaos: ## Kill workers and Redis under load (CHAOS_CANDIDATES=10000, CHAOS_SEED=n), at most ten minutes
	@sh scripts/ensure-redis.sh
	CHAOS_CANDIDATES=$(or $(CHAOS_CANDIDATES),10000) CHAOS_SEED=$(CHAOS_SEED) $(GO) test -count=1 -v -timeout 12m -run '^TestChaos$$' ./chaos $(ARGS)

.PHONY: planted
planted: ## Break the code on purpose, one place at a time, and see that tests notice (ONLY=text)
	@sh scripts/ensure-redis.sh
	$(GO) run ./internal/planted -only "$(ONLY)"

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZ_TIME (20s)
	@sh scripts/fuzz.sh $(FUZZ_TIME)

.PHONY: docs
docs: ## Write the generated documents anew
	$(GO) test ./config -run TestReferenceIsUpToDate -update
	$(GO) test ./store -run TestErrorsPageIsUpToDate -update
	$(GO) test ./api -run TestCodesPageIsUpToDate -update
	$(GO) test ./verify -run TestPageIsUpToDate -update
	$(GO) test ./metrics -run TestMetricsPageIsUpToDate -update

.PHONY: verify
verify: lint test ## Run what must pass before a commit

.PHONY: clean
clean: ## Remove what the other targets have built
	rm -rf bin coverage.out
	$(GO) clean -testcache

.PHONY: sim
sim: ## Simulate SEEDS worlds of faults and deaths (SEEDS=10000), or replay one with its trace (SEED=7)
	@sh scripts/ensure-redis.sh
	SIM_SEEDS=$(SEEDS) SIM_SEED=$(SEED) $(GO) test -count=1 -timeout 3h -v -run '^TestSimulation$$' ./worker
