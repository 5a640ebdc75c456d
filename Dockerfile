# Both images from one build:
#   docker build --target operator -t keywright.dev/operator:v0.1.0 .
#   docker build --target server   -t keywright.dev/server:v0.1.0   .
# `make images` builds them without Docker.

# The compiler runs on the builder's platform and compiles for the target's, without emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src

# Modules change less often than sources, so their layer is cached.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod \
    go mod download

COPY api api
COPY cmd cmd
COPY controllers controllers
COPY internal internal

# The version is an argument: there is no git history in here.
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -pgo=cmd/server/release.pgo -ldflags "-s -w -X main.version=$VERSION" -o /out/ ./cmd/operator ./cmd/server

FROM gcr.io/distroless/static:nonroot AS operator
COPY --from=build /out/operator /operator
# As a number: a cluster that requires non-root users cannot check a name.
USER 65532:65532
ENTRYPOINT ["/operator"]

FROM gcr.io/distroless/static:nonroot AS server
COPY --from=build /out/server /server
USER 65532:65532
ENTRYPOINT ["/server"]
