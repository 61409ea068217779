# image-tools: build, demo, tests, checks. Everything a fresh machine needs besides Rust and
# apt-get is installed by the targets that need it.

CARGO ?= cargo
BIN := target/release/image-tools
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

.PHONY: all demo test lint static clean

all:
	$(CARGO) build --release

# The main job on something that is there: a list against two embedded registries made from
# fixtures/. Leaves nothing running and nothing behind.
demo: all
	IMAGE_TOOLS=$(BIN) $(CARGO) run --release --quiet --example demo

# Unit tests and tests of the real binary against real registries.
test: test-tools
	$(CARGO) test

# A real registry for the tests; installed where that is possible without asking.
.PHONY: test-tools
test-tools:
	@command -v docker-registry >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends docker-registry; \
	  else \
	    echo "the tests need a registry: install it with  apt-get install docker-registry" >&2; exit 1; \
	  fi; }

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

clean:
	$(CARGO) clean
	rm -rf dist
