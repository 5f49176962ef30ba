/**
 * The lines of a byte stream, in groups as they arrive. Not `node:readline`: that also breaks lines at U+2028 and U+2029, which JSON
 * may hold as they are.
 */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest: Buffer[] = []
  for await (const chunk of stream) {
    const end = chunk.lastIndexOf(0x0a)
    if (end === -1) {
      rest.push(chunk)
      continue
    }
    const text = Buffer.concat([...rest, chunk.subarray(0, end)]).toString('utf8')
    rest = [chunk.subarray(end + 1)]
    yield text.split('\n')
  }
  const last = Buffer.concat(rest).toString('utf8')
  if (last !== '') yield [last]
}
