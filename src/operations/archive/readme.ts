import { outsideInWords } from '../outside.ts'
import type { Description } from './description.ts'

const secretsOf = (hasSecrets: boolean): string =>
  hasSecrets
    ? `secrets/ has the secret key of Mathesar (SECRET_KEY: it decrypts the passwords that Mathesar stores)
and the password of the role "postgres". config/ has the settings.`
    : `Neither the secret key nor any file with secrets is in this archive, for it was made without
encryption. config/ has the settings that are not secret. What Mathesar encrypted can be read with the
secret key of the installation alone.`

const start = `    pg_verifybackup data
    echo 'local all all trust' > data/pg_hba.conf
    pg_ctl -D data -o "-c unix_socket_directories='$PWD' -c listen_addresses=" -w start
    psql -h "$PWD" -U postgres mathesar_django

Whoever may enter that folder may now connect. Mathesar keeps its own tables in the database
mathesar_django, as the role mathesar. Start Mathesar with POSTGRES_HOST, POSTGRES_DB=mathesar_django,
POSTGRES_USER=mathesar, and SECRET_KEY as it was.`

const full = `The cluster is a base backup of Postgres (pg_basebackup) with the WAL that it needs: all is as
it was, to the OID. To open it with stock tools of the same major version, in an empty folder, as a user
other than root:

    tar -xf ARCHIVE
    sha256sum --check SHA256SUMS
    mkdir -m 700 data media
    cat postgres.tar.zst.* | zstd --decompress | tar -x -C data
    cat media.tar.zst.* | zstd --decompress | tar -x -C media
${start}`

const incremental = (links: readonly string[]): string =>
  `The cluster is an incremental base backup of Postgres (pg_basebackup --incremental): it has what has
changed since the archive before it. All of the archives that are named below are needed. Together all is as
it was, to the OID. To open them with stock tools of the same major version, copy them into an empty folder,
decrypt them if they are encrypted, and type there, as a user other than root:

    number=0
    for archive in \\
${links.map((name) => `      ${name.replace(/\.age$/, '')} \\\n`).join('')}      ARCHIVE
    do
      number=$((number + 1))
      mkdir -m 700 $number $number/cluster
      tar -xf $archive -C $number
      (cd $number && sha256sum --check SHA256SUMS)
      cat $number/postgres.tar.zst.* | zstd --decompress | tar -x -C $number/cluster
    done
    mkdir -m 700 media
    cat $number/media.tar.zst.* | zstd --decompress | tar -x -C media
    pg_combinebackup -o data $(seq -f %g/cluster $number)
${start}`

const portable = (databases: Description['databases'] = []): string =>
  `There is a dump of each database, and the roles, for any Postgres of this version or newer:

    tar -xf ARCHIVE
    sha256sum --check SHA256SUMS
    cat roles.sql.zst.* | zstd --decompress | psql postgres
    createdb NAME
    cat databases/1.dump.zst.* | zstd --decompress | pg_restore -d NAME

The dumps, and the names of their databases as JSON writes them:

${databases.map(({ name, file }) => `    ${file}   ${JSON.stringify(name)}`).join('\n')}

ROWS COME BACK. WHAT PEOPLE BUILT IN MATHESAR DOES NOT: a dump gives every table and schema another OID, and
by its OID Mathesar finds the settings of tables and columns, explorations and forms. Only an exact archive
keeps them.`

const about = ({ kind, parent, databases }: Description, links: readonly string[]): string => {
  if (kind === 'portable') return portable(databases)
  return parent === undefined ? full : incremental(links)
}

/** The short way: one that builds on others is looked for with them, in one folder. */
const shortWay = ({ parent }: Description): string =>
  parent === undefined
    ? 'docker run --rm -i -v VOLUME:/var/lib/mathesar IMAGE restore - < ARCHIVE'
    : 'docker run --rm -v VOLUME:/var/lib/mathesar -v FOLDER:/from:ro IMAGE restore /from/ARCHIVE'

/**
 * What somebody reads who has the archive and nothing else; `links` are the names of those that it builds on,
 * from the full one on.
 */
export const readmeOf = (description: Description, links: readonly string[]): string => {
  const { at, mathesar, postgres, hasSecrets, outside } = description
  const elsewhere = outsideInWords(outside)
  return `This is a backup of Mathesar ${mathesar ?? ''} with Postgres ${postgres ?? ''}, made at ${at}.
The short way back is the image that made it:

    ${shortWay(description)}

Without it:

${about(description, links)}

${secretsOf(hasSecrets)}
${elsewhere === undefined ? '' : `\n${elsewhere}\n`}`
}
