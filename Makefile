# `make run` starts Portreeve with its own private Postgres; `make test` runs all tests. Both first see to what they
# need (scripts/prepare), which takes no time when nothing is missing.
#
# `make run` builds the dev profile: it compiles in half the time of the release profile, shares all its work with
# `make test`, and hashes passwords at full speed, because the crates that do so are optimized in it as well. For
# production build with `make release`, or the Dockerfile.

CARGO ?= cargo
# Statements are checked against .sqlx, even where DATABASE_URL is set for the program itself.
export SQLX_OFFLINE = true

.DEFAULT_GOAL := run
.PHONY: run test check fmt release

# Arguments go into ARGS: make run ARGS="--listen 127.0.0.1:8081"
run:
	@scripts/prepare run
	@$(CARGO) build --locked --bin portreeve
	@exec "$${CARGO_TARGET_DIR:-target}/debug/portreeve" serve $(ARGS)

test:
	@scripts/prepare test
	$(CARGO) test --locked $(ARGS)

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

fmt:
	$(CARGO) fmt

release:
	$(CARGO) build --locked --release
