# image-tools: build, demo, tests, checks, releases. Everything a fresh machine needs besides Rust and
# apt-get is installed by the targets that need it. `make help` prints the lines that begin with ##.

CARGO ?= cargo
# Not always target/: $CARGO_TARGET_DIR and build.target-dir can name another directory. Found when it is
# needed, and once. Without cargo (sudo make install): what it would be.
TARGET_DIR = $(eval TARGET_DIR := $(or $(shell $(CARGO) metadata --format-version 1 --no-deps 2>/dev/null | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'),$(CARGO_TARGET_DIR),$(CURDIR)/target))$(TARGET_DIR)
BIN = $(TARGET_DIR)/release/image-tools
# Where files for people go: static, dist.
DIST ?= dist
# Where dist's subcommands of cargo are.
TOOLS ?= $(TARGET_DIR)/tools

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
HAS_TARGET = { rustup target list --installed | grep -qx $(1) || rustup target add $(1); }

.PHONY: all help demo test bench lint static clean

## make                build the program
all:
	$(CARGO) build --release

## make help           these lines
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## make demo           validate a list against two embedded registries made from fixtures/
# Leaves nothing running and nothing behind.
demo: all
	IMAGE_TOOLS='$(BIN)' $(CARGO) run --release --quiet --example demo

## make test           all tests; installs the servers that they need (Debian, as root)
# Unit tests and tests of the real binary against real registries; also of static binaries, in
# chroots, where they can be built and root is here to make the chroots. Many tests wait: more threads
# than two cores.
test: test-tools test-static test-promtool
	IMAGE_TOOLS_PROMTOOL="$$(ls -d '$(TARGET_DIR)/prometheus/usr/bin/promtool' 2>/dev/null || echo promtool)" \
	IMAGE_TOOLS_NSS='$(TARGET_DIR)/nss' \
	IMAGE_TOOLS_STATIC="$$(ls -d '$(TARGET_DIR)/$(TARGET)/debug/image-tools' '$(TARGET_DIR)/static-gnu/$(GNU)/debug/image-tools' 2>/dev/null | tr '\n' ' ')" \
	RUST_TEST_THREADS="$${RUST_TEST_THREADS:-4}" $(CARGO) test

.PHONY: test-static
test-static:
	@if $(call HAS_TARGET,$(TARGET)); then $(BUILD_MUSL); fi
	@$(BUILD_GNU)
	@if [ ! -d '$(TARGET_DIR)/nss/usr' ] && command -v dpkg >/dev/null; then \
	  mkdir -p '$(TARGET_DIR)/nss' && cd '$(TARGET_DIR)/nss' && apt-get download -q libnss-myhostname libnss-resolve && \
	  for package in *.deb; do dpkg -x $$package . || exit; done; \
	fi || echo "no modules for name lookup: one test will be skipped" >&2

# promtool, unpacked only: installing Debian's package would start a Prometheus.
.PHONY: test-promtool
test-promtool:
	@if [ ! -x '$(TARGET_DIR)/prometheus/usr/bin/promtool' ] && command -v dpkg >/dev/null; then \
	  mkdir -p '$(TARGET_DIR)/prometheus' && cd '$(TARGET_DIR)/prometheus' && apt-get download -q prometheus && \
	  dpkg -x prometheus_*.deb . && rm prometheus_*.deb; \
	fi || echo "no promtool: metrics will not be checked with it" >&2


# The schemas of Kubernetes, from PyPI, for the manifests in fixtures/kubernetes.
KUBERNETES_VALIDATE = $(TARGET_DIR)/kubernetes/bin/kubernetes-validate
.PHONY: test-kubernetes
test: test-kubernetes
test: export IMAGE_TOOLS_KUBERNETES_VALIDATE = $(shell command -v '$(KUBERNETES_VALIDATE)' || echo kubernetes-validate)
test-kubernetes:
	@if [ ! -x '$(KUBERNETES_VALIDATE)' ]; then \
	  python3 -m venv '$(TARGET_DIR)/kubernetes' && '$(TARGET_DIR)/kubernetes/bin/pip' install -q kubernetes-validate==1.37.0; \
	fi || echo "no kubernetes-validate: the Kubernetes manifests will not be checked" >&2

# Debian's servers that the tests start; installed where that is possible without asking.
TEST_PACKAGES := docker-registry nginx-light tinyproxy skopeo python3-jsonschema python3-yaml tidy parallel man-db groff-base libxml2-utils python3-venv gcc libc6-dev ca-certificates
.PHONY: test-tools
test-tools:
	@for program in docker-registry nginx tinyproxy skopeo tidy xmllint man groff parallel cc; do \
	  PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	/usr/bin/python3 -c 'import jsonschema' 2>/dev/null || missing="$$missing python3-jsonschema"; \
	/usr/bin/python3 -c 'import yaml' 2>/dev/null || missing="$$missing python3-yaml"; \
	[ -d /usr/share/ca-certificates/mozilla ] || missing="$$missing ca-certificates"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(TEST_PACKAGES); \
	else \
	  echo "the tests need:$$missing; install them with  apt-get install $(TEST_PACKAGES)" >&2; exit 1; \
	fi

## make bench          speed, requests and memory, against a bare loop with the same requests
# One table of the release build and of the static file. Installs a registry as `test` does. Some scenarios
# only: make bench SCENARIOS='tls wide'; their names: make bench-list.
SCENARIOS ?=
bench: test-tools static
	IMAGE_TOOLS_STATIC='$(abspath $(DIST))/image-tools' $(CARGO) bench --bench validate -- $(SCENARIOS)

.PHONY: bench-list
bench-list:
	@$(CARGO) bench --quiet --bench validate -- list

## make bench-memory   the scenarios with a memory limit: a million lines, and the longest lines
.PHONY: bench-memory
bench-memory:
	$(CARGO) bench --bench validate -- memory

## make lint           formatting, clippy, licences and sources of the dependencies
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

## make fuzz           every parser of outside text on FUZZ_SECONDS seconds of mutated input
# What it finds is in tests/fuzz/artifacts/.
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

## make static         dist/image-tools: one static file for a host that has nothing else, with its SHA-256
# For another processor: make static TARGET=aarch64-unknown-linux-musl (Debian: gcc-aarch64-linux-gnu).
# The file may not grow unnoticed. Where the musl target cannot be had: gnu, with name lookup pinned to files and DNS (src/nss.rs).
STATIC_LIMIT ?= 5500000
static:
	@mkdir -p '$(DIST)'
	@if $(call HAS_TARGET,$(TARGET)); then \
	  $(BUILD_MUSL) --release && cp '$(TARGET_DIR)/$(TARGET)/release/image-tools' '$(DIST)/'; \
	elif [ $(TARGET_CPU) = $(HOST_CPU) ]; then \
	  echo "the target $(TARGET) cannot be had: building for $(GNU)" >&2; \
	  $(BUILD_GNU) --release && cp '$(TARGET_DIR)/static-gnu/$(GNU)/release/image-tools' '$(DIST)/'; \
	else \
	  echo "the target $(TARGET) cannot be had" >&2; exit 1; \
	fi
	@size=$$(stat -c %s '$(DIST)/image-tools'); if [ $$size -gt $(STATIC_LIMIT) ]; then \
	  echo "$(DIST)/image-tools has $$size bytes, more than $(STATIC_LIMIT): find out what grew, or raise STATIC_LIMIT" >&2; exit 1; \
	fi
	cd '$(DIST)' && sha256sum image-tools >image-tools.sha256

## make install        binary, man page, completions under $(DESTDIR)$(PREFIX); PREFIX is /usr/local
# Installs what `make` built; IMAGE_TOOLS_BIN names another binary, for example that of `make static`.
# Builds first, unless there is no cargo, as under sudo.
PREFIX ?= /usr/local
ROOT = $(DESTDIR)$(PREFIX)
IMAGE_TOOLS_BIN ?=
INSTALL_FROM = $(or $(IMAGE_TOOLS_BIN),$(BIN))
MAN_PAGE := share/man/man1/image-tools.1
BASH_COMPLETION := share/bash-completion/completions/image-tools
ZSH_COMPLETION := share/zsh/site-functions/_image-tools
FISH_COMPLETION := share/fish/vendor_completions.d/image-tools.fish
.PHONY: install uninstall
install: $(if $(IMAGE_TOOLS_BIN),,$(if $(shell command -v $(CARGO)),all))
	install -D -m 755 '$(INSTALL_FROM)' '$(ROOT)/bin/image-tools'
	umask 022 && cd '$(ROOT)' && \
	mkdir -p $(dir $(MAN_PAGE) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)) && \
	bin/image-tools man >$(MAN_PAGE) && \
	bin/image-tools completion bash >$(BASH_COMPLETION) && \
	bin/image-tools completion zsh >$(ZSH_COMPLETION) && \
	bin/image-tools completion fish >$(FISH_COMPLETION)

## make uninstall      removes them, with the same PREFIX and DESTDIR
uninstall:
	cd '$(ROOT)' && rm -f bin/image-tools $(MAN_PAGE) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)

## make dist           a release in dist/: tarballs, deb, rpm, OCI image, SBOMs, SHA256SUMS
# For each processor whose target and C compiler can be had (Debian: gcc-aarch64-linux-gnu). Reproducible:
# fixtures/packaging/ has the scripts, and says of what the bytes depend.
DIST_TARGETS ?= x86_64-unknown-linux-musl aarch64-unknown-linux-musl
.PHONY: dist dist-tools dist-check release-binary sign
dist: dist-tools
	@for target in $(DIST_TARGETS); do \
	  cpu=$${target%%-*}; compiler=gcc; [ $$cpu = $(HOST_CPU) ] || compiler=$$cpu-linux-gnu-gcc; \
	  if ! command -v $$compiler >/dev/null; then echo "no release for $$target: no $$compiler" >&2; continue; fi; \
	  if ! $(call HAS_TARGET,$$target); then echo "no release for $$target: the target cannot be had" >&2; continue; fi; \
	  binary=$$(CARGO='$(CARGO)' PATH="$(TOOLS)/bin:$$PATH" fixtures/packaging/build.sh $$target) || exit; \
	  binaries="$$binaries $$target=$$binary"; \
	done; \
	CARGO='$(CARGO)' PATH="$(TOOLS)/bin:$$PATH" fixtures/packaging/package.sh '$(DIST)' $$binaries && cat '$(DIST)/SHA256SUMS'

# Called by build.sh, which sets the flags that make the binary reproducible.
release-binary:
	$(BUILD_MUSL) --release --locked

# The subcommands of cargo that make packages; not as fast as they could be, but built in half the time.
DIST_TOOLS := cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9 cargo-deb@3.8.0 cargo-generate-rpm@0.21.1
dist-tools:
	@CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
	$(CARGO) install --quiet --locked --root '$(TOOLS)' --target-dir '$(TARGET_DIR)/tools-build' $(DIST_TOOLS)

## make dist-check     two releases, from two directories by two users, have the same bytes; packages install
dist-check: dist-tools dist-check-tools
	CARGO='$(CARGO)' DIST_TARGETS='$(DIST_TARGETS)' fixtures/packaging/check.sh '$(TARGET_DIR)' '$(TOOLS)'
	PATH="$(TOOLS)/bin:$$PATH" $(CARGO) test --test image-tools -- --include-ignored release::

DIST_CHECK_PACKAGES := rpm cpio minisign gpg
.PHONY: dist-check-tools
dist-check-tools:
	@for program in $(DIST_CHECK_PACKAGES); do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	else \
	  echo "the checks need:$$missing; install them with  apt-get install$$missing" >&2; exit 1; \
	fi

## make sign KEY=...   a detached signature beside SHA256SUMS; KEY: a file of minisign, or a name for gpg
sign:
	@cd '$(DIST)' && if [ -z '$(KEY)' ]; then \
	  echo "KEY is needed: a file of minisign's, or the name of a key of gpg's" >&2; exit 1; \
	elif [ -f '$(abspath $(KEY))' ]; then \
	  minisign -S -s '$(abspath $(KEY))' -m SHA256SUMS; \
	else \
	  gpg --yes --armor --local-user '$(KEY)' --output SHA256SUMS.asc --detach-sign SHA256SUMS; \
	fi

## make clean          removes what was built
clean:
	$(CARGO) clean
	rm -rf '$(DIST)'
