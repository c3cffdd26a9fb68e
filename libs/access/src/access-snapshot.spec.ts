import { newId, type OrganizationId, NO_LIMITS, type ProjectId, type ProxyKeyId, WeirError } from '@weir/kernel';
import { type ChangeKind, createDataSource, type SnapshotChange } from '@weir/platform';
import { type DataSource, type EntityManager } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { AccessSnapshot } from './access-snapshot';
import { generateAdminKey, generateProxyKey, parseKey } from './key-format';

const NOW_MS = Date.UTC(2026, 10, 20);

let database: TestDatabase;
let dataSource: DataSource;
let organizationId: OrganizationId;
const unreadable: [kind: string, id: string][] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, []).initialize();
});
afterAll(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  unreadable.length = 0;
  await run('DELETE FROM organizations');
  organizationId = await addOrganization();
});

function run(sql: string, parameters: unknown[] = []): Promise<unknown> {
  return dataSource.query(sql, parameters);
}

async function addOrganization(): Promise<OrganizationId> {
  const id = newId<OrganizationId>();
  await run('INSERT INTO organizations (id, name) VALUES ($1, $2)', [id, id]);
  return id;
}

async function addProject(): Promise<ProjectId> {
  const id = newId<ProjectId>();
  await run('INSERT INTO projects (id, organization_id, name) VALUES ($1, $2, $3)', [id, organizationId, id]);
  return id;
}

interface KeySettings {
  owner?: OrganizationId;
  projectId?: ProjectId | null;
  models?: string[];
  limits?: object;
  budgets?: object;
  expiresAtMs?: number | null;
}

async function addKey({ owner = organizationId, projectId = null, models = [], limits = {}, budgets = [], expiresAtMs = null }: KeySettings = {}) {
  const id = newId<ProxyKeyId>();
  const { key, publicId, secretHash } = generateProxyKey();
  await run(
    `INSERT INTO proxy_keys (id, organization_id, project_id, name, public_id, secret_hash, models, limits, expires_at, budgets)
     VALUES ($1, $2, $3, 'key', $4, $5, $6, $7, $8, $9)`,
    [id, owner, projectId, publicId, secretHash, models, limits, expiresAtMs === null ? null : new Date(expiresAtMs), JSON.stringify(budgets)],
  );
  return { id, key, publicId };
}

const STORED_BUDGETS = [{ amount_nanos: 1_500_000_001, period: 'month', model: 'gpt-4o', alerts: [50, 100], reset_at_ms: 7 }];
const BUDGETS = [{ amountNanos: 1_500_000_001, period: 'month', model: 'gpt-4o', alerts: [50, 100], resetAtMs: 7 }];

const changed = (kind: ChangeKind, objectId: string): SnapshotChange[] => [{ kind, objectId }];

function makeSnapshot(manager: EntityManager = dataSource.manager): AccessSnapshot {
  return new AccessSnapshot(manager, (kind, id) => unreadable.push([kind, id]));
}

async function loadSnapshot(): Promise<AccessSnapshot> {
  const snapshot = makeSnapshot();
  await snapshot.load();
  return snapshot;
}

function refusalOf(snapshot: AccessSnapshot, presented: string, nowMs = NOW_MS): Pick<WeirError, 'code' | 'message'> {
  try {
    snapshot.authenticate(presented, nowMs);
  } catch (error) {
    if (error instanceof WeirError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('the key was accepted');
}

/** A manager whose reads, once `hold` was called, have the database's answer and hand it on only when let go. */
function makeHeldManager() {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let held = false;
  const query = async (sql: string, parameters: unknown[]) => {
    const answer: unknown = await dataSource.manager.query(sql, parameters);
    if (held) {
      asked.resolve();
      await gate.promise;
    }
    return answer;
  };
  const manager = new Proxy(dataSource.manager, { get: (target, name): unknown => (name === 'query' ? query : Reflect.get(target, name)) });
  return { manager, hold: () => (held = true), asked: asked.promise, letGo: gate.resolve };
}

describe('authenticate', () => {
  it('answers who calls and what the key allows', async () => {
    const projectId = await addProject();
    const { id, key, publicId } = await addKey({ projectId, models: ['gpt-4o', 'openai/*'], limits: { rpm: 0 }, budgets: STORED_BUDGETS, expiresAtMs: NOW_MS + 5 });
    await run(`UPDATE projects SET limits = '{"tpm": 9}'`);
    await run(`UPDATE organizations SET limits = '{"concurrency": 4}', budgets = $1`, [JSON.stringify(STORED_BUDGETS)]);
    const snapshot = await loadSnapshot();
    expect(snapshot.authenticate(key, NOW_MS)).toEqual({
      keyId: id,
      publicId,
      organizationId,
      projectId,
      models: new Set(['gpt-4o', 'openai/*']),
      key: { id, limits: { ...NO_LIMITS, requestsPerMinute: 0 }, budgets: BUDGETS },
      project: { id: projectId, limits: { ...NO_LIMITS, tokensPerMinute: 9 }, budgets: [] },
      organization: { id: organizationId, limits: { ...NO_LIMITS, concurrency: 4 }, budgets: BUDGETS },
      expiresAtMs: NOW_MS + 5,
    });
  });

  it('gives every request the same object, so that others can keep what they work out for it', async () => {
    const { key } = await addKey();
    const snapshot = await loadSnapshot();
    const caller = snapshot.authenticate(key, NOW_MS);
    expect(snapshot.authenticate(key, NOW_MS + 1)).toBe(caller);
  });

  it('refuses a wrong secret and an unknown key with the same words', async () => {
    const { key, publicId } = await addKey();
    const unknown = generateProxyKey();
    await run('UPDATE proxy_keys SET public_id = $1 WHERE public_id = $2', [unknown.publicId, publicId]);
    const snapshot = await loadSnapshot();
    const wrongSecret = refusalOf(snapshot, unknown.key);
    expect(wrongSecret).toEqual({ code: 'invalid_api_key', message: 'The API key is not valid.' });
    expect(refusalOf(snapshot, key)).toEqual(wrongSecret);
  });

  it('tells a typo from a revoked key', async () => {
    const { id, key } = await addKey();
    await run('UPDATE proxy_keys SET revoked_at = now() WHERE id = $1', [id]);
    const snapshot = await loadSnapshot();
    const typo = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
    expect(refusalOf(snapshot, typo)).toEqual({ code: 'invalid_api_key', message: 'The API key is mistyped: its checksum does not match.' });
    expect(refusalOf(snapshot, key)).toEqual({ code: 'invalid_api_key', message: 'The API key has been revoked.' });
  });

  it('tells nobody without the secret that a key is revoked, expired or switched off', async () => {
    const [revoked, expired, disabled] = [await addKey(), await addKey({ expiresAtMs: NOW_MS - 1 }), await addKey({ owner: await addOrganization() })];
    await run('UPDATE proxy_keys SET revoked_at = now() WHERE id = $1', [revoked.id]);
    await run('UPDATE organizations SET enabled = false WHERE id <> $1', [organizationId]);
    const guesses = [revoked, expired, disabled].map(() => generateProxyKey());
    for (const [index, { id }] of [revoked, expired, disabled].entries()) {
      await run('UPDATE proxy_keys SET public_id = $1 WHERE id = $2', [guesses[index].publicId, id]);
    }
    const snapshot = await loadSnapshot();
    const refusals = guesses.map(({ key }) => refusalOf(snapshot, key));
    expect(refusals).toEqual(guesses.map(() => ({ code: 'invalid_api_key', message: 'The API key is not valid.' })));
  });

  it('refuses a key from the millisecond of its expiry on', async () => {
    const { key } = await addKey({ expiresAtMs: NOW_MS });
    const snapshot = await loadSnapshot();
    expect(snapshot.authenticate(key, NOW_MS - 1).expiresAtMs).toBe(NOW_MS);
    expect(refusalOf(snapshot, key, NOW_MS).code).toBe('key_expired');
  });

  it('refuses an admin key and whatever else is presented, without repeating it', async () => {
    const snapshot = await loadSnapshot();
    const admin = generateAdminKey().key;
    expect(parseKey(admin)?.kind).toBe('admin');
    for (const presented of [admin, '', 'sk-proj-abc', '\0', '😀'.repeat(40), 'x'.repeat(1_000_000)]) {
      const { code, message } = refusalOf(snapshot, presented);
      expect(code).toBe('invalid_api_key');
      expect(message.length).toBeLessThan(100);
    }
  });

  it('says "try again" and not "wrong key" before the keys are loaded', () => {
    expect(refusalOf(makeSnapshot(), generateProxyKey().key).code).toBe('database_unavailable');
  });

  it('leaves out a key whose limits cannot be read, and says which', async () => {
    const [broken, good] = [await addKey({ limits: { rpm: 'many' } }), await addKey()];
    const snapshot = await loadSnapshot();
    expect(refusalOf(snapshot, broken.key).code).toBe('invalid_api_key');
    expect(snapshot.authenticate(good.key, NOW_MS).keyId).toBe(good.id);
    expect(unreadable).toEqual([['proxy_key', broken.id]]);
  });

  it('leaves out a key whose budgets cannot be read, one of an unknown period too', async () => {
    const broken = [await addKey({ budgets: {} }), await addKey({ budgets: [{ ...STORED_BUDGETS[0], period: 'quarter' }] })];
    const snapshot = await loadSnapshot();
    for (const { key } of broken) expect(refusalOf(snapshot, key).code).toBe('invalid_api_key');
    expect(unreadable.toSorted()).toEqual(broken.map(({ id }) => ['proxy_key', id]).toSorted());
  });

  it('reads what a newer version added to limits and budgets as far as it is known', async () => {
    const { key } = await addKey({ limits: { rpm: 5, images_per_hour: 2 }, budgets: [{ ...STORED_BUDGETS[0], region: 'eu' }] });
    const snapshot = await loadSnapshot();
    expect(snapshot.authenticate(key, NOW_MS).key).toMatchObject({ limits: { requestsPerMinute: 5 }, budgets: BUDGETS });
    expect(unreadable).toEqual([]);
  });

  it.each([
    ['organization', 'organizations', `limits = '{"rpm": "many"}'`],
    ['organization', 'organizations', `budgets = '[{"period": "quarter", "amount_nanos": 1, "alerts": []}]'`],
    ['project', 'projects', `limits = '[]'`],
    ['project', 'projects', `budgets = '{}'`],
  ] as const)('lets no key of an %s in when its row says what cannot be read, and again when it can (%s: %s)', async (kind, table, broken) => {
    const projectId = await addProject();
    const { key } = await addKey({ projectId });
    const id = kind === 'project' ? projectId : organizationId;
    const snapshot = await loadSnapshot();
    await run(`UPDATE ${table} SET ${broken} WHERE id = $1`, [id]);
    await snapshot.apply(changed(kind, id));
    expect(refusalOf(snapshot, key)).toEqual({ code: 'permission_denied', message: `The limits or budgets of the key's ${kind} cannot be read.` });
    expect(unreadable).toEqual([[kind, id]]);
    expect(refusalOf(await loadSnapshot(), key).code).toBe('permission_denied');
    await run(`UPDATE ${table} SET limits = '{}', budgets = '[]' WHERE id = $1`, [id]);
    await snapshot.apply(changed(kind, id));
    expect(snapshot.authenticate(key, NOW_MS).organizationId).toBe(organizationId);
  });
});

describe('findCaller', () => {
  it("knows an organization's share of full upstreams, and its changes", async () => {
    await addKey();
    const snapshot = await loadSnapshot();
    expect([snapshot.findQueueWeight(organizationId), snapshot.findQueueWeight('nobody')]).toEqual([1, 1]);
    await run('UPDATE organizations SET queue_weight = 5 WHERE id = $1', [organizationId]);
    await snapshot.apply(changed('organization', organizationId));
    expect(snapshot.findQueueWeight(organizationId)).toBe(5);
  });

  it('answers who a key belongs to as authenticate does, and refuses it as soon as it is revoked, expired or switched off', async () => {
    const { id, key } = await addKey({ expiresAtMs: NOW_MS + 5 });
    const snapshot = await loadSnapshot();
    expect(snapshot.findCaller(id, NOW_MS)).toBe(snapshot.authenticate(key, NOW_MS));
    const codeOf = (nowMs: number): unknown => {
      try {
        return snapshot.findCaller(id, nowMs);
      } catch (error) {
        return error instanceof WeirError ? error.code : error;
      }
    };
    expect(codeOf(NOW_MS + 5)).toBe('key_expired');
    await run('UPDATE organizations SET enabled = false');
    await snapshot.apply(changed('organization', organizationId));
    expect(codeOf(NOW_MS)).toBe('permission_denied');
    await run('UPDATE organizations SET enabled = true');
    await run('UPDATE proxy_keys SET revoked_at = now()');
    await snapshot.apply('everything');
    expect(codeOf(NOW_MS)).toBe('invalid_api_key');
  });

  it('knows nobody by the id of no key, nor before the keys are loaded', async () => {
    expect((await loadSnapshot()).findCaller(newId<ProxyKeyId>(), NOW_MS)).toBeNull();
    expect(makeSnapshot().findCaller(newId<ProxyKeyId>(), NOW_MS)).toBeNull();
  });
});

describe('load', () => {
  it('reads more keys than fit on one page', async () => {
    await run(
      `INSERT INTO proxy_keys (id, organization_id, name, public_id, secret_hash)
       SELECT gen_random_uuid(), $1, 'key', 'bulk' || n, sha256(n::text::bytea) FROM generate_series(1, 2500) n`,
      [organizationId],
    );
    expect((await loadSnapshot()).size).toBe(2500);
  });

  it('lets the keys held before serve until the new ones are complete', async () => {
    const { key } = await addKey();
    const { manager, hold, asked, letGo } = makeHeldManager();
    const snapshot = makeSnapshot(manager);
    await snapshot.load();
    hold();
    const reload = snapshot.apply('everything');
    await asked;
    expect(snapshot.authenticate(key, NOW_MS).organizationId).toBe(organizationId);
    letGo();
    await reload;
    expect(snapshot.authenticate(key, NOW_MS).organizationId).toBe(organizationId);
  });
});

describe('apply', () => {
  it('takes in a new key, a change, a revocation and a deletion', async () => {
    const snapshot = await loadSnapshot();
    const { id, key } = await addKey({ owner: await addOrganization() });
    await snapshot.apply(changed('proxy_key', id));
    const before = snapshot.authenticate(key, NOW_MS);
    expect(before.models).toBeNull();

    await run(`UPDATE proxy_keys SET models = '{gpt-4o}', limits = '{"rpd": 7}' WHERE id = $1`, [id]);
    await snapshot.apply(changed('proxy_key', id));
    const after = snapshot.authenticate(key, NOW_MS);
    expect(after).toMatchObject({ models: new Set(['gpt-4o']), key: { limits: { requestsPerDay: 7 } } });
    expect(after).not.toBe(before);

    await run('UPDATE proxy_keys SET revoked_at = now() WHERE id = $1', [id]);
    await snapshot.apply(changed('proxy_key', id));
    expect(refusalOf(snapshot, key).message).toBe('The API key has been revoked.');

    await run('DELETE FROM proxy_keys WHERE id = $1', [id]);
    await snapshot.apply(changed('proxy_key', id));
    expect(refusalOf(snapshot, key).message).toBe('The API key is not valid.');
    expect(snapshot.size).toBe(0);
  });

  it('switches all keys of an organization or project off and on again', async () => {
    const projectId = await addProject();
    const keys = [await addKey({ projectId }), await addKey()];
    const snapshot = await loadSnapshot();
    const states = () => keys.map(({ key }) => {
      try {
        return snapshot.authenticate(key, NOW_MS).keyId;
      } catch (error) {
        return error instanceof WeirError ? error.message : error;
      }
    });
    const ids = keys.map(({ id }) => id);

    await run('UPDATE projects SET enabled = false WHERE id = $1', [projectId]);
    await snapshot.apply(changed('project', projectId));
    expect(states()).toEqual(["The key's project is disabled.", ids[1]]);

    await run('UPDATE organizations SET enabled = false WHERE id = $1', [organizationId]);
    await snapshot.apply(changed('organization', organizationId));
    expect(states()).toEqual(["The key's organization is disabled.", "The key's organization is disabled."]);

    await run('UPDATE organizations SET enabled = true');
    await run('UPDATE projects SET enabled = true');
    await snapshot.apply([...changed('organization', organizationId), ...changed('project', projectId)]);
    expect(states()).toEqual(ids);
  });

  it('makes another caller, at the next request, when limits or budgets of its organization or project change, and only then', async () => {
    const projectId = await addProject();
    const [inProject, outside] = [await addKey({ projectId }), await addKey()];
    const foreign = await addKey({ owner: await addOrganization() });
    const snapshot = await loadSnapshot();
    const look = () => [inProject, outside, foreign].map(({ key }) => snapshot.authenticate(key, NOW_MS));
    const compare = async (kind: 'organization' | 'project', id: string, sql: string) => {
      const before = look();
      await run(sql, [id]);
      await snapshot.apply(changed(kind, id));
      return look().map((caller, index) => caller === before[index]);
    };
    expect(await compare('organization', organizationId, `UPDATE organizations SET limits = '{"rpm": 5}' WHERE id = $1`)).toEqual([false, false, true]);
    expect(look()[0].organization).toBe(look()[1].organization);
    expect(look()[0].organization.limits.requestsPerMinute).toBe(5);
    expect(await compare('organization', organizationId, `UPDATE organizations SET name = name || '!' WHERE id = $1`)).toEqual([true, true, true]);
    expect(await compare('project', projectId, `UPDATE projects SET budgets = '${JSON.stringify(STORED_BUDGETS)}' WHERE id = $1`)).toEqual([false, true, true]);
    expect(look()[0].project?.budgets).toEqual(BUDGETS);
    expect(await compare('project', projectId, `UPDATE projects SET enabled = true WHERE id = $1`)).toEqual([true, true, true]);
    expect(await compare('project', projectId, `UPDATE projects SET budgets = '[]' WHERE id = $1`)).toEqual([false, true, true]);
  });

  it('refuses the keys of a deleted organization as soon as its deletion is told', async () => {
    const { key } = await addKey();
    const snapshot = await loadSnapshot();
    await run('DELETE FROM organizations WHERE id = $1', [organizationId]);
    await snapshot.apply(changed('organization', organizationId));
    expect(refusalOf(snapshot, key)).toEqual({ code: 'invalid_api_key', message: 'The API key is not valid.' });
  });

  it('never lets an old reading overwrite a newer one', async () => {
    const { id, key } = await addKey();
    const { manager, hold, asked, letGo } = makeHeldManager();
    const snapshot = makeSnapshot(manager);
    await snapshot.load();
    hold();
    const early = snapshot.apply(changed('proxy_key', id));
    await asked;
    // The first reading is taken and under way when the key is revoked.
    await run('UPDATE proxy_keys SET revoked_at = now() WHERE id = $1', [id]);
    const late = snapshot.apply(changed('proxy_key', id));
    letGo();
    await Promise.all([early, late]);
    expect(refusalOf(snapshot, key).message).toBe('The API key has been revoked.');
  });

  it('passes over what is not its own', async () => {
    const { key } = await addKey();
    const snapshot = await loadSnapshot();
    const caller = snapshot.authenticate(key, NOW_MS);
    await snapshot.apply(changed('upstream', newId()));
    expect(snapshot.authenticate(key, NOW_MS)).toBe(caller);
  });

  it('fails without the database and leaves the keys working; later readings work again', async () => {
    const { id, key } = await addKey();
    const snapshot = await loadSnapshot();
    await dataSource.destroy();
    await expect(snapshot.apply(changed('proxy_key', id))).rejects.toThrow();
    await expect(snapshot.apply('everything')).rejects.toThrow();
    expect(snapshot.authenticate(key, NOW_MS).keyId).toBe(id);
    await dataSource.initialize();
    await run('UPDATE proxy_keys SET revoked_at = now() WHERE id = $1', [id]);
    await snapshot.apply(changed('proxy_key', id));
    expect(refusalOf(snapshot, key).message).toBe('The API key has been revoked.');
  });
});
