import { chatEvents, Gate, RawClient, respond } from '@weir/testing';
import { randomBytes } from 'node:crypto';
import OpenAI, { ConflictError } from 'openai';
import { chat, type ChatAnswer, openChat, readAnswer, repeat } from './support/chat';
import { MeterScene, USD } from './support/meter-scene';
import { startPrivatePostgres, type TestPostgres } from './support/postgres';
import { waitFor } from './support/wait-for';

const MODEL = 'priced';
const CENT = USD / 100;
const newName = (): string => `e2e-${randomBytes(12).toString('hex')}`;

describe('Idempotency-Key over two processes', () => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start({ processes: 2 });
    await scene.makeModel(MODEL, { per_request_usd: '0.01' });
    await scene.makeModel('another', { per_request_usd: '0.01' });
  });
  afterAll(() => scene.stop());
  beforeEach(() => scene.simulator.reset());

  const ask = (index: number, key: string, name: string, options: Parameters<typeof chat>[3] = {}): Promise<ChatAnswer> =>
    chat(scene.weirs[index], key, MODEL, { ...options, headers: { ...options.headers, 'idempotency-key': name } });

  /** The answer is stored a moment after its last byte: until then the key is still running. */
  const askAgain = (index: number, key: string, name: string, options: Parameters<typeof chat>[3] = {}): Promise<ChatAnswer> =>
    waitFor(
      async () => {
        const answer = await ask(index, key, name, options);
        return answer.status === 409 ? null : answer;
      },
      { what: 'the answer to be stored' },
    );

  it.each([
    ['a plain answer', false],
    ['a stream', true],
  ])('gives %s again, byte for byte, on either process; charged once, one row', async (_what, stream) => {
    const { id, key } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: 1, period: 'month' }] });
    const name = newName();
    const options = { stream, content: 'Grüß Gott 👋 once' };
    const first = await ask(0, key, name, options);
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([200, null]);
    for (const index of [1, 0, 1]) {
      const again = await askAgain(index, key, name, options);
      expect(again.text).toBe(first.text);
      expect(again.status).toBe(200);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      for (const header of ['content-type', 'x-request-id', 'cache-control', 'x-accel-buffering', 'x-weir-upstream']) expect(again.headers.get(header)).toBe(first.headers.get(header));
      // The limits are others by now.
      expect(again.headers.get('x-ratelimit-remaining-requests')).toBeNull();
    }
    expect(scene.simulator.calls).toHaveLength(1);
    expect(await scene.settledNanos(id)).toBe(CENT);
    await waitFor(async () => (await scene.sumLedger(id)).rows > 0);
    expect(await scene.sumLedger(id)).toEqual({ rows: 1, requests: 1, costNanos: CENT });
  });

  it('is understood by the official SDK, streamed and not', async () => {
    const { key } = await scene.makeKey(MODEL);
    const clients = scene.weirs.map(({ url }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 5 }));
    const messages = [{ role: 'user' as const, content: 'Hello from the SDK' }];
    const [plainName, streamName] = [newName(), newName()];
    const answers = [];
    for (const client of clients) answers.push(await client.chat.completions.create({ model: MODEL, messages }, { headers: { 'Idempotency-Key': plainName } }));
    expect(answers[1]).toEqual(answers[0]);
    const streams: unknown[][] = [];
    for (const client of clients) {
      const chunks: unknown[] = [];
      for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, stream: true }, { headers: { 'Idempotency-Key': streamName } })) chunks.push(chunk);
      streams.push(chunks);
    }
    expect(streams[0].length).toBeGreaterThan(3);
    expect(streams[1]).toEqual(streams[0]);
    expect(scene.simulator.calls).toHaveLength(2);
  });

  it('is 409 on both processes while the first runs, and nothing else happens', async () => {
    const { id, key } = await scene.makeKey(MODEL, { limits: { rpm: 5 } });
    const [name, gate] = [newName(), new Gate()];
    scene.simulator.enqueue(respond.echo().after(gate));
    const first = ask(0, key, name);
    await scene.simulator.waitForCalls(1);
    for (const index of [0, 1]) {
      const refused = await ask(index, key, name);
      expect([refused.status, refused.body.error.code]).toEqual([409, 'idempotency_conflict']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    const { error } = await new OpenAI({ baseURL: `${scene.weirs[1].url}/v1`, apiKey: key, maxRetries: 0 }).chat.completions
      .create({ model: MODEL, messages: [{ role: 'user', content: 'Hello, Weir!' }] }, { headers: { 'Idempotency-Key': name } })
      .then(
        () => ({ error: null }),
        (thrown: unknown) => ({ error: thrown }),
      );
    expect(error).toBeInstanceOf(ConflictError);
    gate.open();
    const { text, headers } = await first;
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('4');
    expect((await askAgain(1, key, name)).text).toBe(text);
    expect(scene.simulator.calls).toHaveLength(1);
    await waitFor(async () => (await scene.sumLedger(id)).rows === 1);
  });

  it('of twenty at once on both processes runs one', async () => {
    const { id, key } = await scene.makeKey(MODEL);
    const name = newName();
    const answers = await repeat(20, (index) => ask(index % 2, key, name));
    expect(scene.simulator.calls).toHaveLength(1);
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses.filter((status) => ![200, 409].includes(status))).toEqual([]);
    await waitFor(async () => (await scene.sumLedger(id)).rows === 1);
  });

  it('is 422 for another body under the same key, whether the first runs or has ended', async () => {
    const { key } = await scene.makeKey(MODEL);
    const [name, gate] = [newName(), new Gate()];
    scene.simulator.enqueue(respond.echo().after(gate));
    const first = ask(0, key, name);
    await scene.simulator.waitForCalls(1);
    for (const index of [0, 1]) {
      const refused = await ask(index, key, name, { content: 'Something else' });
      expect([refused.status, refused.body.error.code, refused.headers.get('x-should-retry')]).toEqual([422, 'idempotency_mismatch', 'false']);
    }
    gate.open();
    await first;
    await askAgain(0, key, name);
    for (const index of [0, 1]) expect((await ask(index, key, name, { content: 'Something else' })).status).toBe(422);
    expect((await ask(1, key, name, { fields: { temperature: 1 } })).status).toBe(422);
    expect(scene.simulator.calls).toHaveLength(1);
  });

  it('keeps the names of two keys apart', async () => {
    const [one, other] = [await scene.makeKey(MODEL), await scene.makeKey(MODEL)];
    const name = newName();
    expect((await ask(0, one.key, name, { content: 'of the first' })).status).toBe(200);
    const answer = await ask(1, other.key, name, { content: 'of the second' });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('of the second');
    expect(scene.simulator.calls).toHaveLength(2);
  });

  it('is free again after an upstream failed, a stream broke off, or the caller left', async () => {
    const { key } = await scene.makeKey(MODEL);
    const failed = newName();
    scene.simulator.always(respond.status(500));
    expect((await ask(0, key, failed)).status).toBeGreaterThanOrEqual(500);
    scene.simulator.reset();
    expect((await waitFor(async () => ((await ask(1, key, failed)).status === 200 ? true : null)))).toBe(true);

    const broken = newName();
    scene.simulator.enqueue(respond.stream(...chatEvents('cut in the middle').slice(0, 3), { ending: 'reset' }));
    expect((await ask(0, key, broken, { stream: true })).text).not.toContain('[DONE]');
    const whole = await waitFor(async () => {
      const answer = await ask(1, key, broken, { stream: true });
      return answer.status === 200 ? answer : null;
    });
    expect(whole.text).toContain('[DONE]');
    expect(whole.headers.get('idempotent-replayed')).toBeNull();

    const left = newName();
    scene.simulator.reset();
    scene.simulator.enqueue(respond.never());
    const leaving = new AbortController();
    const open = openChat(scene.weirs[0], key, MODEL, { headers: { 'idempotency-key': left }, signal: leaving.signal }).catch(() => null);
    const [call] = await scene.simulator.waitForCalls(1);
    leaving.abort();
    await open;
    await scene.simulator.waitForAbort(call);
    const after = await askAgain(1, key, left);
    expect([after.status, after.headers.get('idempotent-replayed')]).toEqual([200, null]);
  });

  it('keeps no refusal of Weir’s own: what is raised runs', async () => {
    const { id, key } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.001', period: 'month' }] });
    const name = newName();
    expect((await ask(0, key, name)).status).toBe(429);
    await scene.weir.admin('PATCH', `/keys/${id}`, { budgets: [{ amount_usd: 1, period: 'month' }] });
    await waitFor(async () => (await ask(1, key, name)).status === 200);
    expect(scene.simulator.calls).toHaveLength(1);
  });

  it('gives a provider’s word about the request again, and no second row', async () => {
    const { id, key } = await scene.makeKey(MODEL);
    const name = newName();
    scene.simulator.enqueue(respond.json({ error: { message: 'Bad thing', type: 'invalid_request_error', param: 'messages', code: 'bad' } }, 400));
    const first = await ask(0, key, name);
    expect(first.status).toBe(400);
    const again = await askAgain(1, key, name);
    expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([400, first.text, 'true']);
    expect(scene.simulator.calls).toHaveLength(1);
    await waitFor(async () => (await scene.sumLedger(id)).rows === 1);
  });

  it('does not give an answer to a key that was deleted, or that may not use the model any more', async () => {
    const { id, key } = await scene.makeKey(MODEL);
    const name = newName();
    expect((await ask(0, key, name)).status).toBe(200);
    expect((await askAgain(1, key, name)).status).toBe(200);
    await scene.weir.admin('PATCH', `/keys/${id}`, { models: ['another'] });
    await waitFor(async () => (await ask(1, key, name)).status === 403);
    await scene.weir.admin('DELETE', `/keys/${id}`);
    await waitFor(async () => (await ask(1, key, name)).status === 401);
  });

  it.each<[string, string]>([
    ['nothing in it', 'idempotency-key: \r\n'],
    ['more than 255 characters', `idempotency-key: ${'x'.repeat(256)}\r\n`],
    ['a space inside', 'idempotency-key: one two\r\n'],
    ['other than ASCII', 'idempotency-key: gr\u00fc\u00df\r\n'],
    ['two of them', 'idempotency-key: one\r\nIdempotency-Key: two\r\n'],
    ['the same twice', 'idempotency-key: one\r\nidempotency-key: one\r\n'],
    ['a control character', 'idempotency-key: a\u0001b\r\n'],
  ])('refuses a header with %s, and calls nobody', async (_what, header) => {
    const { key } = await scene.makeKey(MODEL);
    const client = await RawClient.connect(scene.weir.url);
    const body = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'Hi' }] });
    client.send(`POST /v1/chat/completions HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n${header}content-length: ${body.length}\r\n\r\n${body}`);
    const { bytes } = await client.readToEnd();
    expect(bytes).toMatch(/^HTTP\/1\.1 400 /);
    expect(scene.simulator.calls).toHaveLength(0);
    expect((await chat(scene.weir, key, MODEL)).status).toBe(200);
  });

  it('takes the largest name', async () => {
    const { key } = await scene.makeKey(MODEL);
    const name = `!${'~'.repeat(254)}`;
    const first = await ask(0, key, name);
    expect((await askAgain(1, key, name)).text).toBe(first.text);
  });

  it('keeps nothing at rest that can be read: not the prompt, not the answer, not the name', async () => {
    const { key } = await scene.makeKey(MODEL);
    const [name, canary] = [newName(), `canary${randomBytes(12).toString('hex')}`];
    for (const stream of [false, true]) {
      await ask(0, key, name + String(stream), { content: canary, stream });
      expect((await askAgain(1, key, name + String(stream), { content: canary, stream })).text).toContain(canary.slice(0, 4));
    }
    const rows = await scene.query<Record<string, unknown>>(`SELECT row_to_json(record)::text AS text, convert_from(decode(encode(body, 'hex'), 'escape'), 'SQL_ASCII') AS hex, encode(body, 'escape') AS escaped FROM idempotency_records AS record`);
    expect(rows.length).toBeGreaterThanOrEqual(2);
    const all = JSON.stringify(rows);
    const hexes = [canary, name].flatMap((text) => [text, Buffer.from(text).toString('hex'), Buffer.from(text).toString('base64').slice(0, 20)]);
    for (const text of hexes) expect(all).not.toContain(text);
    for (const { output } of scene.weirs) for (const text of [canary, name]) expect(output).not.toContain(text);
  });
});

describe('Idempotency-Key without PostgreSQL', () => {
  let postgres: TestPostgres;
  let scene: MeterScene;

  beforeAll(async () => {
    postgres = await startPrivatePostgres({ migrated: true });
    scene = await MeterScene.startOn(postgres, null, 1);
    await scene.makeModel(MODEL, { per_request_usd: '0.01' });
  });
  afterAll(async () => {
    await scene.stop();
    await postgres.destroy();
  });

  it('is refused with 503, calls nobody, leaves other calls alone, and works when it is back', async () => {
    const { key } = await scene.makeKey(MODEL);
    const name = newName();
    const ask = (): Promise<ChatAnswer> => chat(scene.weir, key, MODEL, { headers: { 'idempotency-key': name } });
    const first = await ask();
    expect(first.status).toBe(200);
    await waitFor(async () => (await ask()).headers.get('idempotent-replayed') === 'true');
    await postgres.stop();
    for (let times = 0; times < 5; times++) {
      const refused = await ask();
      expect([refused.status, refused.body.error.code]).toEqual([503, 'database_unavailable']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await chat(scene.weir, key, MODEL)).status).toBe(200);
    expect(scene.simulator.calls).toHaveLength(2);
    await postgres.start();
    const again = await waitFor(async () => {
      const answer = await ask();
      return answer.status === 200 ? answer : null;
    });
    expect([again.text, again.headers.get('idempotent-replayed')]).toEqual([first.text, 'true']);
  });

  it('stores an answer that ended while it was away', async () => {
    const { key } = await scene.makeKey(MODEL);
    const [name, gate] = [newName(), new Gate()];
    scene.simulator.reset();
    scene.simulator.enqueue(respond.echo().after(gate));
    const ask = (): Promise<Response> => openChat(scene.weir, key, MODEL, { headers: { 'idempotency-key': name } });
    const open = ask();
    await scene.simulator.waitForCalls(1);
    await postgres.stop();
    gate.open();
    const first = await readAnswer(await open);
    expect(first.status).toBe(200);
    await postgres.start();
    const again = await waitFor(
      async () => {
        const answer = await readAnswer(await ask());
        return answer.status === 200 ? answer : null;
      },
    );
    expect(again.text).toBe(first.text);
    expect(scene.simulator.calls).toHaveLength(1);
  });
});
