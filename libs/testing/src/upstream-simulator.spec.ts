import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import OpenAI from 'openai';
import { chatEvents, cut, cutInto, Gate, pause, RawClient, type Reply, reset, respond, stall, UpstreamSimulator } from '@weir/testing';

const PATH = '/v1/chat/completions';
const CHAT = { model: 'gpt', messages: [{ role: 'user', content: 'hello there' }] };
const BODY = '{"whole":true}';

describe('UpstreamSimulator', () => {
  const simulator = new UpstreamSimulator();
  const clients: RawClient[] = [];

  beforeAll(() => simulator.start());
  afterAll(() => simulator.stop());
  afterEach(() => {
    for (const client of clients.splice(0)) client.leave();
    simulator.reset();
  });

  async function open(headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.connect(simulator.origin);
    clients.push(client);
    client.sendJson(PATH, CHAT, headers);
    return client;
  }

  const post = (body: unknown = CHAT, headers: Record<string, string> = {}) =>
    fetch(simulator.origin + PATH, { method: 'POST', body: JSON.stringify(body), headers, redirect: 'manual' });

  async function endOf(reply: Reply) {
    simulator.enqueue(reply);
    const end = await (await open()).readToEnd();
    const [head, ...body] = end.bytes.split('\r\n\r\n');
    return { ...end, head, body: body.join('\r\n\r\n') };
  }

  describe('unscripted', () => {
    it('answers the official SDK, whole and streamed', async () => {
      const client = new OpenAI({ baseURL: simulator.baseUrl, apiKey: 'sk-a', maxRetries: 0 });
      const messages = [{ role: 'user' as const, content: 'hello there' }];
      const answer = await client.chat.completions.create({ model: 'gpt', messages });
      const streamed = await client.chat.completions.stream({ model: 'gpt', messages }).finalChatCompletion();
      expect(answer.choices[0].message.content).toBe('hello there');
      expect(streamed.choices[0].message.content).toBe('hello there');
      expect(simulator.calls.map((call) => [call.key, call.outcome])).toEqual([['sk-a', 'finished'], ['sk-a', 'finished']]);
    });

    it('answers on both of Azure\'s paths', async () => {
      for (const path of ['/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21', '/openai/v1/chat/completions']) {
        const answer = await fetch(simulator.origin + path, { method: 'POST', body: JSON.stringify(CHAT), headers: { 'api-key': 'az' } });
        await expect(answer.json()).resolves.toMatchObject({ choices: [{ message: { content: 'hello there' } }] });
      }
      expect(simulator.calls[0].key).toBe('az');
    });

    it('refuses a bad request in OpenAI\'s shape', async () => {
      const answer = await post({ model: 'gpt' });
      expect(answer.status).toBe(400);
      await expect(answer.json()).resolves.toMatchObject({ error: { param: 'messages' } });
    });
  });

  describe('records', () => {
    it('the method, path, headers, key and exact bytes of every call', async () => {
      await post(CHAT, { authorization: 'Bearer sk-b', 'x-extra': '1' });
      const [call] = await simulator.waitForCalls(1);
      expect(call).toMatchObject({ index: 0, method: 'POST', path: PATH, key: 'sk-b', isBodyWhole: true, text: JSON.stringify(CHAT), json: CHAT });
      expect(call.headers['x-extra']).toBe('1');
      expect(call.rawHeaders).toContain('x-extra');
      expect(call.atMs).toBeLessThanOrEqual(Date.now());
    });

    it('a client that leaves in the middle of a stream, and which call it was', async () => {
      simulator.enqueue(respond.echo(), respond.stream('data: {}\n\n', stall));
      await post().then((answer) => answer.text());
      const client = await open();
      await client.readUntil('data: {}');
      client.leave();
      const aborted = await simulator.waitForAbort();
      expect(aborted.index).toBe(1);
      expect(aborted.abortedAtMs).not.toBeNull();
      expect(simulator.calls[0].outcome).toBe('finished');
    });

    it('a client that leaves before the head, by FIN or by reset', async () => {
      simulator.always(respond.never());
      const [polite, rude] = [await open(), await open()];
      await simulator.waitForCalls(2);
      polite.leave();
      rude.reset();
      for (const call of simulator.calls) await simulator.waitForAbort(call);
    });

    it('a client that leaves in the middle of its own body', async () => {
      const client = await RawClient.connect(simulator.origin);
      client.send(`POST ${PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`);
      client.socket.end();
      const call = await simulator.waitForAbort();
      expect(call).toMatchObject({ isBodyWhole: false, outcome: 'aborted' });
      client.leave();
    });

    it('no abort when it breaks the connection itself', async () => {
      await endOf(respond.resetBeforeHead());
      expect(simulator.calls[0].outcome).toBe('finished');
    });

    it('how many connections are open', async () => {
      const before = simulator.openConnections;
      simulator.always(respond.never());
      const client = await open();
      await simulator.waitForOpenConnections(before + 1);
      client.leave();
      await simulator.waitForOpenConnections(before);
    });

    it('says what it waited for in vain', async () => {
      const impatient = await new UpstreamSimulator({ patienceMs: 1 }).start();
      await expect(impatient.waitForCalls(2)).rejects.toThrow('2 calls, 0 came');
      await impatient.stop();
    });
  });

  describe('chooses', () => {
    it('by always, then key or path, then queue, then default', async () => {
      const statusOf = async (key: string) => (await post(CHAT, { authorization: `Bearer ${key}` })).status;
      simulator.default(respond.status(500));
      simulator.enqueue(respond.status(501), respond.status(502));
      simulator.forKey('sk-a', respond.status(401), respond.status(403));
      expect(await statusOf('sk-a')).toBe(401);
      expect(await statusOf('sk-b')).toBe(501);
      expect(await statusOf('sk-a')).toBe(403);
      expect(await statusOf('sk-a')).toBe(403);
      simulator.always(respond.status(418));
      expect(await statusOf('sk-a')).toBe(418);
      simulator.always(null);
      expect(await statusOf('sk-b')).toBe(502);
      expect(await statusOf('sk-b')).toBe(500);
      simulator.forPath(PATH, respond.status(404));
      expect(await statusOf('sk-b')).toBe(404);
    });
  });

  describe('head', () => {
    it('waits for a gate, with not a byte before it', async () => {
      const gate = new Gate();
      simulator.enqueue(respond.json({}).after(1).after(gate));
      const client = await open();
      await simulator.waitForCalls(1);
      expect(client.bytes).toBe('');
      gate.open();
      await client.readUntil('200 OK');
    });

    it.each([
      ['before it', respond.resetBeforeHead(), ''],
      ['in it', respond.resetInHead(), 'HTTP/1.1 200 OK\r\ncontent-ty'],
    ])('is broken by a TCP reset %s', async (_where, reply, bytes) => {
      expect(await endOf(reply)).toMatchObject({ bytes, errorCode: 'ECONNRESET' });
    });

    it('never comes when the connection is closed instead', async () => {
      expect(await endOf(respond.closeBeforeHead())).toMatchObject({ bytes: '', errorCode: null });
    });

    it('can be all there is', async () => {
      simulator.enqueue(respond.headOnly());
      const client = await open();
      await client.readUntil('\r\n\r\n');
      expect(client.bytes).toContain('text/event-stream');
      client.leave();
      await simulator.waitForAbort(simulator.calls[0]);
    });

    it('is no HTTP at all when the script says so', async () => {
      expect(await endOf(respond.raw('SSH-2.0-nonsense\r\n'))).toMatchObject({ bytes: 'SSH-2.0-nonsense\r\n', errorCode: null });
    });

    it('can be huge', async () => {
      simulator.enqueue(respond.hugeHeaders(100_000));
      const client = await open();
      expect(await client.readUntil('{}')).toContain('x'.repeat(100_000));
    });
  });

  describe('body', () => {
    it('is broken by a TCP reset in its middle', async () => {
      const end = await endOf(respond.resetMidBody(BODY));
      expect(end).toMatchObject({ body: BODY, errorCode: 'ECONNRESET' });
      expect(end.head).toContain(`content-length: ${BODY.length + 1}`);
    });

    it('has fewer or more bytes than its head says', async () => {
      expect(await endOf(respond.wrongContentLength(BODY, 500))).toMatchObject({ body: BODY, errorCode: null, head: expect.stringContaining('content-length: 500') });
      expect(await endOf(respond.wrongContentLength(BODY, 3))).toMatchObject({ body: BODY, head: expect.stringContaining('content-length: 3') });
    });

    it('ends in the middle of a chunk', async () => {
      const end = await endOf(respond.truncatedChunked(BODY));
      expect(end.head).toContain('transfer-encoding: chunked');
      expect(end.body).toBe(`18\r\n${BODY}`);
    });

    it('ends where the connection ends', async () => {
      expect(await endOf(respond.untilClose(BODY))).toMatchObject({ body: BODY, errorCode: null });
    });

    it.each([
      ['HTML under 200', respond.html(), 200, 'text/html', '<html>'],
      ['half a JSON under 200', respond.notJson(), 200, 'application/json', '{"id"'],
      ['an error object under 200', respond.json({ error: { message: 'no' } }), 200, 'application/json', '"error"'],
      ['plain text', respond.status(502, 'bad gateway'), 502, 'text/plain', 'bad gateway'],
      ['OpenAI\'s bad key', respond.openAiError('invalid_api_key'), 401, 'application/json', '"code":"invalid_api_key"'],
      ['OpenAI\'s quota', respond.openAiError('insufficient_quota'), 429, 'application/json', '"type":"insufficient_quota"'],
      ['Azure\'s numeric code', respond.azureError('unauthorized'), 401, 'application/json', '"code":"401"'],
      ['Azure\'s content filter', respond.azureError('content_filter'), 400, 'application/json', '"innererror"'],
      ['a default error for a status', respond.status(503), 503, 'application/json', '"message":"Service Unavailable"'],
    ])('is %s', async (_what, reply, status, type, part) => {
      simulator.enqueue(reply);
      const answer = await post();
      expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([status, type]);
      expect(await answer.text()).toContain(part);
    });

    it('is empty, redirects, or is compressed', async () => {
      simulator.enqueue(respond.empty(), respond.redirect('http://127.0.0.1:1/'));
      expect(await (await post()).text()).toBe('');
      const redirect = await post();
      expect([redirect.status, redirect.headers.get('location')]).toEqual([302, 'http://127.0.0.1:1/']);
      simulator.enqueue(respond.gzip({ a: 1 }).withHeaders({ connection: 'close' }));
      const end = await (await open()).readToEnd();
      const [head, body] = end.bytes.split('\r\n\r\n');
      expect(head).toContain('content-encoding: gzip');
      expect(gunzipSync(Buffer.from(body, 'latin1')).toString()).toBe('{"a":1}');
    });

    it('is as huge as asked for', async () => {
      simulator.enqueue(respond.huge(3_000_000));
      expect(await (await post()).text()).toHaveLength(3_000_000);
    });

    it('comes a few bytes at a time', async () => {
      simulator.enqueue(respond.slowly(BODY, { pieceBytes: 5, gapMs: 1 }));
      await expect((await post()).json()).resolves.toEqual({ whole: true });
    });

    it('asks to wait in seconds, in milliseconds, or not at all', async () => {
      simulator.enqueue(respond.rateLimited({ retryAfterSeconds: 2 }), respond.rateLimited({ retryAfterMs: 1500 }), respond.rateLimited());
      const waits = [];
      for (let call = 0; call < 3; call++) {
        const { status, headers } = await post();
        waits.push([status, headers.get('retry-after'), headers.get('retry-after-ms')]);
      }
      expect(waits).toEqual([[429, '2', null], [429, null, '1500'], [429, null, null]]);
    });
  });

  describe('stream', () => {
    it('sends each step as a chunk of its own', async () => {
      simulator.enqueue(respond.stream(...cutInto.bytes(['data: é\n\n'])).withHeaders({ connection: 'close' }));
      const end = await (await open()).readToEnd();
      const frames = [...Buffer.from('data: é\n\n')].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`);
      expect(end.bytes.split('\r\n\r\n').slice(1).join('\r\n\r\n')).toBe(`${frames.join('')}0\r\n\r\n`);
    });

    it('waits in its middle for the test', async () => {
      const gate = new Gate();
      simulator.enqueue(respond.stream('data: one\n\n', pause(1), gate, 'data: two\n\n'));
      const client = await open();
      await client.readUntil('data: one');
      expect(client.bytes).not.toContain('two');
      gate.open();
      await client.readUntil('0\r\n\r\n');
      expect(client.bytes).toContain('data: two');
    });

    it('ends early and cleanly, without [DONE]', async () => {
      simulator.enqueue(respond.stream(...chatEvents('hi', { done: false })));
      const body = await (await post()).text();
      expect(body).toContain('"finish_reason":"stop"');
      expect(body).not.toContain('[DONE]');
    });

    it.each([
      ['a reset', reset, 'ECONNRESET'],
      ['a close without the last chunk', cut, null],
    ])('ends by %s', async (_how, ending, errorCode) => {
      const end = await endOf(respond.stream('data: one\n\n', ending));
      expect(end).toMatchObject({ errorCode, body: 'b\r\ndata: one\n\n\r\n' });
    });
  });

  describe('connections', () => {
    it('are refused after stop(), and taken again on the same port after start()', async () => {
      const other = await new UpstreamSimulator().start();
      const { origin } = other;
      await other.stop();
      await expect(fetch(origin)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
      await other.start();
      expect(other.origin).toBe(origin);
      await fetch(origin);
      await other.stop();
    });

    it('are broken by stop(), which is no abort of the client\'s', async () => {
      const other = await new UpstreamSimulator().start();
      other.always(respond.never());
      const client = await RawClient.connect(other.origin);
      client.sendJson(PATH, CHAT);
      const [call] = await other.waitForCalls(1);
      await other.stop();
      await client.readToEnd();
      expect(call.outcome).toBe('finished');
    });

    it('are broken before a word when so told', async () => {
      simulator.resetNewConnections(true);
      // The reset may come before or after the client has learned that it is connected.
      const end = await open().then((client) => client.readToEnd(), (error: NodeJS.ErrnoException) => ({ errorCode: error.code, bytes: '' }));
      expect(end).toMatchObject({ bytes: '', errorCode: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
    });
  });

  it('fails the test whose script is wrong in itself', async () => {
    const other = await new UpstreamSimulator().start();
    other.enqueue(respond.json({}).withHeaders({ 'bad name': '1' }));
    await expect(fetch(other.origin)).rejects.toThrow('fetch failed');
    await expect(other.stop()).rejects.toThrow('bad name');
  });
});

describe('UpstreamSimulator over TLS', () => {
  it('is trusted by its certificate alone, and still breaks connections on the wire', async () => {
    const simulator = await new UpstreamSimulator({ tls: true }).start();
    const ask = (ca: string | undefined) =>
      new Promise<string>((resolve, reject) => {
        const request = httpsRequest(simulator.origin + PATH, { method: 'POST', ca, agent: false }, (response) => {
          text(response).then(resolve, reject);
        });
        request.once('error', reject).end(JSON.stringify(CHAT));
      });
    const ca = simulator.certificate?.certificate;
    expect(await ask(ca)).toContain('hello there');
    await expect(ask(undefined)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    simulator.enqueue(respond.resetBeforeHead(), respond.wrongContentLength(BODY, BODY.length));
    await expect(ask(ca)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await ask(ca)).toBe(BODY);
    await simulator.stop();
  });
});
