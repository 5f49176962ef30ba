import { BlockList, isIP } from 'node:net'
import { RateLimiterMemory } from 'rate-limiter-flexible'

/** `10.0.0.0/8, 192.0.2.7, 2001:db8::/32` as a test of addresses. Throws one sentence that names the variable. */
export function createAddressList(variable: string, list: string): (address: string) => boolean {
  const addresses = new BlockList()
  for (const entry of list.split(',').map((part) => part.trim())) {
    if (entry === '') continue
    const [address = '', bits, more] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const prefix = bits === undefined ? undefined : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    try {
      if (isIP(address) === 0 || more !== undefined) throw new Error('no address')
      if (prefix === undefined) addresses.addAddress(address, family)
      else addresses.addSubnet(address, prefix, family)
    } catch {
      throw new Error(`${variable}: ${entry} is neither an IP address nor a range such as 10.0.0.0/8`)
    }
  }
  return (address) => isIP(address) !== 0 && addresses.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/**
 * Whose request it is. `X-Forwarded-For` is believed only from a trusted proxy, and read from its right end, where our proxies write: the
 * first address that is none of them is the sender. What lies left of it the sender can have made up.
 */
export function senderAddress(
  socketAddress: string,
  forwardedFor: string | undefined,
  isTrustedProxy: (address: string) => boolean,
): string {
  if (!isTrustedProxy(socketAddress)) return socketAddress
  let sender = socketAddress
  for (const hop of (forwardedFor ?? '').split(',').reverse()) {
    const address = hop.trim()
    if (isIP(address) === 0) return sender
    sender = address
    if (!isTrustedProxy(address)) return sender
  }
  return sender
}

/**
 * Whether a client is within its requests per second; 0: always. Asked only for clients that verified, so nobody can use up the
 * allowance of another, and memory is bounded by the accounts there are.
 */
export function createRateLimit(perSecond: number): (client: string) => Promise<boolean> {
  if (perSecond === 0) return async () => true
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 })
  return (client) =>
    limiter.consume(client).then(
      () => true,
      () => false,
    )
}
