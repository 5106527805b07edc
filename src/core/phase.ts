/**
 * Where the whole container is. It only ever goes forward.
 *
 *   booting ─booted→ running ─drain→ draining ─stop→ stopping ─stopped→ ended
 *      │                └────────── stop ────────────↑
 *      └─────────────────────────── stop ────────────┘
 */
export type Phase = 'booting' | 'running' | 'draining' | 'stopping' | 'ended'
export type PhaseEvent = 'booted' | 'drain' | 'stop' | 'stopped'

/** The next phase. An event that means nothing in a phase leaves it as it is. */
export const nextPhase = (phase: Phase, event: PhaseEvent): Phase => {
  switch (event) {
    case 'booted':
      return phase === 'booting' ? 'running' : phase
    case 'drain':
      return phase === 'running' ? 'draining' : phase
    case 'stop':
      return phase === 'ended' ? 'ended' : 'stopping'
    case 'stopped':
      return phase === 'stopping' ? 'ended' : phase
  }
}
