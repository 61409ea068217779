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

# Debian's servers that the tests start; installed where that is possible without asking.
TEST_PACKAGES := docker-registry nginx-light tinyproxy
.PHONY: test-tools
test-tools:
	@for program in docker-registry nginx tinyproxy; do \
	  PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(TEST_PACKAGES); \
	else \
	  echo "the tests need:$$missing; install them with  apt-get install $(TEST_PACKAGES)" >&2; exit 1; \
	fi

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

# One stripped, statically linked file in dist/, for a host that has nothing else.
# For another processor: make static TARGET=aarch64-unknown-linux-musl (Debian: gcc-aarch64-linux-gnu).
TARGET ?= $(shell uname -m)-unknown-linux-musl
HOST_CPU := $(shell uname -m)
TARGET_CPU := $(firstword $(subst -, ,$(TARGET)))
TARGET_VAR := $(subst -,_,$(TARGET))
# The C parts (ring) need a compiler only, no C library: the host's serves for musl too.
TARGET_CC := $(if $(filter $(HOST_CPU),$(TARGET_CPU)),gcc,$(TARGET_CPU)-linux-gnu-gcc)

static:
	rustup target list --installed | grep -qx $(TARGET) || rustup target add $(TARGET)
	CC_$(TARGET_VAR)=$(TARGET_CC) \
	CARGO_TARGET_$(shell echo $(TARGET_VAR) | tr a-z A-Z)_LINKER=$(if $(filter $(HOST_CPU),$(TARGET_CPU)),gcc,rust-lld) \
	$(CARGO) build --release --target $(TARGET)
	mkdir -p dist
	cp target/$(TARGET)/release/image-tools dist/image-tools
	cd dist && sha256sum image-tools >image-tools.sha256

clean:
	$(CARGO) clean
	rm -rf dist
