export const isIpv4 = (text: string): boolean =>
  text.split('.').length === 4 &&
  text.split('.').every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)

/** Without brackets. */
export const isIpv6 = (text: string): boolean =>
  /^[0-9a-f:.]{2,45}$/i.test(text) && URL.canParse(`http://[${text}]/`)

/** An address of IPv4 or IPv6. */
export const isAddress = (text: string): boolean => isIpv4(text) || isIpv6(text)
