# make test    everything that must hold: format, lints, licences, unit, simulation, CLI and interop tests (root)
# make demo    two ISPs, two sites, an inside and a switch, in namespaces of its own; HOLD=1 leaves it open to try `shunt` by hand
# make build   debug build of the three programs; `make release` for the optimised one
# make check   the part of `make test` that needs no privilege and no peers
# make interop the daemon against FRR, BIRD, GoBGP, OpenBGPD and ExaBGP (root); ONLY=name runs the tests whose name contains it
# make bench   the benchmarks of docs/performance.md; `make tables` only those with full tables
#
# Each does its own set-up (integration/setup): a fresh Debian needs only make and the Rust toolchain.

CARGO ?= cargo
# Interop tests mostly wait for timers, so a few more of them than cores run side by side.
INTEROP_JOBS ?= 4
# `make demo PROFILE=release` runs the optimised build.
PROFILE ?= dev
ONLY ?=
TABLES ?=

target_dir := $(or $(CARGO_TARGET_DIR),target)
built := $(target_dir)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

.PHONY: test check format lint unit interop demo build release bench tables setup-build setup-demo setup-test

test: setup-test check interop

check: format lint unit

setup-build setup-demo setup-test: setup-%:
	@integration/setup $*

format: setup-build
	$(CARGO) fmt --check

lint: setup-build
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --test interop -- -D warnings

# The interop target has `test = false`, so this runs all the others: licences, layering, unit, simulation, CLI.
unit: setup-build
	$(CARGO) test --locked

interop: setup-test
	$(CARGO) test --locked --test interop -- --test-threads=$(INTEROP_JOBS) $(ONLY)

demo: setup-demo
	$(CARGO) build --locked --profile $(PROFILE) --bins
	$(built)/shunt-lab demo $(if $(filter-out 0,$(HOLD)),--hold)

build: setup-build
	$(CARGO) build --locked --bins

# The command is linked statically: the loader would cost 0.2 ms of every order (docs/performance.md). The daemon starts
# once and stays as it is.
release: setup-build
	$(CARGO) build --locked --release --bins
	$(CARGO) rustc --locked --release --bin shunt -- -C target-feature=+crt-static

# The daemons of `announce`, `tables`, `area`, `failover` and `checks` get in each other's way if anything else runs: use a quiet machine. Cargo links
# a `shunt` of its own for a benchmark; the one that is measured is the one that is shipped.
bench: setup-test release
	cp $(target_dir)/release/shunt $(target_dir)/shipped-shunt
	SHUNT_COMMAND=$(abspath $(target_dir)/shipped-shunt) \
	  $(CARGO) bench --locked --bench codec --bench rib --bench kernel --bench ospf_routes \
	  --bench announce --bench tables --bench area --bench failover --bench checks

# About an hour and a half. What is measured can be chosen: TABLES="feedloss kernel --only shunt,bird --rounds 1".
tables: setup-test release
	cp $(target_dir)/release/shunt $(target_dir)/shipped-shunt
	SHUNT_COMMAND=$(abspath $(target_dir)/shipped-shunt) $(CARGO) bench --locked --bench tables -- $(TABLES)
