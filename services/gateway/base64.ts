type Alphabet = 'base64' | 'base64url'

/**
 * Bytes of base64 text in its one canonical spelling. Node's decoder skips blanks, junk, a wrong alphabet and what follows the
 * padding, so many texts give the same signature; here only the text that the bytes themselves encode to is taken. Padding is required
 * in the standard alphabet and optional in the URL-safe one (RFC 4648 §3.2, §5).
 */
export function decodeBase64(text: string, ...alphabets: Alphabet[]): Buffer | undefined {
  for (const alphabet of alphabets) {
    const bytes = Buffer.from(text, alphabet)
    const canonical = bytes.toString(alphabet)
    if (text === canonical) return bytes
    if (alphabet === 'base64url' && text === canonical.padEnd(4 * Math.ceil(canonical.length / 4), '=')) return bytes
  }
  return undefined
}
