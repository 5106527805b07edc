# What every peer's script needs to know. The app reads POSTGRES_…, as in our image.
set -e
cd /code
export POSTGRES_HOST=/dev/shm/peer POSTGRES_DB=mathesar_django POSTGRES_USER=mathesar
data=/var/lib/mathesar/postgres
bin=/usr/lib/postgresql/17/bin

as() {
  local user=$1
  shift
  exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
}

make_cluster() {
  install -d -o postgres -g postgres "$POSTGRES_HOST"
  if [ -s "$data/PG_VERSION" ]; then return; fi
  install -d -o postgres -g postgres -m 700 "$data"
  (as postgres "$bin/initdb" --pgdata "$data" --username=postgres --auth=trust --data-checksums --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=und --no-sync >&2)
  sync --file-system "$data"
  echo 'bench: cluster made'
}

postgres() { as postgres "$bin/postgres" -D "$data" -c config_file=/bench/postgresql.conf; }

# Waits for Postgres and brings the database to this Mathesar. Static files are in the image already.
migrate() {
  until "$bin/pg_isready" --quiet --host "$POSTGRES_HOST"; do sleep 0.02; done
  local query="psql --quiet --no-psqlrc --tuples-only --no-align --host $POSTGRES_HOST --username postgres --command"
  [ "$($query "SELECT 1 FROM pg_roles WHERE rolname = 'mathesar'")" ] || $query 'CREATE ROLE mathesar LOGIN CREATEDB CREATEROLE'
  [ "$($query "SELECT 1 FROM pg_database WHERE datname = 'mathesar_django'")" ] || $query 'CREATE DATABASE mathesar_django OWNER mathesar'
  (SKIP_STATIC_COLLECTION=true as mathesar python3 -m mathesar.install >&2)
  echo 'bench: migrated'
}

# One import for all workers, as ours.
gunicorn() { as mathesar python3 -m gunicorn config.wsgi --bind "$BIND_ADDRESS:$PORT" --chdir /code --preload --worker-tmp-dir /dev/shm --timeout 300; }
