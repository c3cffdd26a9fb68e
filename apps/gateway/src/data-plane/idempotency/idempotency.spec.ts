import { newId, type ProxyKeyId, uuidV7, WeirError } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { insertRow } from '@weir/testing';
import { KeyRing } from '@weir/vault';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type DataSource } from 'typeorm';
import { createTestDatabase, startPrivatePostgres, type TestDatabase } from '../../../../../test/support/postgres';
import { IdempotentProcess } from '../../../../../test/support/idempotent-process';
import { waitFor } from '../../../../../test/support/wait-for';
import { type AnswerCapture } from './answer-capture';
import { Idempotency, type IdempotencyGuard, type IdempotencyOptions } from './idempotency';
import { IdempotencyStore } from './idempotency-store';

const DAY_MS = 86_400_000;
const RING = `k1:${'a1'.repeat(32)}`;
const ring = KeyRing.parse(RING);
const BODY = '{"model":"m","messages":[]}';
const END = { isWhole: true, attempts: 1 };

let database: TestDatabase;
let dataSource: DataSource;
let keyId: ProxyKeyId;
let lines: string[];
const opened: Idempotency[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource(database.url, 4, []);
  await dataSource.initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  lines = [];
  keyId = await addKey();
});
afterEach(async () => {
  for (const idempotency of opened.splice(0)) await idempotency.close();
});

async function addKey(): Promise<ProxyKeyId> {
  const organizationId = await insertRow.organization(dataSource);
  return insertRow.proxyKey(dataSource, { organizationId, publicId: randomBytes(6).toString('hex'), key: randomBytes(8).toString('hex') });
}

function open(options: Partial<IdempotencyOptions> = {}): Idempotency {
  const log = (_fields: unknown, message: string): void => void lines.push(message);
  const store = new IdempotencyStore(dataSource, { leaseMs: 60_000, retentionMs: DAY_MS });
  const idempotency = new Idempotency({ store, ring, logger: { info: log, warn: log } as never, databaseTimeoutMs: 5_000, ...options });
  opened.push(idempotency);
  return idempotency;
}

interface Asked {
  readonly name?: string;
  readonly body?: string;
  readonly url?: string;
  readonly method?: string;
  readonly key?: ProxyKeyId;
  readonly requestId?: string;
}

function begin(idempotency: Idempotency, asked: Asked = {}): Promise<IdempotencyGuard> {
  const { name = 'once', body = BODY, url = '/v1/chat/completions', method = 'POST', key = keyId, requestId = uuidV7(Date.now()) } = asked;
  return idempotency.begin({ request: { method, url, rawHeaders: ['idempotency-key', name] }, keyId: key, requestId, body: Buffer.from(body) });
}

async function run(idempotency: Idempotency, asked: Asked = {}): Promise<AnswerCapture> {
  const guard = await begin(idempotency, asked);
  if (guard.kind !== 'run') throw new Error(`expected a run, not ${guard.kind}`);
  return guard.capture;
}

async function replay(idempotency: Idempotency, asked: Asked = {}): Promise<IdempotencyGuard & { kind: 'replay' }> {
  const guard = await begin(idempotency, asked);
  if (guard.kind !== 'replay') throw new Error(`expected a replay, not ${guard.kind}`);
  return guard;
}

async function codeOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof WeirError) return error.code;
    throw error;
  }
  return 'none';
}

function answer(capture: AnswerCapture, status: number, body: Buffer, headers: string[] = ['content-type', 'application/json']): void {
  capture.head(status, headers);
  capture.chunk(body);
}

const isStored = (idempotency: Idempotency) => waitFor(() => idempotency.openRuns === 0, { what: 'the answer to be stored' });

describe('Idempotency', () => {
  it('gives the answer again, byte for byte, with the headers of the first and a mark', async () => {
    const idempotency = open();
    const requestId = uuidV7(Date.now());
    const capture = await run(idempotency, { requestId });
    const body = randomBytes(70_000);
    answer(capture, 200, body, ['content-type', 'audio/mpeg', 'x-request-id', requestId, 'x-weir-upstream', 'u', 'x-ratelimit-limit-requests', '5', 'connection', 'close']);
    capture.finish(END);
    const again = await replay(idempotency);
    expect(again.status).toBe(200);
    expect(again.body.equals(body)).toBe(true);
    expect(again.requestId).toBe(requestId);
    expect(again.headers).toEqual(['content-type', 'audio/mpeg', 'x-request-id', requestId, 'x-weir-upstream', 'u', 'idempotent-replayed', 'true', 'content-length', '70000']);
  });

  it('answers 409 with Retry-After while the first runs, here and on another process', async () => {
    const [here, there] = [open(), open()];
    await run(here);
    for (const idempotency of [here, there]) {
      await expect(begin(idempotency)).rejects.toMatchObject({ code: 'idempotency_conflict', status: 409, retryAfterMs: 1000 });
    }
  });

  it('answers 422 to another body, path, query or method under the same key, while it runs and after', async () => {
    const [here, there] = [open(), open()];
    const capture = await run(here);
    const others: Asked[] = [{ body: '{"model":"n"}' }, { url: '/v1/completions' }, { url: '/v1/chat/completions?x=1' }, { method: 'PUT' }];
    for (const idempotency of [here, there]) for (const other of others) expect(await codeOf(begin(idempotency, other))).toBe('idempotency_mismatch');
    answer(capture, 200, Buffer.from('{}'));
    capture.finish(END);
    await isStored(here);
    for (const idempotency of [here, there]) for (const other of others) expect(await codeOf(begin(idempotency, other))).toBe('idempotency_mismatch');
  });

  it('keeps the keys of one caller apart from those of another', async () => {
    const idempotency = open();
    const capture = await run(idempotency);
    answer(capture, 200, Buffer.from('mine'));
    capture.finish(END);
    await isStored(idempotency);
    expect((await begin(idempotency, { key: await addKey() })).kind).toBe('run');
    expect((await begin(idempotency, { name: 'another' })).kind).toBe('run');
  });

  it.each([
    [200, 1, 'replay'],
    [400, 1, 'replay'],
    [422, 1, 'replay'],
    [400, 0, 'run'],
    [403, 0, 'run'],
    [429, 1, 'run'],
    [502, 2, 'run'],
  ])('after %p with %p attempts a repeat is a %s', async (status, attempts, expected) => {
    const idempotency = open();
    const capture = await run(idempotency);
    answer(capture, status, Buffer.from('{}'));
    capture.finish({ isWhole: true, attempts });
    await isStored(idempotency);
    expect((await begin(idempotency)).kind).toBe(expected);
  });

  it('replays a stream that ended, and runs one anew that was broken', async () => {
    const idempotency = open();
    const events = ['data: {"a":1}\n\n', ': keep-alive\n\n', 'data: [DONE]\n\n'];
    for (const isWhole of [false, true]) {
      const capture = await run(idempotency);
      capture.head(200, ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no']);
      for (const event of events) capture.chunk(Buffer.from(event));
      capture.finish({ isWhole, attempts: 1 });
      await isStored(idempotency);
    }
    const again = await replay(idempotency);
    expect(again.body.toString()).toBe(events.join(''));
    expect(again.headers.slice(0, 6)).toEqual(['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no']);
  });

  it('says of an answer that was too large that it is not kept, and does not run it again', async () => {
    const idempotency = open({ maxAnswerBytes: 10 });
    const capture = await run(idempotency);
    answer(capture, 200, Buffer.alloc(11));
    capture.finish(END);
    await isStored(idempotency);
    await expect(begin(idempotency)).rejects.toMatchObject({ code: 'idempotency_conflict', message: expect.stringContaining('too large') });
    expect(await codeOf(begin(idempotency, { body: '{}' }))).toBe('idempotency_mismatch');
  });

  it('keeps no word of an answer readable in the table, and none that was moved to another row', async () => {
    const idempotency = open();
    for (const name of ['one', 'two']) {
      const capture = await run(idempotency, { name });
      answer(capture, 200, Buffer.from(`the secret plan number ${name}`));
      capture.finish(END);
    }
    await isStored(idempotency);
    const rows: { body: Buffer; dump: string }[] = await dataSource.query('SELECT body, record::text AS dump FROM idempotency_records AS record WHERE key_id = $1', [keyId]);
    expect(rows).toHaveLength(2);
    for (const { body, dump } of rows) expect([body.includes('secret plan'), dump.includes('secret plan'), dump.includes('one')]).toEqual([false, false, false]);
    await dataSource.query(
      `UPDATE idempotency_records AS record SET body = other.body FROM idempotency_records AS other
       WHERE record.key_id = $1 AND other.key_id = $1 AND record.name_hash <> other.name_hash`,
      [keyId],
    );
    await expect(begin(idempotency, { name: 'one' })).rejects.toMatchObject({ code: 'idempotency_conflict', message: expect.stringContaining('no longer be read') });
  });

  it('does not run again what was sealed with a key that left the ring', async () => {
    const before = open();
    const capture = await run(before);
    answer(capture, 200, Buffer.from('{}'));
    capture.finish(END);
    await isStored(before);
    const after = open({ ring: KeyRing.parse(`k2:${'b2'.repeat(32)}`) });
    expect(await codeOf(begin(after))).toBe('idempotency_conflict');
  });

  it('runs anew after 24 hours, and not a second earlier', async () => {
    const idempotency = open();
    const capture = await run(idempotency);
    answer(capture, 200, Buffer.from('{}'));
    capture.finish(END);
    await isStored(idempotency);
    const [{ kept }]: { kept: number }[] = await dataSource.query('SELECT extract(epoch FROM expires_at - created_at)::float AS kept FROM idempotency_records WHERE key_id = $1', [keyId]);
    expect(kept).toBe(86_400);
    await dataSource.query(`UPDATE idempotency_records SET expires_at = now() + interval '1 second' WHERE key_id = $1`, [keyId]);
    await replay(idempotency);
    await dataSource.query('UPDATE idempotency_records SET expires_at = now() WHERE key_id = $1', [keyId]);
    expect((await begin(idempotency, { body: '{}' })).kind).toBe('run');
  });

  it('purges what is no longer kept in batches, leaves the rest, and runs that are alive', async () => {
    const idempotency = open();
    await run(idempotency, { name: 'alive' });
    await dataSource.query(
      `INSERT INTO idempotency_records (key_id, name_hash, request_hash, run_id, state, expires_at)
       SELECT $1, sha256(n::text::bytea), sha256('x'), gen_random_uuid(), 'not_kept', now() + (n - 1201) * interval '1 hour' FROM generate_series(1, 1205) AS n`,
      [keyId],
    );
    await dataSource.query(`UPDATE idempotency_records SET expires_at = now() - interval '1 hour' WHERE key_id = $1 AND state = 'running'`, [keyId]);
    const store = new IdempotencyStore(dataSource, { leaseMs: 1, retentionMs: 1 });
    const deleted = await Promise.all([store.purge(), store.purge()]);
    expect(deleted[0] + deleted[1]).toBe(1201);
    const left: { state: string }[] = await dataSource.query('SELECT state FROM idempotency_records WHERE key_id = $1 ORDER BY state', [keyId]);
    expect(left.map(({ state }) => state)).toEqual(['not_kept', 'not_kept', 'not_kept', 'not_kept', 'running']);
  });

  it('frees the key of a process that died when its lease is over, and the dead one changes nothing any more', async () => {
    const [dead, alive] = [open({ heartbeatMs: DAY_MS }), open()];
    const late = await run(dead);
    await dataSource.query(`UPDATE idempotency_records SET lease_until = now() + interval '5 seconds' WHERE key_id = $1`, [keyId]);
    expect(await codeOf(begin(alive))).toBe('idempotency_conflict');
    await dataSource.query('UPDATE idempotency_records SET lease_until = now() WHERE key_id = $1', [keyId]);
    const capture = await run(alive);
    answer(late, 200, Buffer.from('late'));
    late.finish(END);
    await isStored(dead);
    expect(await codeOf(begin(open()))).toBe('idempotency_conflict');
    answer(capture, 200, Buffer.from('true'));
    capture.finish(END);
    await isStored(alive);
    expect((await replay(dead)).body.toString()).toBe('true');
  });

  it('renews the lease of a run for as long as it is open', async () => {
    const idempotency = open({ heartbeatMs: 10 });
    const capture = await run(idempotency);
    await dataSource.query('UPDATE idempotency_records SET lease_until = now() WHERE key_id = $1', [keyId]);
    const hasLease = async (): Promise<boolean> => {
      const [{ leased }]: { leased: boolean }[] = await dataSource.query(`SELECT lease_until > now() + interval '50 seconds' AS leased FROM idempotency_records WHERE key_id = $1`, [keyId]);
      return leased;
    };
    await waitFor(hasLease, { what: 'the heartbeat' });
    capture.abandon();
  });

  it('refuses with 503 while PostgreSQL does not answer in time, and leaves the key free', async () => {
    const idempotency = open({ databaseTimeoutMs: 300 });
    const blocker = dataSource.createQueryRunner();
    await blocker.connect();
    await blocker.startTransaction();
    await blocker.query('LOCK TABLE idempotency_records IN ACCESS EXCLUSIVE MODE');
    await expect(begin(idempotency)).rejects.toMatchObject({ code: 'database_unavailable', status: 503, retryAfterMs: 1000 });
    await blocker.commitTransaction();
    await blocker.release();
    // What was waiting takes the key now, for a request that was refused, and must give it back.
    await waitFor(async () => (await codeOf(begin(idempotency))) === 'none', { what: 'the key to be free' });
    expect(lines).toEqual([expect.stringContaining('cannot be read or written'), expect.stringContaining('again')]);
  });

  it('answers 401 to a key that was deleted a moment ago', async () => {
    expect(await codeOf(begin(open(), { key: newId<ProxyKeyId>() }))).toBe('invalid_api_key');
  });

  it('deletes answers with the key they were given to', async () => {
    const idempotency = open();
    const capture = await run(idempotency);
    answer(capture, 200, Buffer.from('{}'));
    capture.finish(END);
    await isStored(idempotency);
    await dataSource.query('DELETE FROM proxy_keys WHERE id = $1', [keyId]);
    expect(await dataSource.query('SELECT 1 FROM idempotency_records WHERE key_id = $1', [keyId])).toEqual([]);
  });
});

describe('Idempotency, as the data plane uses it', () => {
  const EVENTS = ['data: {"a":"\u00fc"}\n\n', ': keep-alive\n\n', 'data: [DONE]\n\n'];
  let server: Server;
  let runs: number;
  /** Whether the stream stops in the middle and waits for its caller to leave. */
  let stalls: boolean;
  let idempotency: Idempotency;

  beforeEach(async () => {
    [runs, stalls] = [0, false];
    idempotency = open();
    server = createServer((request, response) => {
      request.resume();
      request.on('end', () => void serve(request, response));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = uuidV7(Date.now());
    const guard = await idempotency.begin({ request, keyId, requestId, body: Buffer.from(BODY) });
    if (guard.kind === 'replay') {
      response.writeHead(guard.status, guard.headers);
      response.end(guard.body);
      return;
    }
    runs += 1;
    guard.capture.attach(response);
    response.on('close', () => guard.capture.finish({ isWhole: response.writableFinished, attempts: 1 }));
    response.writeHead(200, ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache, no-transform', 'x-request-id', requestId, 'x-weir-upstream', 'u']);
    response.write(Buffer.from(EVENTS[0]));
    if (stalls) return;
    response.write(Buffer.from(EVENTS[1]));
    response.end(EVENTS[2]);
  }

  function call(): ClientRequest {
    const { port } = server.address() as AddressInfo;
    const request = httpRequest({ port, method: 'POST', path: '/v1/chat/completions?key=sk', headers: { 'Idempotency-Key': 'over-http' }, agent: false });
    request.on('error', () => undefined);
    return request.end();
  }

  async function answerOf(request: ClientRequest): Promise<{ headers: Record<string, unknown>; body: Buffer }> {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { headers: response.headers, body: Buffer.concat(chunks) };
  }

  it('gives a stream again, byte for byte, and does not run it again', async () => {
    const first = await answerOf(call());
    await isStored(idempotency);
    const second = await answerOf(call());
    expect(runs).toBe(1);
    expect(second.body.equals(first.body)).toBe(true);
    expect(first.body.toString()).toBe(EVENTS.join(''));
    for (const name of ['content-type', 'cache-control', 'x-request-id', 'x-weir-upstream']) expect([name, second.headers[name]]).toEqual([name, first.headers[name]]);
    expect([first.headers['idempotent-replayed'], second.headers['idempotent-replayed']]).toEqual([undefined, 'true']);
  });

  it('runs again what its caller left in the middle', async () => {
    stalls = true;
    const left = call();
    const [response] = (await once(left, 'response')) as [IncomingMessage];
    await once(response, 'data');
    left.destroy();
    await isStored(idempotency);
    stalls = false;
    expect((await answerOf(call())).body.toString()).toBe(EVENTS.join(''));
    expect(runs).toBe(2);
  });
});

describe('Idempotency, while PostgreSQL is away', () => {
  it('refuses, never runs unprotected, and stores the answer of a run when it is back', async () => {
    const postgres = await startPrivatePostgres({ migrated: true });
    const away = createDataSource(postgres.url, 2, []);
    try {
      await away.initialize();
      const organizationId = await insertRow.organization(away);
      const key = await insertRow.proxyKey(away, { organizationId, publicId: 'p', key: 'k' });
      const idempotency = open({ store: new IdempotencyStore(away, { leaseMs: 60_000, retentionMs: DAY_MS }), storeRetryMs: 20 });
      const capture = await run(idempotency, { key });
      await postgres.stop();
      expect(await codeOf(begin(idempotency, { key, name: 'other' }))).toBe('database_unavailable');
      answer(capture, 200, Buffer.from('{"late":true}'));
      capture.finish(END);
      await postgres.start();
      await isStored(idempotency);
      expect((await replay(idempotency, { key })).body.toString()).toBe('{"late":true}');
    } finally {
      await away.destroy();
      await postgres.destroy();
    }
  });
});

describe('Idempotency, over two processes', () => {
  let processes: IdempotentProcess[] = [];

  afterEach(async () => {
    await Promise.all(processes.map((each) => each.kill()));
  });

  it('runs one of 50 identical requests that come at once, and then gives all of them its answer', async () => {
    processes = await Promise.all([IdempotentProcess.start(database.url, RING), IdempotentProcess.start(database.url, RING)]);
    const ask = () => Promise.all(Array.from({ length: 50 }, (_, index) => processes[index % 2].begin(keyId, 'at-once', BODY)));
    const first = await ask();
    const running = first.filter(({ outcome }) => outcome === 'run');
    expect(running).toHaveLength(1);
    expect(first.filter(({ outcome }) => outcome === 'idempotency_conflict')).toHaveLength(49);
    for (const each of processes) each.finish(running[0].requestId, '{"the":"answer \u00fc"}');
    await waitFor(async () => (await processes[0].begin(keyId, 'at-once', BODY)).outcome.startsWith('replay'), { what: 'the stored answer' });
    const second = await ask();
    expect(new Set(second.map(({ outcome }) => outcome))).toEqual(new Set([`replay ${running[0].requestId} {"the":"answer \u00fc"}`]));
  });

  it('frees the key of a process that was killed, when its lease is over', async () => {
    const times = { leaseMs: 1_500, heartbeatMs: 100 };
    processes = await Promise.all([IdempotentProcess.start(database.url, RING, times), IdempotentProcess.start(database.url, RING, times)]);
    expect((await processes[0].begin(keyId, 'killed', BODY)).outcome).toBe('run');
    await processes[0].kill();
    expect((await processes[1].begin(keyId, 'killed', BODY)).outcome).toBe('idempotency_conflict');
    await waitFor(async () => (await processes[1].begin(keyId, 'killed', BODY)).outcome === 'run', { what: 'the lease to end' });
  });
});
