import { chatEvents, createTestCertificate, Gate, respond } from '@weir/testing';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import { waitFor } from '../support/wait-for';
import { NginxServer } from './nginx-server';
import { Load, TlsCaller } from './tls-caller';
import { MODEL, TwoNodes } from './two-nodes';

const MEGABYTE = 1024 * 1024;
const toBody = (content: string, fields: object = {}): object => ({ model: MODEL, messages: [{ role: 'user', content }], ...fields });

const nodes = new TwoNodes();
let nginx: NginxServer;
let caller: TlsCaller;

beforeAll(async () => {
  await nodes.start();
  nginx = await NginxServer.prepare({ WEIR_NODES: nodes.places.join(' ') });
  caller = new TlsCaller(nginx.url, await nginx.writeCertificate());
  await nginx.start();
});
afterAll(async () => {
  await nginx.stop();
  await nodes.stop();
});
beforeEach(() => nodes.simulator.reset());

const ask = (content: string, fields: object = {}) => caller.send({ path: '/v1/chat/completions', key: nodes.key, body: toBody(content, fields) });
const openStream = () => caller.open({ path: '/v1/chat/completions', key: nodes.key, body: toBody('a stream', { stream: true }) });
const reload = async (): Promise<void> => expect(await nginx.runScript('reload.sh')).toMatchObject({ code: 0 });

describe('Nginx in front of two Weirs', () => {
  it('hands a stream on piece by piece: each event is there before the upstream sends the next', async () => {
    const events = chatEvents('one two three four');
    const gates = events.map(() => new Gate());
    nodes.simulator.always(respond.stream(...events.flatMap((event, index) => [gates[index], event])));
    const opened = openStream();
    gates[0].open();
    const answer = await opened;
    expect(answer.headers).toMatchObject({ 'content-type': expect.stringContaining('text/event-stream'), 'cache-control': 'no-cache, no-transform' });
    // Weir adds nothing and takes out the usage, which nobody asked for here: the words are looked for.
    for (const [index, event] of events.entries()) {
      gates[index].open();
      const [, words] = /"content":("[^"]+")/.exec(event) ?? [];
      if (words !== undefined) await answer.readUntil(words);
    }
    expect(await answer.readToEnd()).toMatch(/data: \[DONE\]\n\n$/);
  });

  it('passes a body of 40 MB, and refuses one beyond the limit in the form that SDKs read', async () => {
    nodes.simulator.always(respond.echo());
    const large = await ask('x'.repeat(40 * MEGABYTE), { max_tokens: 1 });
    expect(large.status).toBe(200);
    expect(nodes.simulator.calls[0].body.length).toBeGreaterThan(40 * MEGABYTE);
    // The length alone decides: nobody has to send 52 MB to hear it.
    const refused = await caller.sendRaw(`POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${nodes.key}\r\ncontent-length: ${52 * MEGABYTE}\r\n\r\n{`);
    expect(refused).toMatch(/^HTTP\/1\.1 413 [^]*"code":"body_too_large"/);
    expect(nodes.simulator.calls).toHaveLength(1);
  });

  it('sends plain HTTP to HTTPS, and speaks TLS 1.2, TLS 1.3 and HTTP/2, nothing older', async () => {
    const redirect = await fetch(`${nginx.httpUrl}/v1/models?limit=1`, { redirect: 'manual' });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([308, 'https://127.0.0.1/v1/models?limit=1']);
    const shake = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> => {
      const socket = connect({ host: '127.0.0.1', port: nginx.httpsPort, minVersion: version, maxVersion: version, rejectUnauthorized: false, ciphers: 'DEFAULT@SECLEVEL=0' });
      try {
        await once(socket, 'secureConnect');
        return socket.getProtocol();
      } catch {
        return null;
      } finally {
        socket.destroy();
      }
    };
    expect(await Promise.all([shake('TLSv1.1'), shake('TLSv1.2'), shake('TLSv1.3')])).toEqual([null, 'TLSv1.2', 'TLSv1.3']);
    const session = connectHttp2(nginx.url, { rejectUnauthorized: false });
    const stream = session.request({ ':path': '/livez' });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    session.destroy();
    expect(headers[':status']).toBe(200);
  });

  it('puts the security headers on every answer, its own and Weir\'s, each once', async () => {
    const expected = {
      'strict-transport-security': 'max-age=31536000',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      server: 'nginx',
    };
    for (const path of ['/v1/models', '/livez', '/admin', '/nothing']) {
      expect(await caller.send({ method: 'GET', path })).toMatchObject({ headers: expected });
    }
  });

  it('leads nobody to the admin API or the metrics, however the path is written', async () => {
    const paths = ['/admin', '/admin/keys', '/admin/docs', '/metrics', '//admin/keys', '/%61dmin/keys', '/v1/../admin/keys', '/v1/%2e%2e/metrics', '/./metrics'];
    for (const path of paths) {
      const answer = await caller.sendRaw(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${nodes.nodes[0].adminKey}\r\nconnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    }
  });

  it('refuses what is smuggled or oversized, and Weir never hears of it', async () => {
    const lines = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${nodes.key}\r\ncontent-type: application/json\r\n`;
    const body = JSON.stringify(toBody('smuggled'));
    const smuggled = {
      'both lengths': `${lines}content-length: ${body.length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      'two lengths': `${lines}content-length: 5\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      'an unknown coding': `${lines}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
      'no number': `${lines}content-length: 1x\r\n\r\n${body}`,
      'a chunk that is none': `${lines}transfer-encoding: chunked\r\n\r\nzz\r\n${body}\r\n0\r\n\r\n`,
      'a head of 100 kB': `${lines}x-filler: ${'x'.repeat(100_000)}\r\n\r\n`,
      'a path of 100 kB': `GET /v1/models?${'x'.repeat(100_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
      'two hosts': `${lines}host: other\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    };
    for (const [what, bytes] of Object.entries(smuggled)) {
      const answer = await caller.sendRaw(bytes);
      expect(`${what}: ${answer.split('\r\n')[0]}`).toMatch(/: HTTP\/1\.1 (400|414|431|501) /);
    }
    expect(nodes.simulator.calls).toHaveLength(0);
  });

  it.each([
    ['a control character in its address', 'GET /v1/models?key=\x01 HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['a version that there is not', 'GET /v1/models HTTP/0.9\r\n\r\n', 400],
    ['no path', 'CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['an address that is too long', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`, 414],
    ['a method that shows what came', 'TRACE /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n', 405],
  ])('refuses a request with %s in words that a client understands', async (_what, bytes, status) => {
    const [head, body] = (await caller.sendRaw(bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(body)).toMatchObject({ error: { type: 'invalid_request_error' } });
  });

  it('writes no key into a log, neither from a query nor from a header, also when the request is refused', async () => {
    const canary = 'sk-weir-canary-4711';
    await caller.send({ method: 'GET', path: `/v1/models?key=${nodes.key}` });
    await caller.send({ method: 'GET', path: `/v1/models?key=${canary}`, key: canary });
    await caller.send({ method: 'GET', path: `/admin?key=${canary}` });
    // Escaped, the question mark is one of the path.
    await caller.send({ method: 'GET', path: `/v1/models%3Fkey=${canary}` });
    await caller.send({ method: 'GET', path: `/v1/models/${canary}` });
    await caller.sendRaw(`GET /v1/models?key=${canary} HTTP/1.1\r\nbroken ${canary}\r\n\r\n`);
    await fetch(`${nginx.httpUrl}/v1/models?key=${canary}`, { redirect: 'manual' });
    const asked = await ask('Hello');
    const { access, error } = await waitFor(async () => {
      const logs = await nginx.readLogs();
      return logs.access.includes(String(asked.headers['x-request-id'])) ? logs : null;
    }, { what: "the answer's id in the access log" });
    expect(access + error).not.toContain(canary);
    expect(access + error).not.toContain(nodes.key);
    expect(access).toContain('"GET /v1/models HTTP/1.1" 200');
  });

  it('takes another certificate by a reload, and neither an open stream nor a call under load is lost', async () => {
    const gate = new Gate();
    const [first, ...rest] = chatEvents('across the reload');
    nodes.simulator.enqueue(respond.stream(first, gate, ...rest));
    const stream = await openStream();
    const certificate = await nginx.writeCertificate();
    const next = new TlsCaller(nginx.url, certificate);
    // Of the callers in between some see the old one and some the new one.
    const either = new TlsCaller(nginx.url, null);
    const load = new Load(4, () => either.send({ path: '/v1/chat/completions', key: nodes.key, body: toBody('under load') }));
    await waitFor(() => load.answered >= 20);
    await reload();
    await waitFor(async () => (await next.send({ method: 'GET', path: '/livez' })).status === 200, { what: 'the new certificate' });
    const seen = load.answered;
    await waitFor(() => load.answered >= seen + 20);
    await load.stop();
    expect(load.failures).toEqual([]);
    gate.open();
    expect(await stream.readToEnd()).toMatch(/data: \[DONE\]\n\n$/);
    caller = next;
  });

  it('keeps the certificate in use when the new one and its key do not belong together', async () => {
    const good = await readFile(nginx.path('fullchain.pem'), 'utf8');
    await writeFile(nginx.path('fullchain.pem'), createTestCertificate().certificate);
    const { code, output } = await nginx.runScript('reload.sh');
    expect(code).toBe(1);
    expect(output).toMatch(/^configure\.sh: \S+fullchain\.pem and \S+privkey\.pem do not belong together: put a pair there, or name one in WEIR_CERTIFICATE and WEIR_CERTIFICATE_KEY\n$/);
    expect((await ask('still here')).status).toBe(200);
    await writeFile(nginx.path('fullchain.pem'), good);
  });
});
