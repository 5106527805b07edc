// Runs inside a container: kills every process of a service at once, and waits until the service works again.
// Prints the milliseconds between.
//   node kill.mjs gunicorn PORT      until the login page answers
//   node kill.mjs nginx PORT         until it hands on a health probe
//   node kill.mjs postgres FOLDER    until the server on the socket there takes a connection
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'

const [name, where] = process.argv.slice(1)

const read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const pids = readdirSync('/proc')
  .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== 1 && Number(pid) !== process.pid)
  .map(Number)
  .filter((pid) =>
    name === 'gunicorn'
      ? /python3?\0-m\0gunicorn/.test(read(`/proc/${pid}/cmdline`))
      : read(`/proc/${pid}/comm`).trim() === name,
  )

const page = () =>
  new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: where,
        path: name === 'nginx' ? '/livez' : '/auth/login/',
        agent: false,
        timeout: 20_000,
        headers: { host: 'localhost' },
      },
      (response) => {
        response.resume()
        resolve(response.statusCode < 400)
      },
    )
    sent.once('error', () => resolve(false))
    sent.once('timeout', () => sent.destroy())
    sent.end()
  })

// A startup packet of protocol 3.0: the server asks who we are ("R") when it takes connections,
// and says 57P03 while it starts.
const accepts = () =>
  new Promise((resolve) => {
    const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0')
    const head = Buffer.alloc(8)
    head.writeInt32BE(8 + parameters.length, 0)
    head.writeInt32BE(196608, 4)
    const socket = connect(`${where}/.s.PGSQL.5432`, () => socket.write(Buffer.concat([head, parameters])))
    const end = (answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.once('data', (data) => end(data[0] === 0x52 || !data.includes('57P03')))
  })

if (pids.length === 0) throw new Error(`there is no ${name} to kill`)
const began = performance.now()
for (const pid of pids) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error // It ended by itself, as Postgres's own helpers do.
  }
}
const works = name === 'postgres' ? accepts : page
while (!(await works())) {
  if (performance.now() - began > 60_000) throw new Error(`${name} was not back after 60 s`)
  await new Promise((resolve) => setTimeout(resolve, 2))
}
console.log((performance.now() - began).toFixed(1))
