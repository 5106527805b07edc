# Mathesar in one container. Classic syntax: Docker 20.10 without BuildKit builds it.
#   docker build -t mathesar-one .                       everything, with its own Postgres
#   docker build --target lean -t mathesar-one:lean .    the same without a Postgres server
ARG MATHESAR_IMAGE=mathesar/mathesar:0.10.1

FROM node:24-trixie-slim AS bundle
WORKDIR /build
COPY package.json package-lock.json tsconfig.json ./
# Only what the bundle contains, and esbuild, which builds it. No install scripts: esbuild and koffi bring their binaries as packages.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY scripts scripts
COPY src src
RUN npm run build

FROM ${MATHESAR_IMAGE} AS mathesar

FROM debian:trixie-slim AS base
# Fixed ids, and before Debian's packages make their own: volumes outlive images.
RUN groupadd --system --gid 5432 postgres && groupadd --system --gid 8000 mathesar \
 && useradd --system --uid 5432 --gid postgres --home-dir /var/lib/postgresql --no-create-home --shell /usr/sbin/nologin postgres \
 && useradd --system --uid 8000 --gid mathesar --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin mathesar
# nano-tiny is for `supervisor config edit`. The libraries are those that Mathesar's Python and its packages link (or load: libcairo2); the check below names a missing one.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates media-types tzdata postgresql-client-17 nano-tiny \
      libbz2-1.0 libcairo2 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8t64 libsqlite3-0 libssl3t64 \
      libstdc++6 libuuid1 libzstd1 zlib1g zstd \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/apt /var/log/dpkg.log
COPY --from=mathesar /usr/local /usr/local
COPY --from=mathesar /code /code
# MATHESAR_IMAGE may bring another Node; ours lies where no PATH finds it.
COPY --from=node:24-trixie-slim /usr/local/bin/node /usr/local/lib/supervisor/node
WORKDIR /code
ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=config.settings.production
# Once here and not at each start. SECRET_KEY is given because Mathesar else writes one into /code/.secrets.
RUN ldconfig \
 && SECRET_KEY=build python3 manage.py collectstatic --noinput \
 && python3 -m compileall -q -j 0 /code "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY rootfs/ /
COPY --from=bundle /build/dist /usr/local/lib/supervisor
# Any user may write below /var/lib/mathesar and /run/mathesar. The latter is in /dev/shm, which is writable
# in every container, with --read-only too; a tmpfs mounted on /run gets the mode that /run has here. Mathesar looks for its two optional files in /code: the checked copies are linked there.
RUN python3 -m compileall -q config \
 && mkdir -p /usr/local/share/supervisor && mkdir -m 1777 /var/lib/mathesar \
 && ln -s /dev/shm/mathesar /run/mathesar && chmod 1777 /run \
 && ln -s /run/mathesar/app/sso.yml /run/mathesar/app/file_storage.yml /code/
# Everything copied must find its libraries here: the images that it comes from have more packages than this one.
# Wheels bring libraries of their own in *.libs; nobody uses _tkinter, _dbm and _gdbm.
RUN export LD_LIBRARY_PATH="$(find /usr/local -name '*.libs' -type d | tr '\n' ':')"; \
    find /usr/local /code -type f \( -name '*.so*' -o -name '*.node' -o -perm /111 \) ! -name '_tkinter.*' ! -name '_dbm.*' ! -name '_gdbm.*' \
      -exec sh -c 'for file; do ldd "$file" 2>/dev/null | sed -n "s|^[[:space:]]*\(.*\) => not found|$file lacks \1|p"; done' sh {} + > /tmp/lacks; \
    if [ -s /tmp/lacks ]; then cat /tmp/lacks; exit 1; fi; rm /tmp/lacks
VOLUME /var/lib/mathesar
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 CMD ["supervisor", "health"]
ENTRYPOINT ["/usr/local/bin/supervisor"]
CMD ["run"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Mathesar in one container" \
      org.opencontainers.image.description="Mathesar, its Postgres and a supervisor: one container, one volume, no questions" \
      org.opencontainers.image.licenses="GPL-3.0-only" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM base AS baked
# Debian's package would make a cluster: it must not. Its JIT (and the 120 MB of LLVM that it needs) goes again:
# Postgres runs without it as with jit = off.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-common \
 && sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-17 \
 && rm -rf /usr/lib/postgresql/17/lib/llvmjit* /usr/lib/postgresql/17/lib/bitcode /usr/lib/*/libLLVM* /usr/lib/llvm-* /usr/lib/*/libz3.so* \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/apt /var/log/dpkg.log
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/17/bin
# A migrated cluster as a template, and the list of its migrations: a first boot then copies files instead of running initdb and them.
# What of the supervisor ran meanwhile is kept compiled.
RUN supervisor bake

FROM base AS lean
COPY --from=baked /usr/local/share/supervisor/migrations.json /usr/local/share/supervisor/
COPY --from=baked /usr/local/lib/supervisor/supervisor.cjs.cache /usr/local/lib/supervisor/

# The last stage is what a plain `docker build` makes.
FROM baked AS full
