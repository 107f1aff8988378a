# The vault as a container: vaultd by default, vaultctl beside it.
#
#   docker build -t customer-data-vault .
#   docker run --rm -v vault-keys:/var/lib/vault -v /etc/vault:/etc/vault:ro -p 8443:8443 \
#       -e VAULT_DATABASE_URL="host=db dbname=vault user=vault_service ..." customer-data-vault
#
# Keys are made once, into the volume, by:
#   docker run --rm -v vault-keys:/var/lib/vault customer-data-vault vaultctl key init
# and the schema, as its owner, by:
#   docker run --rm -e VAULT_MIGRATE_URL="host=db dbname=vault user=vault_owner ..." customer-data-vault vaultctl migrate

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev make pkg-config libssl-dev libpq-dev libjansson-dev libmicrohttpd-dev libgnutls28-dev libutf8proc-dev libarchive-dev \
        libcurl4-openssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY .dev/embed.sh .dev/vaultd.service .dev/
COPY include include
COPY policy policy
COPY sql sql
COPY vault vault
RUN make -j"$(nproc)" all && make install prefix=/usr DESTDIR=/out \
    && strip --strip-unneeded /out/usr/sbin/vaultd /out/usr/bin/vaultctl \
    && rm -rf /out/usr/lib/systemd

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        libssl3 libpq5 libjansson4 libmicrohttpd12 libgnutls30 libutf8proc2 libarchive13 libcurl4 postgresql-client ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 990 vault \
    && useradd --system --uid 990 --gid vault --home-dir /var/lib/vault --shell /usr/sbin/nologin vault \
    && install -d -o vault -g vault -m 0700 /var/lib/vault
COPY --from=build /out/usr/ /usr/
ENV VAULT_LISTEN_ADDRESS=0.0.0.0 \
    VAULT_TLS_CERTIFICATE=/etc/vault/server.pem \
    VAULT_TLS_KEY=/etc/vault/server.key \
    VAULT_TRUST_BUNDLES=/etc/vault/bundles \
    VAULT_KEYRING=/var/lib/vault/keyring \
    VAULT_ROOT_KEY=/var/lib/vault/root
# By number, so that a runtime that insists on a user other than root can tell.
USER 990:990
WORKDIR /var/lib/vault
VOLUME /var/lib/vault
EXPOSE 8443
STOPSIGNAL SIGTERM
# The operations listener is on loopback inside the container. bash is part of the image; curl is not.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${VAULT_OPERATIONS_PORT:-9443} && printf 'GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r -t 2 _ status _ <&3 && [ \"$status\" = 200 ]"]
CMD ["vaultd"]
