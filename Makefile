# The house around cargo. `make` lists what there is; a machine needs Rust, gcc, make and binutils, nothing else.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
# Bench: rounds. Default of scripts/bench.
ROUNDS ?= 15
# Fuzz: seconds for each target, and how many at a time.
SECONDS ?= 60
JOBS ?= 4

target := $(or $(CARGO_TARGET_DIR),target)
release := $(target)/release

.PHONY: help build demo test check fmt lint loom library fuzz bench scale compat faults dist package deny sbom install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

build: ## target/release/libshim.so and target/release/shim
	$(CARGO) build --release --locked

demo: build ## a program that closes another thread's socket, and what shim says of it
	@scripts/demo

test: build ## all tests: of every crate, and the C tests under the library of `make build`
	$(CARGO) test --workspace --locked --no-fail-fast

check: fmt lint library loom test fuzz ## what must hold before a change is merged

fmt: ## the layout of the sources
	$(CARGO) fmt --all --check

lint: ## clippy, all targets, no warning
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# A target directory of its own: the flag would make cargo build everything anew, there and back.
loom: ## every interleaving of the tracker's transitions
	CARGO_TARGET_DIR=$(target)/loom RUSTFLAGS="--cfg loom" $(CARGO) test --locked -p track --release --test loom

library: build ## size, needs, exports and entry points of libshim.so
	@scripts/check-library $(release)/libshim.so $(release)/shim

fuzz: build ## what is read, and random programs against a model; SECONDS=60 for each target
	@JOBS=$(JOBS) scripts/fuzz $(SECONDS)

bench: build ## what it costs: native, observe, protect, and peers where present; ROUNDS=15, PAGE=docs/benchmarks.md for a page
	@$(if $(PAGE),scripts/bench-page $(PAGE) $(ROUNDS),scripts/bench $(ROUNDS) && scripts/bench-heap && scripts/bench-locks && scripts/bench-tiers)

scale: build ## snapshots of a program with 100000 descriptors: how long, and does it stand still
	@scripts/check-scale

compat: build ## real programs, with and without shim; and the C tests on other libcs, which want `make dist` and root
	@scripts/compat
	@scripts/libc-matrix

dist: ## for old systems and other architectures, into dist/; ARCHES="x86_64 i686 aarch64"
	@scripts/dist $(ARCHES)

package: ## a .deb and an .rpm of what `make dist` made
	@scripts/package

deny: ## licences and sources of dependencies; wants cargo-deny
	@cargo deny --version > /dev/null 2>&1 || { echo "deny: no cargo-deny; expected: cargo install cargo-deny" >&2; exit 1; }
	@cargo deny --locked check licenses bans sources

sbom: ## what the library and the command are made of, into dist/; wants cargo-cyclonedx
	@scripts/sbom

faults: build ## what must not harm a watched program, nor lose what was found; root, six minutes
	@scripts/check-faults

install: ## what `make build` made, into PREFIX=/usr/local under DESTDIR
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" scripts/install $(release)

uninstall: ## out of PREFIX=/usr/local under DESTDIR again
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" scripts/install $(release) --remove

clean: ## everything that was built
	$(CARGO) clean
