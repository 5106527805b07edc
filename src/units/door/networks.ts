/** The networks of RFC 1918, RFC 4193 and RFC 6598, and the loopback: nobody on the internet has them. */
const privateNetworks = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
]

/** The networks that a setting names: `private` stands for many, `none` for nobody. */
export const networksOf = (items: readonly string[]): readonly string[] =>
  items.flatMap((item) => {
    if (item === 'none') return []
    return item === 'private' ? privateNetworks : [item]
  })
