FROM golang:1.26 AS build
WORKDIR /src
# Modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# No paths, symbols, build id or version control data: the same source gives
# the same binary.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o /out/icims-export ./cmd/icims-export
# Redis, another user, reads what is in /acl.
RUN mkdir -p /out/root/keys /out/root/acl && chmod 700 /out/root/keys && chmod 755 /out/root/acl

FROM scratch
# Two files: the authorities that sign iCIMS's certificates, and a static binary. And
# two folders: a volume that is mounted there belongs to the user who runs it.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/icims-export /icims-export
COPY --from=build --chown=65532:65532 /out/root/ /
USER 65532:65532
ENTRYPOINT ["/icims-export"]
CMD ["worker"]
