/** A unit as the graph sees it. */
type Node<Name extends string = string> = {
  readonly name: Name
  /** Units that must be done or ready before this one starts. */
  readonly needs: readonly Name[]
  /** Units that must be done before this one, which starts meanwhile, may serve. */
  readonly servesAfter?: readonly Name[]
}

/** Everything that a unit depends on, of both kinds of edge. */
export const dependenciesOf = <Name extends string>(unit: Node<Name>): readonly Name[] => [
  ...unit.needs,
  ...(unit.servesAfter ?? []),
]

/** The same of each unit, also by way of another one. Each must come after what it depends on. */
export const allDependencies = <Name extends string>(
  inOrder: readonly Node<Name>[],
): ReadonlyMap<Name, ReadonlySet<Name>> => {
  const all = new Map<Name, ReadonlySet<Name>>()
  for (const unit of inOrder) {
    const direct = dependenciesOf(unit)
    all.set(unit.name, new Set(direct.flatMap((name) => [name, ...(all.get(name) ?? [])])))
  }
  return all
}

/**
 * The units in an order in which each comes after what it depends on. Throws on an unknown name or a cycle,
 * naming it.
 */
export const inStartOrder = <U extends Node>(units: readonly U[]): U[] => {
  const byName = new Map(units.map((unit) => [unit.name, unit]))
  const ordered = new Set<U>()
  const visit = (name: string, path: readonly string[]): void => {
    const unit = byName.get(name)
    if (!unit) throw new Error(`unit ${path.at(-1)} depends on ${name}, which does not exist`)
    if (ordered.has(unit)) return
    if (path.includes(name)) throw new Error(`units depend on each other: ${[...path, name].join(' → ')}`)
    for (const dependency of dependenciesOf(unit)) visit(dependency, [...path, name])
    ordered.add(unit)
  }
  for (const unit of units) visit(unit.name, [])
  return [...ordered]
}

/** The units that the boot waited for, in order: each was up last of those that the next one needs. */
export const criticalPath = (
  units: readonly Node[],
  timing: (name: string) => { readonly startedMs: number; readonly endedMs: number } | undefined,
): string[] => {
  const byName = new Map(units.map((unit) => [unit.name, unit]))
  const latest = (names: readonly string[]): string | undefined =>
    names.filter((name) => timing(name)).sort((a, b) => timing(b)!.endedMs - timing(a)!.endedMs)[0]
  const path: string[] = []
  for (
    let name = latest([...byName.keys()]);
    name !== undefined;
    name = latest(dependenciesOf(byName.get(name)!))
  )
    path.unshift(name)
  return path
}
