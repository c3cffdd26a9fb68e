import { type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import { WeirError } from '@weir/kernel';
import { isError, scrubSecrets } from '@weir/platform';
import {
  IDLE_TIMEOUT_MS,
  MAX_FIELD_BYTES,
  MAX_FRAME_BYTES,
  MAX_PART_HEAD_BYTES,
  MAX_PARTS,
  MAX_TEXT_BYTES,
  type MultipartContents,
  type MultipartField,
  type MultipartFile,
  type MultipartForm,
  type MultipartLimits,
  type PartRule,
} from './multipart-form';
import { parseMultipartType } from './parse-multipart-type';
import { parsePartHead, type PartHead } from './parse-part-head';

/** Makes something of a file. It reads the content to its end, or fails; the fields are those that came before it. */
export type OnFile<Result> = (file: MultipartFile, before: readonly MultipartField[]) => Promise<Result>;

/**
 * Reads a request's form as it comes: texts are kept, files are handed to `onFile` one after
 * another and are never in memory. Resolves when the form is valid to its last byte.
 *
 * It fails at the first thing that is wrong, and only after `onFile` has ended, so that whatever
 * that made can be cleared away. What the caller still sends is dropped by whoever answers it.
 * @throws WeirError unsupported_media_type, invalid_request that names the field, body_too_large,
 *   request_timeout, client_closed_request; and whatever `onFile` throws
 */
export async function readMultipart<Result>(request: IncomingMessage, form: MultipartForm, limits: MultipartLimits, onFile: OnFile<Result>): Promise<MultipartContents<Result>> {
  const boundary = parseMultipartType(request.headers);
  const announced = request.headers['content-length'];
  if (announced !== undefined && Number(announced) > toMaxBytes(form, limits)) throw tooLarge(limits);
  const contents = await new MultipartReading(request, form, limits, boundary, onFile).read();
  for (const [name, rule] of form.parts) {
    if (rule.isRequired === true && !contents.names.has(name)) throw invalid(`Missing required parameter: '${name}'.`, name);
  }
  return contents;
}

class MultipartReading<Result> {
  private readonly parser: Dicer;
  private readonly names = new Set<string>();
  private readonly fields: MultipartField[] = [];
  private readonly files: Result[] = [];
  private readonly openParts = new Set<Readable>();
  private readonly idle: NodeJS.Timeout;
  /** The parts in their order, one after another. */
  private handled: Promise<void> = Promise.resolve();
  private failure: Error | null = null;
  private receivedBytes = 0;
  private fileBytes = 0;
  private textBytes = 0;
  private partCount = 0;
  /** The last part that began has no head yet. */
  private isInHead = false;
  private isHeld = false;
  private isWhole = false;
  private isReceived = false;
  private settle: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => undefined, reject: () => undefined };

  constructor(
    private readonly request: IncomingMessage,
    private readonly form: MultipartForm,
    private readonly limits: MultipartLimits,
    boundary: string,
    private readonly onFile: OnFile<Result>,
  ) {
    const configuration: Dicer.Config & { maxHeaderSize: number } = { boundary, maxHeaderPairs: 16, maxHeaderSize: MAX_PART_HEAD_BYTES };
    this.parser = new Dicer(configuration);
    this.idle = setTimeout(() => this.onIdle(), limits.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
  }

  async read(): Promise<MultipartContents<Result> & { names: ReadonlySet<string> }> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.settle = { resolve, reject };
        this.listen();
      });
      await this.handled;
      // The whole form may have been there before its last file was looked at.
      if (this.failure instanceof Error) throw this.failure;
      return { fields: this.fields, files: this.files, names: this.names };
    } catch (error) {
      // A file's reader is told, and may clear away what it has made before the caller is answered.
      await this.handled;
      throw error;
    } finally {
      this.detach();
    }
  }

  private listen(): void {
    const { request, parser } = this;
    parser.on('part', (part) => this.onPart(part));
    parser.on('drain', () => this.release());
    parser.on('finish', () => {
      this.isWhole = true;
      this.finish();
    });
    parser.on('error', () => this.fail(invalid('The form ends before its last boundary.')));
    request.on('data', this.onData);
    request.on('end', this.onEnd);
    request.on('error', this.onGone);
    request.on('close', this.onGone);
    // It may have gone while its key was looked up.
    if (request.destroyed && !request.complete) this.onGone();
  }

  private detach(): void {
    clearTimeout(this.idle);
    this.request.off('data', this.onData);
    this.request.off('end', this.onEnd);
    this.request.off('close', this.onGone);
    // Its 'error' stays listened to: a caller that leaves later must not end the process.
  }

  private readonly onData = (chunk: Buffer): void => {
    if (this.failure !== null) return;
    this.receivedBytes += chunk.length;
    this.idle.refresh();
    if (this.receivedBytes > toMaxBytes(this.form, this.limits)) this.fail(tooLarge(this.limits));
    // Behind the last boundary nothing counts, and the parser takes nothing.
    else if (this.parser.writable && !this.parser.write(chunk)) {
      this.isHeld = true;
      this.request.pause();
    }
  };

  private readonly onEnd = (): void => {
    this.isReceived = true;
    if (this.parser.writable) this.parser.end();
    this.finish();
  };

  private readonly onGone = (): void => {
    if (!this.isReceived) this.fail(new WeirError('client_closed_request'));
  };

  private onIdle(): void {
    // Held up by whoever reads the file, or all there: nobody waits for the caller.
    if (this.isHeld || this.isReceived) this.idle.refresh();
    else this.fail(new WeirError('request_timeout'));
  }

  private release(): void {
    this.isHeld = false;
    this.idle.refresh();
    if (this.failure === null) this.request.resume();
  }

  private finish(): void {
    if (!this.isWhole || !this.isReceived || this.failure !== null) return;
    if (this.isInHead) this.fail(invalid('A part of the form has no head.'));
    else this.settle.resolve();
  }

  private onPart(part: Dicer.PartStream): void {
    part.on('error', () => undefined);
    // The parser drops such a part without a word.
    if (this.isInHead) this.fail(invalid('A part of the form has no head.'));
    this.isInHead = true;
    this.partCount += 1;
    if (this.partCount > MAX_PARTS) this.fail(invalid(`The form has more than ${MAX_PARTS} parts.`));
    if (this.failure !== null) return;
    this.openParts.add(part);
    part.on('close', () => this.openParts.delete(part));
    part.on('header', (fields) => this.onHead(part, fields));
  }

  private onHead(part: Readable, fields: object): void {
    this.isInHead = false;
    try {
      const head = parsePartHead(toHeadFields(fields));
      const rule = this.takeRule(head);
      this.handled = this.handled.then(() => this.handle(part, head, rule));
    } catch (error) {
      this.fail(error);
    }
  }

  /** @throws WeirError invalid_request when the form takes no such part, or no more of it */
  private takeRule({ name, filename }: PartHead): PartRule {
    const rule = this.form.parts.get(name) ?? (this.form.isOpen === true && filename === null ? OTHER_TEXT : null);
    if (rule === null) throw invalid(`Unknown parameter: '${scrubSecrets(name)}'.`, scrubSecrets(name));
    if (this.names.has(name) && rule.mayRepeat !== true) throw invalid(`Duplicate parameter: '${scrubSecrets(name)}'.`, scrubSecrets(name));
    if ((rule.kind === 'file') !== (filename !== null)) throw invalid(`Invalid type for '${name}': expected a ${rule.kind}.`, name);
    this.names.add(name);
    return rule;
  }

  private async handle(part: Readable, head: PartHead, rule: PartRule): Promise<void> {
    if (this.failure !== null) return;
    try {
      if (head.filename === null) this.fields.push({ name: head.name, value: await this.readText(part, head.name, rule) });
      else await this.readFile(part, { name: head.name, filename: head.filename, mediaType: head.mediaType });
    } catch (error) {
      this.fail(error);
    }
  }

  private async readText(part: Readable, name: string, { maxBytes = MAX_FIELD_BYTES }: PartRule): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of part as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      this.textBytes += chunk.length;
      if (bytes > maxBytes) throw invalid(`Invalid '${name}': it is longer than ${maxBytes} bytes.`, name);
      if (this.textBytes > toMaxTextBytes(this.form)) throw invalid(`The texts of the form are longer than ${toMaxTextBytes(this.form)} bytes.`, name);
      chunks.push(chunk);
    }
    return toText(Buffer.concat(chunks), name);
  }

  private async readFile(part: Readable, about: Omit<MultipartFile, 'content'>): Promise<void> {
    const content = Readable.from(this.countFile(part), { objectMode: false });
    content.on('error', () => undefined);
    // With the part, so that a reader that waits for it hears at once that it will not come.
    part.once('error', (error) => content.destroy(error));
    this.files.push(await this.onFile({ ...about, content }, [...this.fields]));
    // What the reader does not want must be read all the same: the parts behind it wait.
    if (!content.destroyed) await new Promise<void>((resolve) => content.once('close', resolve).resume());
    if (!content.readableEnded) throw content.errored ?? new Error(`the reader of the file '${about.name}' has left before its end`);
  }

  private async *countFile(part: Readable): AsyncGenerator<Buffer> {
    for await (const chunk of part as AsyncIterable<Buffer>) {
      this.fileBytes += chunk.length;
      if (this.fileBytes > this.limits.maxFileBytes) throw tooLarge(this.limits);
      yield chunk;
    }
  }

  private fail(error: unknown): void {
    if (this.failure !== null) return;
    const reason = isError(error) ? error : new Error('reading a form failed', { cause: error });
    this.failure = reason;
    for (const part of this.openParts) part.destroy(reason);
    this.request.resume();
    this.settle.reject(reason);
  }
}

const OTHER_TEXT: PartRule = { kind: 'text' };
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function toText(bytes: Buffer, name: string): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw invalid(`Invalid '${name}': it is not in UTF-8.`, name);
  }
  if (text.includes('\0')) throw invalid(`Invalid '${name}': it has a NUL character.`, name);
  return text;
}

function toHeadFields(fields: object): ReadonlyMap<string, readonly string[]> {
  return new Map(Object.entries(fields).map(([name, values]: [string, unknown]) => [name, Array.isArray(values) ? values.map(String) : []]));
}

function toMaxTextBytes({ maxTextBytes = MAX_TEXT_BYTES }: MultipartForm): number {
  return maxTextBytes;
}

/** Of the whole body: the files, the texts, and what stands around them. */
function toMaxBytes(form: MultipartForm, limits: MultipartLimits): number {
  return limits.maxFileBytes + toMaxTextBytes(form) + MAX_FRAME_BYTES;
}

function tooLarge({ maxFileBytes }: MultipartLimits): WeirError {
  return new WeirError('body_too_large', { message: `The upload is larger than the ${maxFileBytes} bytes that this server takes.` });
}

function invalid(message: string, param?: string): WeirError {
  return new WeirError('invalid_request', { message, ...(param === undefined ? {} : { param }) });
}
