import { expect, test } from 'vitest'
import { libpqEnvironment } from '../../../src/units/postgres/libpq.ts'
import { placeOf } from '../fakes/scope.ts'

const environment = { PATH: '/bin:/usr/lib/postgresql/17/bin', SECRET_KEY: 'the secret key' }

test.each([
  ['with a server', {}, '/usr/lib/postgresql/17/bin:/bin:/usr/lib/postgresql/17/bin'],
  ['without one', { postgresBin: undefined }, '/bin:/usr/lib/postgresql/17/bin'],
])('programs of Postgres are found in an image %s, and get no secret of the container', (_, paths, path) => {
  const place = placeOf({ environment })
  const found = libpqEnvironment(
    { ...place, paths: { ...place.paths, ...paths } },
    { PGHOST: 'db', PGPORT: undefined },
  )
  expect(found).toEqual({ PATH: path, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', TZ: 'UTC', PGHOST: 'db' })
})
