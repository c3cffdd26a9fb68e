/** One change to a body: the bytes [start, end) give way to `text`; an insertion has start = end. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The body with its splices done; they must be in order and must not overlap. Without any, the same bytes. */
export function spliceMembers(body: Buffer, splices: readonly Splice[]): Buffer {
  if (splices.length === 0) return body;
  let length = body.length;
  for (const splice of splices) length += Buffer.byteLength(splice.text) - (splice.end - splice.start);
  const result = Buffer.allocUnsafe(length);
  let read = 0;
  let written = 0;
  for (const splice of splices) {
    written += body.copy(result, written, read, splice.start);
    written += result.write(splice.text, written);
    read = splice.end;
  }
  body.copy(result, written, read);
  return result;
}
