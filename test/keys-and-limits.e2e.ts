import { respond, UpstreamSimulator } from '@weir/testing';
import { chat, chatUntil, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { createTestRedis, type TestRedis } from './support/redis';
import { waitFor } from './support/wait-for';
import { addKey, addModel, addUpstream, waitForModel, Weir } from './support/weir';

const MODEL = 'shared-small';
const SIBLING = 'shared-large';
const FORBIDDEN = 'private-model';
/** A revocation reaches every process within this time. */
const EVERYWHERE_MS = 2_000;
const NO_LIMITS = { limits: { rpm: 0, rpd: 0 } };

let simulator: UpstreamSimulator;
let database: TestDatabase;
let redis: TestRedis;
/** Two processes of one installation. */
let weirs: Weir[];
let weir: Weir;

beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
  [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const options = { databaseUrl: database.url, redisUrl: redis.url, environment: { DEFAULT_RPM: '7', DEFAULT_RPD: '9' } };
  // One after the other: both would make the same owner.
  weirs = [await Weir.start(options), await Weir.start(options)];
  [weir] = weirs;
  const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-simulated'] });
  for (const name of [MODEL, SIBLING, FORBIDDEN]) await addModel(weir, name, [id]);
  const { key } = await addKey(weir, NO_LIMITS);
  for (const each of weirs) await waitForModel(each, key, FORBIDDEN);
});

afterAll(async () => {
  await Promise.all(weirs.map((each) => each.stop()));
  await Promise.all([simulator.stop(), database.drop(), redis.close()]);
});

beforeEach(() => simulator.reset());

/** A key that both processes know. */
async function addKeyEverywhere(fields: Readonly<Record<string, unknown>> = NO_LIMITS): Promise<Awaited<ReturnType<typeof addKey>>> {
  const made = await addKey(weir, fields);
  for (const each of weirs) await waitForModelsStatus(each, made.key, 200);
  return made;
}

async function modelsStatus(at: Weir, key: string): Promise<number> {
  const response = await fetch(`${at.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await response.text();
  return response.status;
}

async function waitForModelsStatus(at: Weir, key: string, status: number, timeoutMs = 10_000): Promise<void> {
  await waitFor(async () => (await modelsStatus(at, key)) === status, { what: `${status} for the key`, timeoutMs });
}

async function expectRefusedEverywhere(key: string, code: string, status = 401): Promise<void> {
  await Promise.all(weirs.map((each) => waitForModelsStatus(each, key, status, EVERYWHERE_MS)));
  const callsBefore = simulator.calls.length;
  for (const each of weirs) {
    expect(await chat(each, key, MODEL)).toMatchObject({ status, body: { error: { code } } });
  }
  expect(simulator.calls).toHaveLength(callsBefore);
}

/** Cuts the connections on which processes listen for changes; answers how many there were. */
async function cutListeners(limit: number): Promise<number> {
  const rows = await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'weir change feed' LIMIT $1`,
    [limit],
  );
  return rows.length;
}

const codes = (answers: readonly { status: number }[], status: number): number => answers.filter((answer) => answer.status === status).length;

describe('a key of a caller', () => {
  it('is refused by every process within two seconds of its revocation', async () => {
    const { id, key } = await addKeyEverywhere();
    for (const each of weirs) expect((await chat(each, key, MODEL)).status).toBe(200);
    await weir.admin('DELETE', `/keys/${id}`);
    await expectRefusedEverywhere(key, 'invalid_api_key');
  });

  it.each([
    ['one process', 1],
    ['both processes', 2],
  ])('is refused in time although %s just lost the connection that tells of changes', async (_what, count) => {
    const { id, key } = await addKeyEverywhere();
    expect(await waitFor(async () => (await database.query(`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'weir change feed'`)).length === 2)).toBe(true);
    expect(await cutListeners(count)).toBe(count);
    await weir.admin('DELETE', `/keys/${id}`);
    await expectRefusedEverywhere(key, 'invalid_api_key');
  });

  it('is refused in time when its row is changed behind the back of the admin API', async () => {
    const { id, key } = await addKeyEverywhere();
    await database.query('UPDATE proxy_keys SET revoked_at = now() WHERE id = $1', [id]);
    await expectRefusedEverywhere(key, 'invalid_api_key');
  });

  it('ends at its expiry, on every process, without anybody doing anything', async () => {
    const expiresAt = Date.now() + 2_500;
    const { key } = await addKeyEverywhere({ ...NO_LIMITS, expires_at: new Date(expiresAt).toISOString() });
    expect((await chat(weir, key, MODEL)).status).toBe(200);
    await expect(waitFor(() => Date.now() >= expiresAt)).resolves.toBe(true);
    for (const each of weirs) {
      expect(await chat(each, key, MODEL)).toMatchObject({ status: 401, body: { error: { code: 'key_expired', type: 'invalid_request_error' } } });
    }
  });

  it('may use the models of its list alone, with * at the end for all that begin so', async () => {
    const { id, key } = await addKeyEverywhere({ ...NO_LIMITS, models: ['shared-*'] });
    for (const each of weirs) {
      expect((await chat(each, key, MODEL)).status).toBe(200);
      expect((await chat(each, key, SIBLING)).status).toBe(200);
      expect(await chat(each, key, FORBIDDEN)).toMatchObject({ status: 403, body: { error: { code: 'model_not_allowed', param: 'model' } } });
      expect(await chat(each, key, 'unheard-of')).toMatchObject({ status: 404, body: { error: { code: 'model_not_found', param: 'model' } } });
      expect((await each.modelNames(key)).sort()).toEqual([SIBLING, MODEL].sort());
    }
    await weir.admin('PATCH', `/keys/${id}`, { models: [MODEL] });
    for (const each of weirs) await chatUntil(each, key, SIBLING, 403);
    expect((await chat(weirs[1], key, MODEL)).status).toBe(200);
  });

  it('does not work while its organization is disabled, and works after', async () => {
    const { key, organizationId } = await addKeyEverywhere();
    await weir.admin('PATCH', `/organizations/${organizationId}`, { enabled: false });
    await expectRefusedEverywhere(key, 'permission_denied', 403);
    await weir.admin('PATCH', `/organizations/${organizationId}`, { enabled: true });
    for (const each of weirs) await waitForModelsStatus(each, key, 200, EVERYWHERE_MS);
  });

  it('does not work while its project is disabled, and other keys of the organization do', async () => {
    const { key, organizationId } = await addKeyEverywhere();
    const project = await weir.admin<{ id: string }>('POST', '/projects', { organization_id: organizationId, name: 'search' });
    const issued = await weir.admin<{ key: string }>('POST', '/keys', { organization_id: organizationId, project_id: project.id, name: 'in the project', ...NO_LIMITS });
    for (const each of weirs) await waitForModelsStatus(each, issued.key, 200);
    await weir.admin('PATCH', `/projects/${project.id}`, { enabled: false });
    await expectRefusedEverywhere(issued.key, 'permission_denied', 403);
    for (const each of weirs) expect((await chat(each, key, MODEL)).status).toBe(200);
  });

  it('and its successor both work during the overlap of a rotation, the old one not after', async () => {
    const { id, key } = await addKeyEverywhere();
    const rotatedAt = Date.now();
    const issued = await weir.admin<{ id: string; key: string }>('POST', `/keys/${id}/rotate`, { overlap_seconds: 2 });
    expect(issued.id).not.toBe(id);
    for (const each of weirs) {
      await waitForModelsStatus(each, issued.key, 200, EVERYWHERE_MS);
      if (Date.now() < rotatedAt + 1_800) expect((await chat(each, key, MODEL)).status).toBe(200);
    }
    for (const each of weirs) await waitForModelsStatus(each, key, 401, 2_000 + EVERYWHERE_MS);
    for (const each of weirs) expect((await chat(each, issued.key, MODEL)).status).toBe(200);
  });

  it('stops at once when it is rotated without an overlap', async () => {
    const { id, key } = await addKeyEverywhere();
    const issued = await weir.admin<{ key: string }>('POST', `/keys/${id}/rotate`, {});
    await expectRefusedEverywhere(key, 'invalid_api_key');
    for (const each of weirs) await waitForModelsStatus(each, issued.key, 200, EVERYWHERE_MS);
  });
});

describe('limits', () => {
  /** What has been used of each of a key's windows, as every process sees it. */
  async function usedOf(keyId: string, at = weir): Promise<Record<string, number>> {
    const { data } = await at.admin<{ data: JsonValue[] }>('GET', `/limits?key_id=${keyId}`);
    return Object.fromEntries(data[0].limits.map((limit: JsonValue) => [limit.name, limit.used]));
  }

  it('20 a minute over two processes admit exactly 20 of 60 requests at once', async () => {
    const { id, key } = await addKeyEverywhere({ limits: { rpm: 20, rpd: 0 } });
    const answers = await repeat(60, (index) => chat(weirs[index % 2], key, MODEL));
    expect(codes(answers, 200)).toBe(20);
    expect(codes(answers, 429)).toBe(40);
    expect(simulator.calls).toHaveLength(20);
    for (const each of weirs) {
      const refused = await chat(each, key, MODEL);
      expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate_limit_exceeded', type: 'requests' } } });
      expect(refused.body.error.message).toContain('requests per minute of this key: limit 20, used 20');
      expect(refused.headers.get('x-ratelimit-limit-requests')).toBe('20');
      expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
      const retryAfter = Number(refused.headers.get('retry-after'));
      expect(retryAfter).toBeGreaterThan(45);
      expect(retryAfter).toBeLessThanOrEqual(61);
      expect(await usedOf(id, each)).toEqual({ requests_per_minute: 20 });
    }
    // A refusal is no work: no upstream heard of it, and no row was written.
    expect(simulator.calls).toHaveLength(20);
    await waitFor(async () => (await database.query('SELECT 1 FROM usage_records WHERE key_id = $1', [id])).length === 20);
  });

  it('a day that is used up refuses, names itself, and uses nothing of the minute', async () => {
    const { id, key } = await addKeyEverywhere({ limits: { rpm: 100, rpd: 4 } });
    const answers = await repeat(12, (index) => chat(weirs[index % 2], key, MODEL));
    expect(codes(answers, 200)).toBe(4);
    const refused = await chat(weirs[1], key, MODEL);
    expect(refused.status).toBe(429);
    expect(refused.body.error.message).toContain('requests per day of this key: limit 4, used 4');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3600);
    expect(await usedOf(id)).toEqual({ requests_per_minute: 4, requests_per_day: 4 });
  });

  it('a refused request, an unknown model and malformed JSON take nothing of a limit', async () => {
    const { id, key } = await addKeyEverywhere({ limits: { rpm: 5, rpd: 0 }, models: [MODEL] });
    expect((await chat(weir, key, 'unheard-of')).status).toBe(404);
    expect((await chat(weir, key, FORBIDDEN)).status).toBe(403);
    expect((await weir.post('/v1/chat/completions', key, '{"model":')).status).toBe(400);
    expect(await usedOf(id)).toEqual({ requests_per_minute: 0 });
    simulator.enqueue(respond.openAiError('invalid_value'));
    expect((await chat(weir, key, MODEL)).status).toBe(400);
    expect(await usedOf(id)).toEqual({ requests_per_minute: 1 });
  });

  it('DEFAULT_RPM holds for a key that sets none', async () => {
    const { key } = await addKeyEverywhere({});
    const answers = await repeat(14, (index) => chat(weirs[index % 2], key, MODEL));
    expect(codes(answers, 200)).toBe(7);
    expect((await chat(weir, key, MODEL)).body.error.message).toContain('requests per minute of this key: limit 7');
  });

  it('DEFAULT_RPD holds for a key that sets the minute alone', async () => {
    const { key } = await addKeyEverywhere({ limits: { rpm: 0 } });
    const answers = await repeat(18, (index) => chat(weirs[index % 2], key, MODEL));
    expect(codes(answers, 200)).toBe(9);
    expect((await chat(weir, key, MODEL)).body.error.message).toContain('requests per day of this key: limit 9');
  });

  it('0 is no limit, whatever the default', async () => {
    const { key } = await addKeyEverywhere({ limits: { rpm: 0, rpd: 0 } });
    const answers = await repeat(30, (index) => chat(weirs[index % 2], key, MODEL));
    expect(codes(answers, 200)).toBe(30);
    expect(answers[0].headers.get('x-ratelimit-limit-requests')).toBeNull();
  });

  it('a changed limit counts on every process, and what is used stays used', async () => {
    const { id, key } = await addKeyEverywhere({ limits: { rpm: 2, rpd: 0 } });
    expect(codes(await repeat(6, (index) => chat(weirs[index % 2], key, MODEL)), 200)).toBe(2);
    await weir.admin('PATCH', `/keys/${id}`, { limits: { rpm: 5 } });
    await Promise.all(weirs.map((each) => waitFor(async () => (await chat(each, key, MODEL)).headers.get('x-ratelimit-limit-requests') === '5')));
    await repeat(10, (index) => chat(weirs[index % 2], key, MODEL));
    expect(await usedOf(id, weirs[1])).toEqual({ requests_per_minute: 5 });
    expect(simulator.calls).toHaveLength(5);
    await weir.admin('PATCH', `/keys/${id}`, { limits: { rpm: 0 } });
    for (const each of weirs) await chatUntil(each, key, MODEL, 200);
  });

  it('of one key take nothing from another of the same organization', async () => {
    const { key, organizationId } = await addKeyEverywhere({ limits: { rpm: 1, rpd: 0 } });
    const sibling = await weir.admin<{ key: string }>('POST', '/keys', { organization_id: organizationId, name: 'sibling', limits: { rpm: 1, rpd: 0 } });
    for (const each of weirs) await waitForModelsStatus(each, sibling.key, 200);
    expect(codes(await repeat(4, (index) => chat(weirs[index % 2], key, MODEL)), 200)).toBe(1);
    expect(codes(await repeat(4, (index) => chat(weirs[index % 2], sibling.key, MODEL)), 200)).toBe(1);
  });
});
