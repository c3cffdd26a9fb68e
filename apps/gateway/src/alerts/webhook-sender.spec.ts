import { type LookupAddress } from 'node:dns';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { createTestCertificate } from '@weir/testing';
import { type ResolveAll } from './to-guarded-lookup';
import { WebhookSender, type WebhookSenderOptions } from './webhook-sender';

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server;
let port: number;
let received: Received[];
let respond: (response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
      respond(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  received = [];
  respond = (response) => response.writeHead(204).end();
});

/** Answers whatever name with these addresses, and remembers what it was asked. */
function resolveTo(...addresses: string[]): { resolve: ResolveAll; asked: string[] } {
  const asked: string[] = [];
  const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return {
    asked,
    resolve: (hostname, callback) => {
      asked.push(hostname);
      setImmediate(() => callback(null, found));
    },
  };
}

function post(url: string, { allowPrivate = true, signal, ...options }: WebhookSenderOptions & { allowPrivate?: boolean; signal?: AbortSignal } = {}) {
  return new WebhookSender(options).post({ url, headers: { 'webhook-id': 'i' }, body: '{"caf\u00e9":1}', allowPrivate, signal });
}

describe('WebhookSender', () => {
  it('posts the body and the headers', async () => {
    expect(await post(`http://127.0.0.1:${port}/hook?a=b`)).toEqual({ isDelivered: true, status: 204 });
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ method: 'POST', url: '/hook?a=b', body: '{"caf\u00e9":1}' });
    expect(received[0].headers).toMatchObject({ 'webhook-id': 'i', 'content-type': 'application/json', 'content-length': '11', host: `127.0.0.1:${port}` });
  });

  it('posts through TLS, to a certificate that it trusts only', async () => {
    const { privateKey: key, certificate: cert } = createTestCertificate();
    const tls = createTlsServer({ key, cert }, (request, response) => {
      request.resume();
      response.end();
    });
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
    const url = `https://localhost:${(tls.address() as AddressInfo).port}/`;
    const { resolve } = resolveTo('127.0.0.1');
    expect(await post(url, { resolve, ca: cert })).toEqual({ isDelivered: true, status: 200 });
    expect(await post(url, { resolve })).toMatchObject({ isDelivered: false, status: null, error: expect.stringMatching(/CERT|SELF_SIGNED/) });
    tls.closeAllConnections();
    tls.close();
  });

  it.each(['http://127.0.0.1', 'http://127.1', 'http://0x7f000001', 'http://[::1]', 'http://[::ffff:127.0.0.1]', 'http://0.0.0.0', 'http://169.254.169.254'])('never connects to %s', async (origin) => {
    expect(await post(`${origin}:${port}/`, { allowPrivate: false })).toEqual({ isDelivered: false, status: null, error: 'address_not_public' });
    expect(received).toEqual([]);
  });

  it('never connects by a name that stands for a private address', async () => {
    const { resolve, asked } = resolveTo('127.0.0.1');
    expect(await post(`http://alerts.example:${port}/`, { resolve, allowPrivate: false })).toEqual({ isDelivered: false, status: null, error: 'address_not_public' });
    expect(asked).toEqual(['alerts.example']);
    expect(received).toEqual([]);
    expect(await post(`http://alerts.example:${port}/`, { resolve })).toMatchObject({ isDelivered: true });
  });

  it('never connects by a name of which one address is private, wherever it stands among public ones', async () => {
    for (const addresses of [['93.184.216.34', '127.0.0.1'], ['127.0.0.1', '93.184.216.34'], ['2606:4700::1', '::1'], []]) {
      const { resolve } = resolveTo(...addresses);
      expect(await post(`http://alerts.example:${port}/`, { resolve, allowPrivate: false })).toMatchObject({ error: 'address_not_public' });
    }
    expect(received).toEqual([]);
  });

  it('connects to what was checked: the name is asked for once', async () => {
    const asked: string[] = [];
    // Public first and private the second time, as a rebinding name server answers.
    const resolve: ResolveAll = (hostname, callback) => {
      asked.push(hostname);
      setImmediate(() => callback(null, [{ address: asked.length === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }]));
    };
    const sender = new WebhookSender({ resolve, timeoutMs: 200 });
    await sender.post({ url: `http://alerts.example:${port}/`, headers: {}, body: '', allowPrivate: true });
    expect(asked).toHaveLength(1);
    expect(received).toEqual([]);
  });

  it('does not follow a redirect', async () => {
    respond = (response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ isDelivered: false, status: 302, error: 'redirect' });
    expect(received).toHaveLength(1);
  });

  it('tells failing receivers apart', async () => {
    respond = (response) => response.writeHead(500).end('x'.repeat(100));
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ isDelivered: false, status: 500, error: 'status' });
    respond = (response) => response.destroy();
    expect(await post(`http://127.0.0.1:${port}/`)).toMatchObject({ isDelivered: false, error: 'ECONNRESET' });
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port: closedPort } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    expect(await post(`http://127.0.0.1:${closedPort}/`)).toMatchObject({ isDelivered: false, error: 'ECONNREFUSED' });
    expect(await post('ftp://127.0.0.1/')).toMatchObject({ error: 'invalid_url' });
    expect(await post('nonsense')).toMatchObject({ error: 'invalid_url' });
  });

  it('does not wait for a receiver longer than its time', async () => {
    respond = () => undefined;
    expect(await post(`http://127.0.0.1:${port}/`, { timeoutMs: 50 })).toEqual({ isDelivered: false, status: null, error: 'timeout' });
  });

  it('does not read an answer that never ends', async () => {
    const closed = new Promise<void>((resolve) => {
      respond = (response) => {
        response.writeHead(200);
        const write = (): void => void (response.write('x'.repeat(1000)) && setImmediate(write));
        response.on('drain', write);
        response.on('close', resolve);
        write();
      };
    });
    expect(await post(`http://127.0.0.1:${port}/`, { timeoutMs: 60_000 })).toEqual({ isDelivered: true, status: 200 });
    await closed;
  });

  it('is cut by the signal', async () => {
    const closing = new AbortController();
    respond = () => closing.abort();
    expect(await post(`http://127.0.0.1:${port}/`, { signal: closing.signal })).toMatchObject({ isDelivered: false, status: null });
  });
});
