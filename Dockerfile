# A replica over your own Postgres: docker-compose.yml shows the whole. The built-in Postgres is for trials on a
# machine and is left out of the image on purpose.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV SQLX_OFFLINE=true
# The dependencies alone, so that a change of ours does not compile them again.
COPY Cargo.toml Cargo.lock build.rs ./
RUN mkdir -p src tests/it migrations && echo 'fn main() {}' > src/main.rs && touch src/lib.rs tests/it/main.rs \
    && cargo build --locked --release && rm -r src tests
COPY . .
# The files above must count as newer than what was built from the empty ones.
RUN touch src/main.rs src/lib.rs build.rs && cargo build --locked --release --bin portreeve

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin portreeve
COPY --from=build /src/target/release/portreeve /usr/local/bin/portreeve
USER 10001
ENV PORTREEVE_LISTEN=0.0.0.0:8080 PORTREEVE_METRICS_LISTEN=0.0.0.0:9090 PORTREEVE_LOG_FORMAT=json
EXPOSE 8080 9090
# Requests are drained for up to 25 seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["portreeve"]
CMD ["serve"]
