# The tools are pinned by version and built from source; GOLANGCI may name a binary of the same version instead.
GO          ?= go
GOLANGCI    ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK ?= $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME  ?= 1m
BENCHTIME ?= 1s
COUNT     ?= 1

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-11s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## serve against a fake WeChat on this machine
	$(GO) run . serve --sandbox

.PHONY: check
check: lint test ## all that must hold before a commit: format, vet, lint, test

.PHONY: fmt
fmt: ## format the code
	$(GOLANGCI) fmt ./...

# In a testing/synctest bubble sleeping is how time passes; a file that sleeps names it. Outside of one sleeping makes a
# test slow and its result a guess.
.PHONY: lint
lint: ## see that format, vet and linters have nothing to say
	$(GO) vet ./...
	cd bench/peers && $(GO) vet ./...
	$(GOLANGCI) run ./...
	@sleepers=$$(grep -rl --include='*_test.go' 'time\.Sleep(' . | xargs -r grep -L synctest); \
	test -z "$$sleepers" || { echo "these tests sleep outside testing/synctest:" $$sleepers; exit 1; }

.PHONY: test
test: ## run all tests with the race detector, in random order
	$(GO) test -race -shuffle=on -timeout 20m $(if $(SKIP),-skip '$(SKIP)') ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (1m)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: bench
bench: ## run the benchmarks, COUNT times for BENCHTIME each
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count $(COUNT) ./...

# A whole run takes some two hours. SUITE gives other flags; go run ./bench/suite -help explains them.
SUITE ?= -scenario all -keys 1000,100000,1000000 -dist uniform,zipf -front native,facade,get -out docs/performance

.PHONY: bench-peers
bench-peers: ## compare with nginx, Varnish, Redis and others, which are installed from Debian
	bench/install-peers
	$(GO) run ./bench/suite $(SUITE)

.PHONY: cover
cover: ## say how much of the code the tests reach
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -n 1
	$(GO) tool cover -html=coverage.out -o coverage.html

.PHONY: golden
golden: ## write the golden files anew; read the diff before you commit it
	GOLDEN=update $(GO) test ./...
	git status --short -- '*testdata*'

# Pictures are taken in Chromium of a sandbox with a past; docs/screenshots has the four of the README.
.PHONY: screenshots
screenshots: ## take pictures of every page of the admin page, into screenshots/
	mkdir -p screenshots docs/screenshots
	CI=true SCREENSHOTS=$(CURDIR)/screenshots $(GO) test -count=1 -timeout 20m -run '^TestPage$$/^every_page' ./cli
	cp $(addprefix screenshots/,overview.png links.png alias.png phone.png) docs/screenshots/

.PHONY: build
build: ## build one static binary, bin/linkbroker
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X linkbroker/cli.version=$(VERSION)' -o bin/linkbroker .

# go build, go run and make build take default.pgo by themselves. What moves on the hit path goes out of it without a
# word, so make it afresh when that was changed, on a machine with nothing else to do.
.PHONY: pgo
pgo: ## make default.pgo afresh, the profile by which Go compiles what is hot
	$(GO) run ./bench/pgo

.PHONY: vuln
vuln: ## look for known vulnerabilities in what is called
	$(GOVULNCHECK) ./...

.PHONY: clean
clean: ## delete what was built
	rm -rf bin dist screenshots coverage.out coverage.html

.PHONY: print-golangci
print-golangci:
	@echo '$(GOLANGCI)'
