// bench/boot.svg: one bar a peer, one colour a phase, both boots on one scale.
// It follows the light or dark mode of its reader.
import type { Boots } from './measure/boot.ts'
import { type PeerName, peerNames, peers } from './peers.ts'
import { median } from './statistics.ts'
import { phases, type Timeline } from './timeline.ts'

const width = 860
const left = 150
const right = 60
const lineHeight = 30
const barHeight = 18
const legendTop = 50
const panelTop = 118

const light = ['#8c959f', '#d1410c', '#0a62b5', '#4ba3e3', '#9a4fb5', '#1a936f']
const dark = ['#7d8590', '#ff7b45', '#3f8fe0', '#8cc8f7', '#c58ad9', '#3fbf94']

const style = `
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .quiet { fill: #59636e; font-size: 12px }
.own { font-weight: 600 }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
.ground { fill: #ffffff } .grid { stroke: #d1d9e0; stroke-width: 1 }
rect.phase { stroke: #ffffff; stroke-width: 1 }
${light.map((colour, index) => `.p${index} { fill: ${colour} }`).join(' ')}
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .ground { fill: #0d1117 } .grid { stroke: #30363d }
rect.phase { stroke: #0d1117 } .value { stroke: #0d1117 }
${dark.map((colour, index) => `.p${index} { fill: ${colour} }`).join(' ')}
}`

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x}" y="${y}"${more}>${escape(content)}</text>`

/** The run whose end is nearest to the median of the ends: one that happened, no mixture. */
const typical = (timelines: readonly Timeline[]): Timeline => {
  const middle = median(timelines.map((timeline) => timeline.at(-1)!))
  return [...timelines].sort((a, b) => Math.abs(a.at(-1)! - middle) - Math.abs(b.at(-1)! - middle))[0]!
}

const legend = (): string =>
  phases
    .map((phase, index) => {
      const [x, y] = [left + (index % 3) * 225, legendTop + Math.floor(index / 3) * 22]
      return (
        `<rect class="p${index}" x="${x}" y="${y - 10}" width="12" height="12" ` +
        `rx="2"/>${text(x + 18, y, phase, ' class="quiet"')}`
      )
    })
    .join('\n')

/** Steps of the axis that give no more than eight lines. */
const stepOf = (endMs: number): number =>
  [100, 200, 500, 1000, 2000, 5000, 10_000].find((step) => endMs / step <= 8) ?? 20_000

const panel = (
  title: string,
  top: number,
  boots: readonly (readonly [PeerName, Timeline])[],
  endMs: number,
): string => {
  const scale = (ms: number): number => left + (ms / endMs) * (width - left - right)
  const bottom = top + 16 + boots.length * lineHeight
  const ticks = Array.from(
    { length: Math.floor(endMs / stepOf(endMs)) + 1 },
    (_, index) => index * stepOf(endMs),
  )
  const grid = ticks.map(
    (ms) =>
      `<line class="grid" x1="${scale(ms).toFixed(1)}" x2="${scale(ms).toFixed(1)}" y1="${top + 12}" ` +
      `y2="${bottom}"/>` +
      text(scale(ms), bottom + 16, ms === 0 ? '0' : `${ms / 1000} s`, ' class="quiet" text-anchor="middle"'),
  )
  const bars = boots.map(([name, timeline], index) => {
    const y = top + 16 + index * lineHeight + (lineHeight - barHeight) / 2
    const middle = y + barHeight - 5
    const own = name === 'ours' ? ' class="own"' : ''
    const parts = timeline.map((end, phase) => {
      const begin = timeline[phase - 1] ?? 0
      const [from, to] = [scale(begin), scale(end)]
      return to - from < 0.5
        ? ''
        : `<rect class="phase p${phase}" x="${from.toFixed(1)}" y="${y}" ` +
            `width="${(to - from).toFixed(1)}" height="${barHeight}"><title>${escape(phases[phase]!)}: ` +
            `${Math.round(end - begin)} ms</title></rect>`
    })
    const last = timeline.at(-1)!
    const title = text(left - 10, middle, peers[name].title, `${own} text-anchor="end"`)
    const kind = ` class="value${name === 'ours' ? ' own' : ''}"`
    return title + parts.join('') + text(scale(last) + 6, middle, `${(last / 1000).toFixed(2)} s`, kind)
  })
  return [text(left, top, title, ' class="title"'), ...grid, ...bars].join('\n')
}

export const drawBoots = (boots: Boots): string => {
  const kinds = (['first', 'second'] as const).map((kind) =>
    peerNames.flatMap((name) => (boots[kind][name] ? [[name, typical(boots[kind][name])] as const] : [])),
  )
  const endMs = Math.max(...kinds.flat().map(([, timeline]) => timeline.at(-1)!)) * 1.01
  const panelHeight = 16 + kinds[0]!.length * lineHeight + 62
  const height = panelTop + 2 * panelHeight - 26
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"
  width="${width}" height="${height}" role="img" aria-label="Boot timelines of all peers">
<style>${style}</style>
<rect class="ground" width="${width}" height="${height}" rx="6"/>
${text(left, 26, 'From the command to the page that answers', ' class="title"')}
${legend()}
${panel('First boot: docker run on nothing (the floor: on a prepared volume)', panelTop, kinds[0]!, endMs)}
${panel('Second boot: docker start', panelTop + panelHeight, kinds[1]!, endMs)}
</svg>
`
}
