import { randomBytes } from 'node:crypto';
import { type Readable } from 'node:stream';

/** One part of a form on its way to an upstream. */
export type OutgoingPart =
  | { readonly kind: 'text'; readonly name: string; readonly value: string }
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly filename: string;
      /** Null sends application/octet-stream. */
      readonly mediaType: string | null;
      readonly bytes: number;
      /** Its bytes from the beginning; asked once for each body. */
      open(): Readable;
    };

/** Writes a form; its length is known before, and no file is in memory. */
export class MultipartEncoder {
  readonly contentType: string;
  readonly contentLength: number;
  private readonly heads: readonly Buffer[];
  private readonly tail: Buffer;

  /** @param boundary stands in no part; the default's 128 random bits see to that */
  constructor(
    private readonly parts: readonly OutgoingPart[],
    boundary = `weir-${randomBytes(16).toString('hex')}`,
  ) {
    this.contentType = `multipart/form-data; boundary=${boundary}`;
    this.heads = parts.map((part, index) => toPartHead(part, boundary, index === 0));
    this.tail = Buffer.from(`${parts.length === 0 ? '' : '\r\n'}--${boundary}--\r\n`);
    const bodies = parts.map((part) => (part.kind === 'text' ? Buffer.byteLength(part.value) : part.bytes));
    this.contentLength = [...this.heads.map(({ length }) => length), ...bodies, this.tail.length].reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * The form's bytes, from the beginning each time.
   * @throws Error when a file has not the bytes that were promised
   */
  async *body(): AsyncGenerator<Buffer> {
    for (const [index, part] of this.parts.entries()) {
      yield this.heads[index];
      if (part.kind === 'text') yield Buffer.from(part.value);
      else yield* exactly(part.open(), part.bytes);
    }
    yield this.tail;
  }
}

/** What stands before a part: its boundary and its head. */
export function toPartHead(part: OutgoingPart, boundary: string, isFirst: boolean): Buffer {
  const filename = part.kind === 'file' ? `; filename="${escape(part.filename)}"\r\ncontent-type: ${part.mediaType ?? 'application/octet-stream'}` : '';
  return Buffer.from(`${isFirst ? '' : '\r\n'}--${boundary}\r\ncontent-disposition: form-data; name="${escape(part.name)}"${filename}\r\n\r\n`);
}

/** As browsers do (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data). */
function escape(text: string): string {
  return text.replace(/["\r\n]/g, (character) => ESCAPES[character] ?? '');
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '%22', '\r': '%0D', '\n': '%0A' };

async function* exactly(content: Readable, expectedBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The length was promised in the request's head: more would be read as another request.
    if (bytes > expectedBytes) break;
    yield chunk;
  }
  if (bytes !== expectedBytes) throw new Error(`a file of ${expectedBytes} bytes came with ${bytes}`);
}
