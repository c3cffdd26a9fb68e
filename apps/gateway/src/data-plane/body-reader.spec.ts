import { PassThrough } from 'node:stream';
import { type IncomingMessage } from 'node:http';
import { BodyReader } from './body-reader';

function startReading(maxBytes: number, headers: Record<string, string> = {}): { body: PassThrough; read: Promise<Buffer>; reader: BodyReader } {
  const body = Object.assign(new PassThrough(), { headers });
  const reader = new BodyReader(body as unknown as IncomingMessage, maxBytes);
  return { body, read: reader.read().then(() => reader.body), reader };
}

describe('a body', () => {
  it('comes whole, however it is cut', async () => {
    const text = 'x'.repeat(20_000) + 'the end, in UTF-8: ä€😀';
    const whole = Buffer.from(text);
    for (const size of [whole.length, 30_000, 7_001, 3]) {
      const { body, read } = startReading(100_000);
      for (let start = 0; start < whole.length; start += size) body.write(whole.subarray(start, start + size));
      body.end();
      expect((await read).equals(whole)).toBe(true);
    }
  });

  it('may be empty, or exactly as large as is allowed', async () => {
    const empty = startReading(10);
    empty.body.end();
    expect((await empty.read).length).toBe(0);
    const full = startReading(10);
    full.body.write('01234');
    full.body.end('56789');
    expect((await full.read).toString()).toBe('0123456789');
  });

  it('is refused when it turns out too large, or says so', async () => {
    const { body, read } = startReading(10);
    body.write('0123456789');
    body.write('x');
    await expect(read).rejects.toMatchObject({ code: 'body_too_large' });
    for (const length of ['11', '100', '0011']) {
      await expect(startReading(10, { 'content-length': length }).read).rejects.toMatchObject({ code: 'body_too_large' });
    }
  });

  it('of single bytes is copied as it comes: kept as objects, they would take a hundred times its memory', async () => {
    const { body, read } = startReading(1000);
    const chunk = Buffer.from('a');
    body.emit('data', Buffer.from('a'));
    for (let count = 0; count < 999; count += 1) body.emit('data', chunk);
    chunk.fill('x');
    body.end();
    expect((await read).toString()).toBe('a'.repeat(1000));
  });

  it('that its caller abandons ends the wait', async () => {
    const { body, read, reader } = startReading(10);
    body.write('0');
    reader.abandon();
    await expect(read).rejects.toMatchObject({ code: 'client_closed_request' });
  });
});
