import { type SupervisorError, toSupervisorError } from '../../errors.ts'
import type { Upload } from '../../system/ports.ts'
import type { Bytes } from '../archive/bytes.ts'
import type { Store } from './store.ts'

export type Spread = {
  readonly bytes: number
  /** The places that have all of it. */
  readonly places: readonly string[]
  readonly failures: readonly SupervisorError[]
}

type Target = { readonly title: string; readonly upload: Upload }

/**
 * Writes one stream to several places at once, as fast as the slowest one takes it. A place that fails is
 * left out and holds up none of the others; where all have failed, the stream ends.
 */
export const spread = async (
  stores: readonly Store[],
  name: string,
  aboutBytes: number,
  stream: Bytes,
): Promise<Spread> => {
  const failures: SupervisorError[] = []
  let targets: readonly Target[] = []
  const onEach = async (act: (upload: Upload) => Promise<void>): Promise<void> => {
    const tried = await Promise.all(
      targets.map(async (target) => {
        try {
          await act(target.upload)
          return target
        } catch (error) {
          failures.push(toSupervisorError(error))
          await target.upload.abort()
          return undefined
        }
      }),
    )
    targets = tried.filter((target) => target !== undefined)
    if (targets.length === 0) throw failures[0]!
  }

  for (const store of stores) {
    try {
      targets = [...targets, { title: store.title, upload: await store.begin(name, aboutBytes) }]
    } catch (error) {
      failures.push(toSupervisorError(error))
    }
  }
  let bytes = 0
  try {
    if (targets.length === 0) throw failures[0]!
    for await (const chunk of stream) {
      bytes += chunk.length
      await onEach((upload) => upload.write(chunk))
    }
    await onEach((upload) => upload.finish())
  } catch (error) {
    for (const { upload } of targets) await upload.abort()
    throw error
  }
  return { bytes, places: targets.map(({ title }) => title), failures }
}
