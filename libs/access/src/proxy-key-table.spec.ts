import { newId, NO_LIMITS, type OrganizationId, type ProjectId, type ProxyKeyId } from '@weir/kernel';
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ProxyKeyRow } from './access-rows';
import { toStoredBudgets } from './parse-budgets';
import { ProxyKeyTable, type TenantReadings } from './proxy-key-table';

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

/** What is in use once nothing more is freed: what earlier test files left goes in several rounds. */
async function measureMemory(): Promise<number> {
  if (typeof collectGarbage !== 'function') throw new Error('this runtime cannot collect garbage on demand');
  let used = Infinity;
  for (let round = 0; round < 20; round++) {
    collectGarbage();
    await nextTurn();
    const { heapUsed, external } = process.memoryUsage();
    if (Math.abs(used - heapUsed - external) < 100_000) break;
    used = heapUsed + external;
  }
  return used;
}

function toRow(organizationId: OrganizationId, index: number): ProxyKeyRow {
  return {
    id: newId<ProxyKeyId>(),
    organization_id: organizationId,
    project_id: null,
    public_id: randomBytes(8).toString('hex'),
    secret_hash: randomBytes(32),
    models: index % 2 === 0 ? [] : ['gpt-4o', 'openai/*', `team-${index % 50}`],
    limits: { rpm: 60 + (index % 10), tpm: 100_000, concurrency: index % 5 },
    budgets: toBudgets(index),
    expires_at_ms: index % 3 === 0 ? 1_800_000_000_000 + index : null,
    revoked: false,
  };
}

/** A third of the keys have none, a third one of a few, and every third one of its own: each was reset at another time. */
function toBudgets(index: number): unknown {
  if (index % 3 === 0) return [];
  const budget = { amountNanos: 5_000_000_000, period: 'month', model: null, alerts: [80, 100], resetAtMs: null } as const;
  if (index % 3 === 1) return toStoredBudgets([{ ...budget, amountNanos: (index % 20) * 1_000_000_000 }]);
  // A text of its own, as from the database.
  return JSON.parse(JSON.stringify(toStoredBudgets([{ ...budget, resetAtMs: 1_800_000_000_000 + index }, { ...budget, period: 'day', model: 'gpt-4o' }])));
}

function failOnUnreadable(kind: string, id: string, error: unknown): never {
  throw new Error(`${kind} ${id}`, { cause: error });
}

const NONE_READ = { askedIds: [], rows: [] };

describe('ProxyKeyTable', () => {
  it('holds a hundred thousand keys of a thousand organizations in under 100 MB', async () => {
    const organizationIds = Array.from({ length: 1000 }, () => newId<OrganizationId>());
    const before = await measureMemory();
    const table = new ProxyKeyTable(failOnUnreadable);
    for (let index = 0; index < 100_000; index++) {
      // As from the database: each row has texts of its own.
      const organizationId = Buffer.from(organizationIds[index % 1000]).toString() as OrganizationId;
      table.putKey(toRow(organizationId, index));
    }
    const usedMegabytes = ((await measureMemory()) - before) / 1024 / 1024;
    expect(table.size).toBe(100_000);
    expect(usedMegabytes).toBeGreaterThan(5);
    expect(usedMegabytes).toBeLessThan(100);
  });

  it('shares equal model lists, limits and budgets between keys', () => {
    const table = new ProxyKeyTable(failOnUnreadable);
    const organizationId = newId<OrganizationId>();
    const rows = [['b', 'a'], ['a', 'b'], ['a']].map((models, index) => ({
      ...toRow(organizationId, index),
      models,
      limits: { rpm: 5, tpm: index === 2 ? 1 : 2 },
      budgets: toStoredBudgets([{ amountNanos: 5, period: 'day', model: null, alerts: [index === 2 ? 70 : 80], resetAtMs: null }]),
    }));
    for (const row of rows) table.putKey(row);
    const [first, second, third] = rows.map((row) => table.findMatch(row.public_id, row.secret_hash));
    expect(first?.models).toBe(second?.models);
    expect(first?.models).not.toBe(third?.models);
    expect(first?.limits).toBe(second?.limits);
    expect(first?.limits).not.toBe(third?.limits);
    expect(first?.budgets).toBe(second?.budgets);
    expect(first?.budgets).not.toBe(third?.budgets);
    expect(first?.organization).toBe(third?.organization);
  });

  it.each([
    ['limits', { limits: { rpm: 'many' } }],
    ['limits', { limits: [] }],
    ['limits', { limits: { tpm: -1 } }],
    ['limits', { limits: { concurrency: 1.5 } }],
    ['budgets', { budgets: {} }],
    ['budgets', { budgets: [null] }],
    ['budgets', { budgets: [{ amount_nanos: 5, period: 'fortnight', alerts: [] }] }],
    ['budgets', { budgets: [{ amount_nanos: '5', period: 'day', alerts: [] }] }],
    ['budgets', { budgets: [{ amount_nanos: -5, period: 'day', alerts: [] }] }],
    ['budgets', { budgets: [{ amount_nanos: 1.5, period: 'day', alerts: [] }] }],
    ['budgets', { budgets: [{ amount_nanos: 5, period: 'day', alerts: [0] }] }],
    ['budgets', { budgets: [{ amount_nanos: 5, period: 'day', alerts: [], reset_at_ms: 'now' }] }],
    ['budgets', { budgets: [{ amount_nanos: 5, period: 'day', alerts: [], model: 7 }] }],
  ])('loses a key whose %s can no longer be understood, and says which: %j', (_what, broken) => {
    const unreadable: unknown[] = [];
    const table = new ProxyKeyTable((kind, id) => unreadable.push([kind, id]));
    const row = toRow(newId<OrganizationId>(), 0);
    table.putKey(row);
    table.putKey({ ...row, ...broken });
    expect(table.findMatch(row.public_id, row.secret_hash)).toBeNull();
    expect(table.size).toBe(0);
    expect(unreadable).toEqual([['proxy_key', row.id]]);
  });

  it('keeps the scope of a tenant whose limits and budgets stayed, and makes another for new ones', () => {
    const table = new ProxyKeyTable(failOnUnreadable);
    const organizationId = newId<OrganizationId>();
    const projectId = newId<ProjectId>();
    const row = { ...toRow(organizationId, 1), project_id: projectId };
    table.putKey(row);
    const budgets = () => toStoredBudgets([{ amountNanos: 5, period: 'day', model: null, alerts: [], resetAtMs: null }]);
    const read = (limits: object, enabled = true): TenantReadings => ({
      organizations: { askedIds: [organizationId], rows: [{ id: organizationId, enabled, limits, budgets: budgets() }] },
      projects: { askedIds: [projectId], rows: [{ id: projectId, enabled, limits: {}, budgets: budgets() }] },
    });
    const look = () => table.findMatch(row.public_id, row.secret_hash)!;
    table.setTenants(read({ rpm: 1 }));
    const { organization, project } = look();
    const [before, projectBefore] = [organization.scope, project?.scope];
    expect(before).toEqual({
      id: organizationId,
      limits: { ...NO_LIMITS, requestsPerMinute: 1 },
      budgets: [{ amountNanos: 5, period: 'day', model: null, alerts: [], resetAtMs: null }],
    });
    table.setTenants(read({ rpm: 1 }, false));
    expect([organization.state, organization.scope === before]).toEqual(['disabled', true]);
    table.setTenants(read({ rpm: 2 }));
    expect([organization.scope === before, organization.scope.limits.requestsPerMinute]).toEqual([false, 2]);
    expect(project?.scope).toBe(projectBefore);
    table.setTenants({ organizations: { askedIds: [organizationId], rows: [] }, projects: NONE_READ });
    expect(organization.state).toBe('unknown');
  });
});
