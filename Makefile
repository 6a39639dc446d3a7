# `make` alone lists the targets. Go, make and a POSIX shell are all that is
# asked for; what else a target needs of the host, deploy/needs.sh brings.

SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN     := bin/firebreak
CONFIG  ?= deploy/firebreak.yaml
# A tarball has no history: then the version is plain "devel".
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
TOOL    := go tool -modfile=tools/go.mod

.PHONY: help build run needs demo test bench lint generate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## Build bin/firebreak
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/firebreak

run: build ## Build and run everything in one process (CONFIG=deploy/firebreak.yaml)
	$(BIN) run --config '$(CONFIG)'

needs: ## Install what the demo and the tests need of this host (Debian, root)
	@deploy/needs.sh

demo: needs build ## Contain a miner in a real container, before your eyes (root)
	@$(BIN) demo

test: ## Bring the needs, build, vet and run every test (root)
	@deploy/test.sh

bench: needs build ## Measure containment, and what matching costs beside its baselines (root)
	@$(BIN) bench contain -n 300
	@$(BIN) bench correlate

lint: ## Run golangci-lint; its first build takes minutes
	$(TOOL) golangci-lint run ./...

generate: ## Make anew what is generated: JSON Schemas, the reference of actions, the eBPF objects
	@deploy/needs.sh --build-bpf
	go generate ./...

clean: ## Remove what was built
	rm -rf bin dist
