# The console's files are the same on every machine, so they are built once, on the one that builds.
FROM --platform=$BUILDPLATFORM node:24-trixie-slim AS console
WORKDIR /src/admin-web
COPY admin-web/package.json admin-web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY admin-web ./
RUN npm run build

FROM rust:1.95-slim-trixie AS chef
WORKDIR /src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo install cargo-chef --locked --version 0.1.78

# What the dependencies are: this changes when they do.
FROM chef AS plan
COPY Cargo.toml Cargo.lock ./
COPY proto proto
COPY services services
COPY gateway gateway
RUN cargo chef prepare --recipe-path recipe.json

# The dependencies, and then the product.
FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo chef cook --release --locked --recipe-path recipe.json
COPY Cargo.toml Cargo.lock ./
COPY proto proto
COPY services services
COPY gateway gateway
COPY --from=console /src/admin-web/dist admin-web/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked \
    && cp target/release/grok2api /grok2api \
    && mkdir /data

# glibc and certificates, no shell; Debian 13 like the builder.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /grok2api /usr/local/bin/grok2api
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /data /data
ENV G2A_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["grok2api", "healthcheck"]
ENTRYPOINT ["grok2api"]
CMD ["serve"]
