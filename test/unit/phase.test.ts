import { describe, expect, test } from 'vitest'
import { nextPhase, type Phase, type PhaseEvent } from '../../src/core/phase.ts'

describe('the phase of the container', () => {
  test.each<[Phase, PhaseEvent, Phase]>([
    ['booting', 'booted', 'running'],
    ['booting', 'stop', 'stopping'],
    ['running', 'stop', 'stopping'],
    ['running', 'drain', 'draining'],
    ['draining', 'stop', 'stopping'],
    ['stopping', 'stopped', 'ended'],
  ])('goes from %s by %s to %s', (phase, event, next) => {
    expect(nextPhase(phase, event)).toBe(next)
  })

  test.each<[Phase, PhaseEvent]>([
    ['booting', 'stopped'],
    ['booting', 'drain'],
    ['draining', 'booted'],
    ['stopping', 'drain'],
    ['ended', 'drain'],
    ['running', 'booted'],
    ['running', 'stopped'],
    ['stopping', 'booted'],
    ['stopping', 'stop'],
    ['ended', 'booted'],
    ['ended', 'stop'],
    ['ended', 'stopped'],
  ])('that is %s stays so by %s: it never goes back', (phase, event) => {
    expect(nextPhase(phase, event)).toBe(phase)
  })
})
