import { Redactor } from '../../src/core/redactor.ts'
import type { System } from '../../src/system/ports.ts'
import type { Actor } from './actor.ts'

const tailLength = 50

/** The log of a supervisor: the real redactor, and every line looked at for secrets. */
export const createSimulatedLog = (supervisor: Actor): System['log'] => {
  const { world } = supervisor
  const redactor = new Redactor()
  const tails = new Map<string, string[]>()

  const keep = (unit: string, line: string): void => {
    const tail = tails.get(unit) ?? tails.set(unit, []).get(unit)
    tail?.push(`${line}\n`)
    if (tail && tail.length > tailLength) tail.shift()
    world.oracle.checkText('a log line', line)
  }

  return {
    say: (level, text) => {
      if (!supervisor.isAlive) return
      const line = redactor.redact(text)
      world.trace(`${supervisor.name} ${level}: ${line}`)
      keep('supervisor', line)
    },
    addSecret: (...secrets) => redactor.add(...secrets),
    redact: (text) => redactor.redact(text),
    lines: (unit, watch) => ({
      write: (chunk) => {
        if (!supervisor.isAlive) return undefined
        for (const line of redactor.redactBytes(chunk).toString().trimEnd().split('\n')) {
          keep(unit, line)
          if (watch && line.includes(watch.needle)) watch.found(line)
        }
        return undefined
      },
      flush: () => {},
    }),
    readLines: (unit, read) => ({
      write: (chunk) => {
        if (supervisor.isAlive)
          for (const line of chunk.toString().trimEnd().split('\n')) keep(unit, read(line).text)
        return undefined
      },
      flush: () => {},
    }),
    tail: (unit, count) =>
      (unit === undefined ? [...tails.values()].flat() : (tails.get(unit) ?? [])).slice(-count),
    follow: () => () => {},
  }
}
