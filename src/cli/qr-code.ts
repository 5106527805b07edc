/** White on black, whatever the colors of the terminal are: cameras want it so. */
const inColor = (line: string): string => (process.stdout.isTTY ? `\x1b[97;40m${line}\x1b[0m` : line)

/** The link as a picture for the camera of a phone. */
export const drawQrCode = async (text: string): Promise<string> => {
  const { renderUnicodeCompact } = await import('uqr')
  return renderUnicodeCompact(text, { border: 2 }).split('\n').map(inColor).join('\n')
}
