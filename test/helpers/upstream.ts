import { admin, dataFolder, image, mustDocker, newVolume } from './docker.ts'

/** An installation of another image: its volume has `cluster`, `secrets` and `media`. */
export type Upstream = {
  readonly volume: string
  /** What must be the same after an adoption: OIDs, rows, and more, as `readLibrary` gives them. */
  readonly before: string
}

/** All that people have in their database, with the numbers by which Mathesar keys what they built. */
export const readLibrary = `
  SELECT string_agg(format('%s %s.%s', c.oid, nspname, relname), E'\\n' ORDER BY c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384 AND nspname !~ '^pg_';
  SELECT oid, nspname FROM pg_namespace WHERE oid >= 16384 ORDER BY oid;
  SELECT count(*), sum(id), md5(string_agg(title, ',' ORDER BY id)) FROM shelf.book;
  SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('ann', 'o''dd "role') ORDER BY 1;`

/** One of each that somebody may own, or that must not change its owner. */
const library = `
  CREATE SCHEMA shelf;
  CREATE TYPE shelf.state AS ENUM ('new', 'old');
  CREATE TYPE shelf.pair AS (a int, b text);
  CREATE DOMAIN shelf.name AS text CHECK (VALUE <> '');
  CREATE TABLE shelf.book (id serial PRIMARY KEY, title text UNIQUE, state shelf.state, gone int);
  ALTER TABLE shelf.book DROP COLUMN gone;
  CREATE INDEX book_lower ON shelf.book (lower(title));
  INSERT INTO shelf.book (title) SELECT 'title ' || n FROM generate_series(1, 500) n;
  CREATE TABLE shelf."odd ""name" (id bigint GENERATED ALWAYS AS IDENTITY, made date)
    PARTITION BY RANGE (made);
  CREATE TABLE shelf.odd_2026 PARTITION OF shelf."odd ""name"
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE VIEW shelf.titles AS SELECT title FROM shelf.book;
  CREATE MATERIALIZED VIEW shelf.counted AS SELECT count(*) FROM shelf.book;
  CREATE SEQUENCE shelf.free;
  CREATE FUNCTION shelf.double(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
  CREATE PROCEDURE shelf.nothing() LANGUAGE sql AS 'SELECT 1';
  CREATE AGGREGATE shelf.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
  CREATE OPERATOR shelf.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
  CREATE COLLATION shelf.german (provider = icu, locale = 'de');
  CREATE INDEX book_german ON shelf.book (title COLLATE shelf.german);
  CREATE STATISTICS shelf.both ON title, state FROM shelf.book;
  CREATE TEXT SEARCH CONFIGURATION shelf.search (COPY = english);
  CREATE EXTENSION pg_trgm SCHEMA shelf;
  SELECT lo_create(4242);
  GRANT USAGE ON SCHEMA shelf TO ann;
  GRANT SELECT ON shelf.book TO ann;
  CREATE TABLE public.of_ann (id int); ALTER TABLE public.of_ann OWNER TO ann;`

/** What Mathesar's tables have and those of the sample app do not. */
const stored = (host: string, superuser: string): string => `
  INSERT INTO mathesar_server (host, port, sslmode)
    VALUES ('db.example.org', 5432, 'prefer'), ('${host}', 5432, 'prefer');
  INSERT INTO mathesar_database (name, last_confirmed_sql_version, server_id) VALUES ('library', '0.0.1', 2);
  UPDATE mathesar_configuredrole SET server_id = 2;
  INSERT INTO mathesar_configuredrole (name, password, server_id) VALUES
    ('mathesar', 'plain', 1)${superuser === 'mathesar' ? '' : ", ('mathesar', 'plain', 2)"};`

const django = (superuser: string): string => `
from django.contrib.auth import get_user_model
from mathesar.models import ConfiguredRole
get_user_model().objects.create_superuser('${admin.username}', 'a@example.org', '${admin.password}')
ConfiguredRole.objects.create(name='${superuser}', password='mathesar')
ConfiguredRole.objects.create(name='ann', password='the word of ann')`

type Options = {
  readonly superuser: 'postgres' | 'mathesar'
  readonly host: string
  /** Whether the server gets no time to stop. */
  readonly isKilled: boolean
}

const scriptOf = ({ superuser, isKilled }: Options): string => `
  cd ${dataFolder}; mkdir -m 755 cluster secrets media socket; chown postgres cluster; chmod 777 socket
  printf %s 'the secret key of upstream' > secrets/secret_key.txt; echo uploaded > media/file.csv
  as() { setpriv --reuid 5432 --regid 5432 --clear-groups "$@"; }
  export PGHOST=$PWD/socket PGUSER=${superuser} PGDATABASE=postgres
  echo mathesar > socket/word
  as initdb --pgdata cluster --username ${superuser} --pwfile socket/word --auth-host=scram-sha-256 \\
    --auth-local=trust --locale=en_US.UTF-8 --encoding=UTF8 > /dev/null
  mkdir config; mv cluster/postgresql.conf cluster/pg_*.conf config; chown -R postgres config
  start() {
    as pg_ctl start --wait --silent --pgdata cluster --log socket/log --options \\
      "-c config_file=$PWD/config/postgresql.conf -c hba_file=$PWD/config/pg_hba.conf -c port=54329 \\
       -c ident_file=$PWD/config/pg_ident.conf -c unix_socket_directories=$PWD/socket"
  }
  start; export PGPORT=54329
  psql -qc 'CREATE DATABASE mathesar_django' -c 'CREATE DATABASE library' \\
    -c "CREATE ROLE ann LOGIN PASSWORD 'the word of ann'" -c 'CREATE ROLE "o''dd ""role" NOLOGIN' \\
    -c 'CREATE ROLE boss SUPERUSER' -c 'CREATE ROLE deputy' -c 'GRANT boss TO deputy'
  ${superuser === 'mathesar' ? '' : 'psql -qc "CREATE ROLE mathesar LOGIN PASSWORD \'x\'"'}
  (
    cd /code; export POSTGRES_HOST=localhost POSTGRES_PORT=54329 \\
      POSTGRES_USER=${superuser} POSTGRES_PASSWORD=mathesar \\
      POSTGRES_DB=mathesar_django SECRET_KEY='the secret key of upstream' SKIP_STATIC_COLLECTION=true
    python3 -m mathesar.install > /dev/null; python3 manage.py shell -c "$DJANGO" > /dev/null
  )
  psql -qd mathesar_django -c "$STORED"; psql -qd library -c "$LIBRARY" > /dev/null
  psql -qtAd library -c "$READ"; psql -qc CHECKPOINT
  as pg_ctl stop --silent --pgdata cluster --mode ${isKilled ? 'immediate' : 'fast'}
  rm -r socket; chown -R 100:100 cluster`

/** Lays out what another image leaves behind, in a volume. */
export const makeUpstream = async (options: Options): Promise<Upstream> => {
  const volume = await newVolume()
  const before = await mustDocker(
    'run',
    '--rm',
    '--network=none',
    '--entrypoint=sh',
    `--volume=${volume}:${dataFolder}`,
    `--env=LIBRARY=${library}`,
    `--env=STORED=${stored(options.host, options.superuser)}`,
    `--env=DJANGO=${django(options.superuser)}`,
    `--env=READ=${readLibrary}`,
    image,
    '-euc',
    scriptOf(options),
  )
  return { volume, before }
}
