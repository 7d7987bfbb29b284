# An image with nothing in it but the program: some 40 MB, no shell, not root.
#
#   docker build -t flotilla .            compiles in a container; needs the golang image
#
# Without any registry, with the Go of this machine:
#
#   CGO_ENABLED=0 go build -trimpath -tags grpcnotrace,nethttpomithttp2 -ldflags "-s -w" -o flotilla ./cmd/flotilla && docker build -t flotilla --target local .
#
# docs/deploy.md says how to run it.

# What both ways of building share. It stands first so that old builders, which build
# all stages above the target, need not pull golang for "local".
FROM scratch AS base
# An empty folder that belongs to the user below: volumes begin as copies of it.
COPY --chown=65532:65532 deploy/data /data
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# On all addresses of the container: the node then refuses to start without TLS and a
# password, or FLOTILLA_INSECURE=true.
ENV FLOTILLA_DIR=/data \
    FLOTILLA_LISTEN_STORE=0.0.0.0:6379 \
    FLOTILLA_LISTEN_QUEUE=0.0.0.0:9324 \
    FLOTILLA_LISTEN_HTTP=0.0.0.0:8080 \
    FLOTILLA_LISTEN_PEER=0.0.0.0:7001
VOLUME /data
EXPOSE 6379 9324 8080 7001
ENTRYPOINT ["/flotilla"]
CMD ["node"]
# Healthy means that it serves, not only that it lives.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/flotilla", "health"]

FROM base AS local
COPY flotilla /flotilla

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags grpcnotrace,nethttpomithttp2 -ldflags "-s -w" -o /flotilla ./cmd/flotilla

FROM base
COPY --from=build /flotilla /flotilla
