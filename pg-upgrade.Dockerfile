# The image with two Postgres servers, which brings a volume from one major version to the next:
#   docker build -t mathesar-one:from-15 -f pg-upgrade.Dockerfile .
#   docker build -t mathesar-one:from-16 -f pg-upgrade.Dockerfile --build-arg OLD=postgres:16-trixie --build-arg MAJOR=16 .
# Then, on a volume with which exit code 33 ends the start:
#   docker run --rm -v mathesar:/var/lib/mathesar mathesar-one:from-15 upgrade-postgres
# It has a file of its own, for a build without BuildKit makes every stage of a file.
ARG IMAGE=mathesar-one
ARG OLD=debian:bookworm-slim

# Debian has a server in each release; the official images of Postgres have theirs in the same places.
FROM ${OLD} AS old
ARG MAJOR=15
RUN [ -x /usr/lib/postgresql/${MAJOR}/bin/postgres ] \
 || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-${MAJOR}; }
# Without the JIT, as in ours, and with every library that its programs and extensions name.
RUN mkdir -p /old/lib /old/share /old/libraries \
 && cp -r /usr/lib/postgresql/${MAJOR} /old/lib/ && cp -r /usr/share/postgresql/${MAJOR} /old/share/ \
 && rm -rf /old/lib/${MAJOR}/lib/llvmjit* /old/lib/${MAJOR}/lib/bitcode \
 && find /old/lib -type f \( -name '*.so' -o -perm /111 \) -exec ldd {} + 2>/dev/null \
    | sed -n 's|.* => \(/[^ ]*\) .*|\1|p' | sort -u | xargs -I{} cp -L {} /old/libraries/ \
 && [ -n "$(ls /old/libraries)" ]

FROM ${IMAGE}
COPY --from=old /old/lib /usr/lib/postgresql
COPY --from=old /old/share /usr/share/postgresql
COPY --from=old /old/libraries /tmp/libraries
# Only what this Debian does not have: our own programs go on with theirs.
RUN ldconfig -p | sed -n 's|^[[:space:]]*\([^ ]*\) .*|\1|p' | sort -u > /tmp/known \
 && mkdir /usr/lib/postgresql/libraries && cd /tmp/libraries \
 && for name in *; do grep -qxF "$name" /tmp/known || cp "$name" /usr/lib/postgresql/libraries/; done \
 && rm -r /tmp/libraries /tmp/known \
 && echo /usr/lib/postgresql/libraries > /etc/ld.so.conf.d/old-postgres.conf && ldconfig
