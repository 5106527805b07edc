import { SupervisorError } from '../../src/errors.ts'

/** The failure that something ends with. Anything but a failure of our table is thrown again. */
export const failureOf = async (act: () => unknown): Promise<SupervisorError> => {
  try {
    await act()
  } catch (error) {
    if (error instanceof SupervisorError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
