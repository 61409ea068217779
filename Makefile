# image-tools: build, demo, tests, checks. Everything a fresh machine needs besides Rust and
# apt-get is installed by the targets that need it.

CARGO ?= cargo
# Not always target/: $CARGO_TARGET_DIR and build.target-dir can name another directory. Found when it is
# needed, and once.
TARGET_DIR = $(eval TARGET_DIR := $(shell $(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'))$(TARGET_DIR)
BIN = $(TARGET_DIR)/release/image-tools

HOST_CPU := $(shell uname -m)
TARGET ?= $(HOST_CPU)-unknown-linux-musl
TARGET_CPU := $(firstword $(subst -, ,$(TARGET)))
TARGET_VAR := $(subst -,_,$(TARGET))
TARGET_ENV := $(shell echo $(TARGET_VAR) | tr a-z A-Z)
# The C parts need a compiler only, no C library: the host's serves for musl too.
TARGET_CC := $(if $(filter $(HOST_CPU),$(TARGET_CPU)),gcc,$(TARGET_CPU)-linux-gnu-gcc)
GNU := $(HOST_CPU)-unknown-linux-gnu
# Relocations of a position-independent file, packed: 135 KB less, and no less protection. A linker that does
# not know the option says so and goes on. $RUSTFLAGS, where it is set, takes the place of these.
MUSL_RUSTFLAGS ?= -C link-arg=-Wl,-z,pack-relative-relocs
# mimalloc takes huge pages by default: 61 MB at -j 20 instead of 16, and slower.
BUILD_MUSL = CFLAGS_$(TARGET_VAR)='$(CFLAGS) -DMI_DEFAULT_ALLOW_THP=0' CC_$(TARGET_VAR)=$(TARGET_CC) CARGO_TARGET_$(TARGET_ENV)_LINKER=$(TARGET_CC) CARGO_TARGET_$(TARGET_ENV)_RUSTFLAGS='$(MUSL_RUSTFLAGS)' $(CARGO) build --target $(TARGET)
BUILD_GNU = RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --target $(GNU) --target-dir '$(TARGET_DIR)/static-gnu'

.PHONY: all demo test bench lint static clean

all:
	$(CARGO) build --release

# The main job on something that is there: a list against two embedded registries made from
# fixtures/. Leaves nothing running and nothing behind.
demo: all
	IMAGE_TOOLS='$(BIN)' $(CARGO) run --release --quiet --example demo

# Unit tests and tests of the real binary against real registries; also of static binaries, in
# chroots, where they can be built and root is here to make the chroots. Many tests wait: more threads
# than two cores.
test: test-tools test-static test-promtool
	IMAGE_TOOLS_PROMTOOL="$$(ls -d $(CURDIR)/target/prometheus/usr/bin/promtool 2>/dev/null || echo promtool)" \
	IMAGE_TOOLS_STATIC="$$(ls -d '$(TARGET_DIR)/$(TARGET)/debug/image-tools' '$(TARGET_DIR)/static-gnu/$(GNU)/debug/image-tools' 2>/dev/null | tr '\n' ' ')" \
	RUST_TEST_THREADS="$${RUST_TEST_THREADS:-4}" $(CARGO) test

.PHONY: test-static
test-static:
	@if rustup target list --installed | grep -qx $(TARGET) || rustup target add $(TARGET); then $(BUILD_MUSL); fi
	@$(BUILD_GNU)
	@if [ ! -d target/nss/usr ] && command -v dpkg >/dev/null; then \
	  mkdir -p target/nss && cd target/nss && apt-get download -q libnss-myhostname libnss-resolve && \
	  for package in *.deb; do dpkg -x $$package . || exit; done; \
	fi || echo "no modules for name lookup: one test will be skipped" >&2

# promtool, unpacked only: installing Debian's package would start a Prometheus.
.PHONY: test-promtool
test-promtool:
	@if [ ! -x target/prometheus/usr/bin/promtool ] && command -v dpkg >/dev/null; then \
	  mkdir -p target/prometheus && cd target/prometheus && apt-get download -q prometheus && \
	  dpkg -x prometheus_*.deb . && rm prometheus_*.deb; \
	fi || echo "no promtool: metrics will not be checked with it" >&2

# Debian's servers that the tests start; installed where that is possible without asking.
TEST_PACKAGES := docker-registry nginx-light tinyproxy skopeo python3-jsonschema python3-yaml tidy parallel man-db groff-base gcc libc6-dev
.PHONY: test-tools
test-tools:
	@for program in docker-registry nginx tinyproxy skopeo tidy man groff parallel cc; do \
	  PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	/usr/bin/python3 -c 'import jsonschema' 2>/dev/null || missing="$$missing python3-jsonschema"; \
	/usr/bin/python3 -c 'import yaml' 2>/dev/null || missing="$$missing python3-yaml"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(TEST_PACKAGES); \
	else \
	  echo "the tests need:$$missing; install them with  apt-get install $(TEST_PACKAGES)" >&2; exit 1; \
	fi

# What validating costs, against a bare loop with the same requests; installs a registry as `test`.
# The static file is measured beside the other build.
bench: test-tools static
	IMAGE_TOOLS_STATIC='$(CURDIR)/dist/image-tools' $(CARGO) bench --bench validate

# Only what bounds the memory: a million lines, and the longest lines that there are.
.PHONY: bench-memory
bench-memory:
	$(CARGO) bench --bench validate -- memory

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	$(CARGO) check --quiet --manifest-path tests/fuzz/Cargo.toml --target-dir '$(TARGET_DIR)'
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	  $(CARGO) deny --config .ci/deny.toml check licenses sources bans; \
	else \
	  echo "licences and sources are not checked: cargo install cargo-deny --locked" >&2; \
	fi

# Every parser of outside text on $(FUZZ_SECONDS) seconds of mutated input. What it finds is in tests/fuzz/artifacts/.
FUZZ_SECONDS ?= 60
FUZZ = RUSTC_BOOTSTRAP=1 $(CARGO) fuzz
.PHONY: fuzz
fuzz:
	@$(FUZZ) --version >/dev/null 2>&1 || { \
	  echo "the fuzzer and a C++ compiler are needed: cargo install cargo-fuzz --locked; apt-get install g++" >&2; exit 1; \
	}
	@for target in $$($(FUZZ) list --fuzz-dir tests/fuzz); do \
	  corpus="$(TARGET_DIR)/fuzz/corpus/$$target"; mkdir -p "$$corpus" && \
	  $(FUZZ) run --fuzz-dir tests/fuzz --target-dir '$(TARGET_DIR)/fuzz' --features libfuzzer-sys --sanitizer none \
	    "$$target" "$$corpus" tests/fuzz/seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_funcs=0 -print_final_stats=1 || exit; \
	done

# One stripped, statically linked file in dist/, for a host that has nothing else, and its SHA-256.
# For another processor: make static TARGET=aarch64-unknown-linux-musl (Debian: gcc-aarch64-linux-gnu).
# Where the musl target cannot be had: gnu, with name lookup pinned to files and DNS (src/nss.rs).
static:
	@mkdir -p dist
	@if rustup target list --installed | grep -qx $(TARGET) || rustup target add $(TARGET); then \
	  $(BUILD_MUSL) --release && cp '$(TARGET_DIR)/$(TARGET)/release/image-tools' dist/; \
	elif [ $(TARGET_CPU) = $(HOST_CPU) ]; then \
	  echo "the target $(TARGET) cannot be had: building for $(GNU)" >&2; \
	  $(BUILD_GNU) --release && cp '$(TARGET_DIR)/static-gnu/$(GNU)/release/image-tools' dist/; \
	else \
	  echo "the target $(TARGET) cannot be had" >&2; exit 1; \
	fi
	cd dist && sha256sum image-tools >image-tools.sha256

clean:
	$(CARGO) clean
	rm -rf dist
