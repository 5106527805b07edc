# Mathesar in one container. Classic syntax: Docker 20.10 without BuildKit builds it.
#   docker build -t mathesar-one .                       everything, with its own Postgres
#   docker build --target lean -t mathesar-one:lean .    the same without a Postgres server
# Both begin empty. Their layers go from what seldom changes to what often does: Debian, Postgres, Mathesar,
# Node, the supervisor, what it bakes. All but the last are the same, byte for byte, in each build of the same
# parts (npm run reproduce), so an upgrade pulls only those that changed.
ARG MATHESAR_IMAGE=mathesar/mathesar:0.11.0
# The time of our own files. Those of others have theirs.
ARG SOURCE_DATE_EPOCH=1795651200

FROM node:24-trixie-slim AS supervisor
WORKDIR /build
COPY package.json package-lock.json tsconfig.json ./
# Only what the bundle contains, and esbuild, which builds it. No install scripts: esbuild and koffi bring their binaries as packages.
# Without --legacy-peer-deps valibot would bring TypeScript, 30 MB, which it names as an optional peer.
RUN npm ci --omit=dev --legacy-peer-deps --ignore-scripts --no-audit --no-fund
COPY scripts scripts
COPY src src
COPY rootfs /supervisor
ARG SOURCE_DATE_EPOCH
RUN npm run build && mv dist/packages.json scripts/sbom.mjs / \
 && mkdir -p /supervisor/usr/local/lib && mv dist /supervisor/usr/local/lib/supervisor \
 && chmod -R u=rwX,go=rX /supervisor \
 && find /supervisor -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Without the names of its own functions, 18 MB, which only a debugger of C++ reads; those of JavaScript stay.
FROM debian:trixie-slim AS stripped
RUN apt-get update && apt-get install -y --no-install-recommends binutils
COPY --from=node:24-trixie-slim /usr/local/bin/node /node/usr/local/lib/supervisor/
RUN cd /node/usr/local/lib/supervisor && strip --preserve-dates node \
 && find /node -type d -exec touch --reference=node {} +

FROM ${MATHESAR_IMAGE} AS mathesar

FROM debian:trixie-slim AS debian
COPY scripts/unpack.sh scripts/same-times.sh scripts/compress-static.sh /
RUN touch /began
# The first lines are a Debian to work in; bsdutils has `script`, which gives psql and manage.py a terminal of
# their own; nano-tiny is for `supervisor config edit`. The libraries are those
# that Mathesar's Python and its packages link (or load: libcairo2); a check below names a missing one.
RUN sh /unpack.sh /system \
      base-files bash coreutils dash debianutils findutils grep gzip hostname libc-bin mawk ncurses-base netbase \
      perl-base procps sed tar tzdata util-linux bsdutils ca-certificates media-types zstd \
      postgresql-client-17 nano-tiny nginx libnginx-mod-http-brotli-static openssl \
      libbz2-1.0 libcairo2 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8t64 libsqlite3-0 libssl3t64 \
      libstdc++6 libuuid1 libzstd1 zlib1g
RUN sh /unpack.sh /brotli brotli
# Without its JIT Postgres runs as with jit = off.
RUN sh /unpack.sh /postgres postgresql-17 \
 && rm -r /postgres/usr/lib/postgresql/17/lib/llvmjit* /postgres/usr/lib/postgresql/17/lib/bitcode
# The locale of the databases in most other images of Postgres: `CREATE DATABASE … LOCALE 'en_US.utf8'`, as
# their dumps have it, works here too.
RUN cd /tmp && apt-get download locales && dpkg-deb --extract locales_*.deb locales && rm locales_*.deb \
 && mkdir -p /postgres/usr/lib/locale \
 && I18NPATH=/tmp/locales/usr/share/i18n localedef --prefix=/postgres -i en_US -f UTF-8 en_US.UTF-8
# What an installation would have left, as far as it is needed: programs under the names that people type, the
# list of certificates (chroot has no /dev, so /dev/null becomes a file), where names are looked up, the time
# zone.
WORKDIR /system
RUN ln -s mawk usr/bin/awk && ln -s more usr/bin/pager && ln -s nano-tiny usr/bin/editor \
 && ln -s which.debianutils usr/bin/which \
 && find usr/share/ca-certificates -name '*.crt' -printf '%P\n' | sort > etc/ca-certificates.conf \
 && chroot . update-ca-certificates && rm -f dev/null \
 && cp usr/share/libc-bin/nsswitch.conf etc/ && ln -s /usr/share/zoneinfo/Etc/UTC etc/localtime
# The ids of our users are fixed: volumes outlive images.
RUN cp /usr/share/base-passwd/passwd.master etc/passwd && cp /usr/share/base-passwd/group.master etc/group \
 && printf '%s\n' postgres:x:5432: mathesar:x:8000: door:x:8001: >> etc/group \
 && printf '%s:/bin/false\n' >> etc/passwd \
      postgres:x:5432:5432::/var/lib/postgresql mathesar:x:8000:8000::/nonexistent \
      door:x:8001:8001::/nonexistent
# Any user may write below /var/lib/mathesar and /run/mathesar. The latter is in /dev/shm, which is writable
# in every container, with --read-only too; a tmpfs mounted on /run gets the mode that /run has here.
RUN mkdir -m 1777 var/lib/mathesar && ln -s /dev/shm/mathesar run/mathesar && chmod 1777 run \
 && rm -r var/run var/lock && ln -s ../run var/run
# Where Debian's programs look for the server: `docker exec … pg_dump -U postgres` finds it.
RUN ln -s mathesar/postgres run/postgresql
RUN for layer in /system /postgres; do sh /same-times.sh /began $layer; done

# What both images say of themselves.
FROM scratch AS image
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/17/bin \
    LANG=C.UTF-8 PERL_BADLANG=0 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=config.settings.production
VOLUME /var/lib/mathesar
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=24h --retries=3 CMD ["supervisor", "health"]
ENTRYPOINT ["/usr/local/bin/supervisor"]
CMD ["run"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Mathesar in one container" \
      org.opencontainers.image.description="Mathesar, its Postgres and a supervisor: one container, one volume, no questions" \
      org.opencontainers.image.licenses="GPL-3.0-only" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# Mathesar and its Python, and what is made of them once here and not at each start.
FROM image AS app
COPY --from=debian /system /
COPY --from=debian /same-times.sh /compress-static.sh /
COPY --from=debian /brotli /
# Root's, also where a user of that image had it (its target `minimal`): a number means somebody else here.
COPY --from=mathesar --chown=0:0 /usr/local /usr/local
COPY --from=mathesar --chown=0:0 /code /code
WORKDIR /code
# Nothing is installed, compiled, or drawn in a window.
RUN touch /began && ldconfig \
 && stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') \
 && cd "$stdlib" && rm -rf ensurepip idlelib tkinter turtledemo config-* site-packages/pip site-packages/pip-* \
      lib-dynload/_tkinter.* \
 && cd /usr/local && rm -rf include share/man man lib/pkgconfig bin/pip* bin/idle* bin/python*-config bin/*-gdb.py
# SECRET_KEY is given because Mathesar else writes one into /code/.secrets. Django's admin has files of its own,
# which Mathesar 0.12 only collects where it is on.
# It looks for its optional files in /code: the checked copies are linked there.
RUN SECRET_KEY=build MATHESAR_DJANGO_ADMIN_ENABLED=true python3 manage.py collectstatic --noinput \
 && sh /compress-static.sh static \
 && python3 -m compileall -q -j 0 /code "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && ln -s /run/mathesar/app/sso.yml /run/mathesar/app/file_storage.yml /run/mathesar/app/login_page.yml /code/ \
 && sh /same-times.sh /began /usr/local /code
# Everything copied must find its libraries here: the image that it comes from has more packages than this
# one. Wheels bring libraries of their own in *.libs; nobody uses _dbm and _gdbm.
RUN export LD_LIBRARY_PATH="$(find /usr/local -name '*.libs' -type d | tr '\n' ':')"; \
    find /usr/local /code -type f \( -name '*.so*' -o -name '*.node' -o -perm /111 \) \
      ! -name '_dbm.*' ! -name '_gdbm.*' \
      -exec sh -c 'for file; do \
        ldd "$file" 2>/dev/null | sed -n "s|^[[:space:]]*\(.*\) => not found|$file lacks \1|p"; done' sh {} + > /tmp/lacks; \
    if [ -s /tmp/lacks ]; then cat /tmp/lacks; exit 1; fi
# Into folders that are copied whole: the folder that a COPY names gets the time of the COPY.
RUN mkdir -p /python/usr /mathesar && mv /usr/local /python/usr/ && mv /code /mathesar/ \
 && touch --reference=/mathesar/code/manage.py /python/usr

FROM image AS lean-base
COPY --from=debian /system /
COPY --from=app /python /
COPY --from=app /mathesar /
WORKDIR /code
RUN ldconfig && rm /var/cache/ldconfig/* && touch --reference=manage.py /etc/ld.so.cache /etc /var/cache/ldconfig

FROM image AS full-base
COPY --from=debian /system /
COPY --from=debian /postgres /
COPY --from=app /python /
COPY --from=app /mathesar /
WORKDIR /code
RUN ldconfig && rm /var/cache/ldconfig/* && touch --reference=manage.py /etc/ld.so.cache /etc /var/cache/ldconfig
# MATHESAR_IMAGE may bring another Node; ours lies where no PATH finds it.
COPY --from=stripped /node /

# A migrated cluster as a template, and the list of its migrations: a first boot then copies files instead of
# running initdb and them. What of the supervisor ran meanwhile is kept compiled.
# No two clusters are the same: these are the layers that each build makes anew.
FROM full-base AS baked
COPY --from=supervisor /supervisor /
RUN supervisor bake
# What each of the two images contains, for those who look for vulnerable packages and for licenses.
ARG SOURCE_DATE_EPOCH
COPY --from=supervisor /sbom.mjs /packages.json /tmp/
COPY --from=debian /system/var/lib/dpkg/status /tmp/lean
RUN cp /var/lib/dpkg/status /tmp/full && cd /usr/local \
 && for image in lean full; do \
      /usr/local/lib/supervisor/node /tmp/sbom.mjs /tmp/$image /tmp/packages.json /$image/usr/share/sbom; \
      mkdir -p /$image/usr/local/lib/supervisor /$image/usr/local/share/supervisor; \
      cp lib/supervisor/supervisor.cjs.cache /$image/usr/local/lib/supervisor/; \
      cp share/supervisor/migrations.json /$image/usr/local/share/supervisor/; \
    done \
 && cp share/supervisor/cluster.tar.zst /full/usr/local/share/supervisor/ \
 && find /lean /full -exec touch --date="@$SOURCE_DATE_EPOCH" {} +

FROM lean-base AS lean
COPY --from=stripped /node /
COPY --from=supervisor /supervisor /
COPY --from=baked /lean /

# The last stage is what a plain `docker build` makes.
FROM full-base AS full
COPY --from=supervisor /supervisor /
COPY --from=baked /full /
