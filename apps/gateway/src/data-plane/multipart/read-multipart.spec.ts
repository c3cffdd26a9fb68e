import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WeirError } from '@weir/kernel';
import { RawClient } from '@weir/testing';
import { type MultipartFile, type MultipartForm, type MultipartLimits } from './multipart-form';
import { type OnFile, readMultipart } from './read-multipart';

const MEGABYTE = 1024 * 1024;
const FORM: MultipartForm = {
  parts: new Map([
    ['name', { kind: 'text', isRequired: true, maxBytes: 64 }],
    ['note', { kind: 'text' }],
    ['tags[]', { kind: 'text', mayRepeat: true }],
    ['sample', { kind: 'file', isRequired: true }],
  ]),
};
const BOUNDARY = 'b-o-u-n-d';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

interface Seen {
  status: number;
  code?: string;
  message?: string;
  param?: string | null;
  fields?: { name: string; value: string }[];
  files?: { name: string; filename: string; mediaType: string | null; bytes: number; sha256: string; before: string[] }[];
}

let server: Server;
let port: number;
let form: MultipartForm;
let limits: MultipartLimits;
let onFile: OnFile<unknown>;
/** How the last upload ended, also where nobody was left to be told. */
let outcome: Promise<Seen>;

const hashFile: OnFile<unknown> = async ({ content, ...about }, before) => {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { ...about, bytes, sha256: hash.digest('hex'), before: before.map(({ name }) => name) };
};

async function answer(request: IncomingMessage): Promise<Seen> {
  try {
    const { fields, files } = await readMultipart(request, form, limits, onFile);
    return { status: 200, fields: [...fields], files: [...files] as Seen['files'] };
  } catch (error) {
    if (error instanceof WeirError) return { status: error.status, code: error.code, message: error.message, param: error.param };
    return { status: 500, message: String(error) };
  }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    outcome = answer(request);
    void outcome.then((seen) => {
      if (!request.complete) response.setHeader('connection', 'close');
      response.writeHead(seen.status, { 'content-type': 'application/json' });
      response.write(JSON.stringify(seen));
      if (request.complete || request.destroyed) response.end();
      else {
        request.once('end', () => response.end()).once('close', () => response.end());
        setTimeout(() => response.end(), 100);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  form = FORM;
  limits = { maxFileBytes: MEGABYTE };
  onFile = hashFile;
});

const text = (name: string, value: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (name: string, value: string, type = 'audio/wav', filename = 'a.wav'): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: ${type}\r\n\r\n${value}\r\n`;
const END = `--${BOUNDARY}--\r\n`;
const GOOD = text('name', 'Ann') + file('sample', 'RIFF') + END;

/** Sends the pieces one by one and gives back what the server said. */
async function post(body: string | Buffer | readonly Buffer[], headers: Record<string, string> = {}): Promise<Seen> {
  const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', agent: false, headers: { 'content-type': TYPE, ...headers } });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  sent.on('error', () => undefined);
  for (const piece of Array.isArray(body) ? body : [body]) {
    sent.write(piece);
    await turn();
  }
  sent.end();
  const [response] = await answered;
  response.setEncoding('latin1');
  let read = '';
  for await (const chunk of response) read += chunk;
  return JSON.parse(Buffer.from(read, 'latin1').toString()) as Seen;
}

describe('readMultipart', () => {
  it('gives the texts in their order, and each file with the texts before it', async () => {
    const body = text('tags[]', 'x') + text('name', 'Änn') + file('sample', 'RIFF…', 'audio/WAV; x=1', 'C:\\voices\\my "voice".wav'.replaceAll('"', '%22')) + text('tags[]', 'y') + END;
    expect(await post(body)).toMatchObject({
      status: 200,
      fields: [
        { name: 'tags[]', value: 'x' },
        { name: 'name', value: 'Änn' },
        { name: 'tags[]', value: 'y' },
      ],
      files: [{ name: 'sample', filename: 'my %22voice%22.wav', mediaType: 'audio/wav', bytes: 7, before: ['tags[]', 'name'] }],
    });
  });

  it('is the same however the bytes are cut', async () => {
    const content = Array.from({ length: 3000 }, (_, index) => String.fromCharCode((index * 7) % 256)).join('') + `\r\n--${BOUNDARY.slice(0, -1)}\r\n--`;
    const body = Buffer.from(`preamble\r\n${text('name', 'Ann')}${text('note', '')}${file('sample', content)}${text('tags[]', 'last')}${END}epilogue\r\n`, 'latin1');
    const whole = await post(body);
    expect(whole.files?.[0]).toMatchObject({ bytes: content.length, sha256: createHash('sha256').update(Buffer.from(content, 'latin1')).digest('hex') });
    expect(whole.fields).toEqual([
      { name: 'name', value: 'Ann' },
      { name: 'note', value: '' },
      { name: 'tags[]', value: 'last' },
    ]);
    for (const step of [1, 2, 3, 7, 64, 1000]) {
      const pieces = Array.from({ length: Math.ceil(body.length / step) }, (_, index) => body.subarray(index * step, (index + 1) * step));
      expect(await post(pieces)).toEqual(whole);
    }
  });

  it('takes what undici and the Node OpenAI client send', async () => {
    const data = new FormData();
    data.set('sample', new File([Buffer.alloc(200_000, 7)], 'ä.wav', { type: 'audio/wav' }));
    data.set('name', 'Ann');
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: data });
    expect(await response.json()).toMatchObject({ status: 200, files: [{ filename: 'ä.wav', bytes: 200_000, before: [] }], fields: [{ name: 'name', value: 'Ann' }] });
  });

  it.each([
    ['no form', GOOD, { 'content-type': 'application/json' }, 415, 'multipart/form-data'],
    ['another multipart', GOOD, { 'content-type': `multipart/mixed; boundary=${BOUNDARY}` }, 415, 'multipart/form-data'],
    ['a compressed form', GOOD, { 'content-encoding': 'gzip' }, 415, 'compressed'],
    ['no boundary', GOOD, { 'content-type': 'multipart/form-data' }, 400, 'boundary'],
    ['an empty boundary', GOOD, { 'content-type': 'multipart/form-data; boundary=' }, 400, 'boundary'],
    ['two boundaries', GOOD, { 'content-type': `${TYPE}; boundary=other` }, 400, 'boundary'],
    ['a boundary of 71 characters', GOOD, { 'content-type': `multipart/form-data; boundary=${'b'.repeat(71)}` }, 400, 'boundary'],
    ['a boundary that never comes', GOOD, { 'content-type': 'multipart/form-data; boundary=other' }, 400, 'before its last boundary'],
    ['no body', '', {}, 400, 'before its last boundary'],
    ['a form without an end', text('name', 'Ann') + file('sample', 'RIFF'), {}, 400, 'before its last boundary'],
    ['a file without an end', text('name', 'Ann') + file('sample', 'RIFF').slice(0, -2), {}, 400, 'before its last boundary'],
    ['a form that ends in a head', `${text('name', 'Ann')}--${BOUNDARY}\r\nContent-Dispo`, {}, 400, 'before its last boundary'],
    ['an empty form', END, {}, 400, "Missing required parameter: 'name'"],
    ['a form without its file', text('name', 'Ann') + END, {}, 400, "Missing required parameter: 'sample'"],
    ['an unknown text', text('nam', 'Ann') + END, {}, 400, "Unknown parameter: 'nam'"],
    ['an unknown file', file('avatar', 'PNG') + END, {}, 400, "Unknown parameter: 'avatar'"],
    ['__proto__', text('__proto__', 'x') + END, {}, 400, "Unknown parameter: '__proto__'"],
    ['constructor', text('constructor', 'x') + END, {}, 400, "Unknown parameter: 'constructor'"],
    ['a text twice', text('name', 'Ann') + text('name', 'Bob') + END, {}, 400, "Duplicate parameter: 'name'"],
    ['a file twice', file('sample', 'RIFF') + file('sample', 'RIFF') + END, {}, 400, "Duplicate parameter: 'sample'"],
    ['a text as a file', file('name', 'Ann') + END, {}, 400, "Invalid type for 'name'"],
    ['a file as a text', text('sample', 'http://169.254.169.254/') + END, {}, 400, "Invalid type for 'sample'"],
    ['a text that is too long', text('name', 'A'.repeat(65)) + END, {}, 400, "Invalid 'name': it is longer than 64 bytes"],
    ['texts that are too long together', text('tags[]', 'A'.repeat(16_000)).repeat(5) + END, {}, 400, 'The texts of the form'],
    ['invalid UTF-8', Buffer.from(text('name', '\xff\xfe') + END, 'latin1'), {}, 400, "Invalid 'name': it is not in UTF-8"],
    ['a NUL in a text', text('name', 'A\0') + END, {}, 400, "Invalid 'name': it has a NUL"],
    ['a NUL in a name', text('na\0me', 'A') + END, {}, 400, 'has no name'],
    ['CR in a name', text('na\rme', 'A') + END, {}, 400, "'form-data'"],
    ['LF in a name', text('na\nme', 'A') + END, {}, 400, "'form-data'"],
    ['CRLF in a name', text('na\r\nX: y', 'A') + END, {}, 400, 'cannot be read'],
    ['%0d%0a in a name', text('na%0d%0ame', 'A') + END, {}, 400, 'has no name'],
    ['no name', `--${BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n${END}`, {}, 400, 'has no name'],
    ['two names', `--${BOUNDARY}\r\nContent-Disposition: form-data; name="name"; name="note"\r\n\r\nx\r\n${END}`, {}, 400, 'twice'],
    ['no disposition', `--${BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n${END}`, {}, 400, "'form-data'"],
    ['an attachment', `--${BOUNDARY}\r\nContent-Disposition: attachment; name="name"\r\n\r\nx\r\n${END}`, {}, 400, "'form-data'"],
    ['two dispositions', `--${BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\nContent-Disposition: form-data; name="note"\r\n\r\nx\r\n${END}`, {}, 400, 'two header fields'],
    ['a part without a head', `--${BOUNDARY}\r\nnothing\r\n${GOOD}`, {}, 400, 'no head'],
    ['a last part without a head', GOOD.replace(END, `--${BOUNDARY}\r\nnothing\r\n${END}`), {}, 400, 'no head'],
    ['base64', `--${BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\nContent-Transfer-Encoding: base64\r\n\r\nQW5u\r\n${END}`, {}, 400, 'Content-Transfer-Encoding'],
    ['UTF-16', `--${BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nx\r\n${END}`, {}, 400, 'not in UTF-8'],
    ['a Content-Type that is none', file('sample', 'x', 'wav') + END, {}, 400, 'Content-Type that is not valid'],
    ['a head without an end', `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${'n'.repeat(70_000)}"\r\n\r\nx\r\n${END}`, {}, 400, "cannot be read"],
    ['more than 128 parts', text('tags[]', '').repeat(129) + END, {}, 400, 'more than 128 parts'],
  ])('refuses %s', async (_what, body, headers, status, message) => {
    const seen = await post(body, headers);
    expect([seen.status, seen.message]).toEqual([status, expect.stringContaining(message) as string]);
    // The next request is fine.
    expect(await post(GOOD)).toMatchObject({ status: 200 });
  });

  it('names the field at fault', async () => {
    expect(await post(text('nam', 'x') + END)).toMatchObject({ code: 'invalid_request', param: 'nam' });
    expect((await post(text('sk-proj-canary12345678', 'x') + END)).message).not.toContain('canary');
  });

  it('passes texts of other names where the form is open, but no files', async () => {
    form = { ...FORM, isOpen: true };
    expect(await post(text('temperature', '0') + GOOD)).toMatchObject({ status: 200, fields: [{ name: 'temperature', value: '0' }, { name: 'name' }] });
    expect(await post(file('avatar', 'PNG') + GOOD)).toMatchObject({ status: 400, param: 'avatar' });
  });

  it('takes a file of exactly the most bytes, and refuses one byte more', async () => {
    const withFile = (bytes: number): string => text('name', 'Ann') + file('sample', 'x'.repeat(bytes)) + END;
    expect(await post(withFile(MEGABYTE))).toMatchObject({ status: 200, files: [{ bytes: MEGABYTE }] });
    expect(await post(withFile(MEGABYTE + 1))).toMatchObject({ status: 413, code: 'body_too_large' });
  });

  it('refuses a body that is announced too large before its first byte', async () => {
    const client = await RawClient.connect(port);
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPE}\r\ncontent-length: ${3 * MEGABYTE}\r\n\r\n`);
    expect(await client.readUntil('"code"')).toContain('HTTP/1.1 413');
    client.leave();
  });

  it.each([
    ['preamble', ''],
    ['head', `--${BOUNDARY}\r\nX: `],
    ['epilogue', GOOD],
  ])('ends an endless %s', async (_what, begin) => {
    const client = await RawClient.connect(port);
    client.socket.on('error', () => undefined);
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPE}\r\ntransfer-encoding: chunked\r\n\r\n${begin === '' ? '' : `${begin.length.toString(16)}\r\n${begin}\r\n`}`);
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 'x'), Buffer.from('\r\n')]);
    for (let sent = 0; sent < 24; sent++) client.send(chunk);
    expect(await client.readUntil('"code"')).toMatch(/^HTTP\/1.1 4(13|00)/);
    client.leave();
  });

  it('refuses a caller that stops sending, and has its file cleared away first', async () => {
    limits = { maxFileBytes: MEGABYTE, idleTimeoutMs: 60 };
    const cleared: string[] = [];
    onFile = async (handed) => {
      try {
        return await hashFile(handed, []);
      } catch (error) {
        await turn();
        cleared.push(error instanceof WeirError ? error.code : String(error));
        throw error;
      }
    };
    const client = await RawClient.connect(port);
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPE}\r\ncontent-length: 100000\r\n\r\n${text('name', 'Ann')}${file('sample', 'RIFF')}`);
    expect(await client.readUntil('"code"')).toContain('HTTP/1.1 408');
    expect(cleared).toEqual(['request_timeout']);
    client.leave();
  });

  it('waits for a reader that is slower than the caller, for longer than a caller may be silent', async () => {
    limits = { maxFileBytes: MEGABYTE, idleTimeoutMs: 20 };
    const slow = new Promise((resolve) => setTimeout(resolve, 120));
    onFile = (handed, before) => slow.then(() => hashFile(handed, before));
    expect(await post(text('name', 'Ann') + file('sample', 'x'.repeat(MEGABYTE)) + END)).toMatchObject({ status: 200, files: [{ bytes: MEGABYTE }] });
  });

  it('takes no more from the caller than the reader of the file takes', async () => {
    limits = { maxFileBytes: 50 * MEGABYTE };
    const request = new Promise<IncomingMessage>((resolve) => server.once('request', resolve));
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    onFile = (handed, before) => gate.then(() => hashFile(handed, before));
    const client = await RawClient.connect(port);
    const content = Buffer.alloc(20 * MEGABYTE, 'x');
    const head = `${text('name', 'Ann')}${file('sample', '').slice(0, -2)}`;
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPE}\r\ncontent-length: ${head.length + content.length + 2 + END.length}\r\n\r\n${head}`);
    client.send(content);
    client.send(`\r\n${END}`);
    const { socket } = await request;
    // Until nothing more is read for a while.
    let last = -1;
    for (let same = 0; same < 20; same = socket.bytesRead === last ? same + 1 : 0) {
      last = socket.bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    open();
    expect(last).toBeLessThan(MEGABYTE);
    expect(await client.readUntil('"bytes"')).toContain(`"bytes":${20 * MEGABYTE}`);
    client.leave();
  });

  it("tells the file's reader that the caller has left", async () => {
    const begun = new Promise<MultipartFile>((resolve) => {
      onFile = (handed, before) => {
        resolve(handed);
        return hashFile(handed, before);
      };
    });
    const client = await RawClient.connect(port);
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPE}\r\ncontent-length: 100000\r\n\r\n${text('name', 'Ann')}${file('sample', 'RIFF')}`);
    const { content } = await begun;
    client.reset();
    expect(await outcome).toMatchObject({ code: 'client_closed_request' });
    expect(content.errored).toMatchObject({ code: 'client_closed_request' });
  });

  it("fails as the file's reader failed, at once", async () => {
    onFile = () => Promise.reject(new WeirError('conflict'));
    const client = await RawClient.connect(port);
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPE}\r\ncontent-length: 100000\r\n\r\n${text('name', 'Ann')}${file('sample', 'RIFF')}`);
    expect(await client.readUntil('"code"')).toContain('HTTP/1.1 409');
    client.leave();
  });

  it('reads over what the reader of a file leaves', async () => {
    onFile = () => Promise.resolve({ name: 'unread' });
    const body = text('name', 'Ann') + file('sample', 'x'.repeat(500_000)) + text('note', 'behind it') + END;
    expect(await post(body)).toMatchObject({ status: 200, fields: [{ name: 'name' }, { name: 'note', value: 'behind it' }], files: [{ name: 'unread' }] });
  });

  it('holds memory flat while 50 MB pass', async () => {
    limits = { maxFileBytes: 50 * MEGABYTE };
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    expect(await post(GOOD)).toMatchObject({ status: 200 });
    const before = used();
    let most = 0;
    let bytes = 0;
    onFile = async ({ content }) => {
      for await (const chunk of content as AsyncIterable<Buffer>) {
        if (Math.floor((bytes + chunk.length) / (5 * MEGABYTE)) > Math.floor(bytes / (5 * MEGABYTE))) most = Math.max(most, used() - before);
        bytes += chunk.length;
      }
      return null;
    };
    const piece = Buffer.alloc(64 * 1024, 1);
    const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', agent: false, headers: { 'content-type': TYPE } });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.write(text('name', 'Ann') + file('sample', '').slice(0, -2));
    for (let count = 0; count < 800; count++) if (!sent.write(piece)) await once(sent, 'drain');
    sent.end(`\r\n${END}`);
    const [response] = await answered;
    response.resume();
    expect([response.statusCode, bytes]).toEqual([200, 50 * MEGABYTE]);
    expect(most).toBeLessThan(16 * MEGABYTE);
  });
});
