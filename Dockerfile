# syntax=docker/dockerfile:1
# The build's Debian is the runtime's, so that both have the same libc.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin holdbook \
    && install -D target/release/holdbook /out/holdbook

FROM debian:bookworm-slim
# Roots for TLS to Redis, Postgres and an OTLP collector.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/holdbook /usr/local/bin/holdbook
# By number, so that Kubernetes' runAsNonRoot can see that it is not root. The service writes no files.
USER 65532:65532
# gRPC, admin (/healthz, /readyz, /metrics).
EXPOSE 7600 7601
ENTRYPOINT ["holdbook"]
CMD ["serve"]
