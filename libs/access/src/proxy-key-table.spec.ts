import { newId, type OrganizationId, type ProxyKeyId } from '@weir/kernel';
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ProxyKeyRow } from './access-rows';
import { ProxyKeyTable } from './proxy-key-table';

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
    limits: { rpm: 60 + (index % 10) },
    expires_at_ms: index % 3 === 0 ? 1_800_000_000_000 + index : null,
    revoked: false,
  };
}

describe('ProxyKeyTable', () => {
  it('holds a hundred thousand keys of a thousand organizations in under 100 MB', async () => {
    const organizationIds = Array.from({ length: 1000 }, () => newId<OrganizationId>());
    const before = await measureMemory();
    const table = new ProxyKeyTable();
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

  it('shares equal model lists and limits between keys', () => {
    const table = new ProxyKeyTable();
    const organizationId = newId<OrganizationId>();
    const rows = [['b', 'a'], ['a', 'b'], ['a']].map((models, index) => ({ ...toRow(organizationId, index), models, limits: { rpm: 5 } }));
    for (const row of rows) table.putKey(row);
    const [first, second, third] = rows.map((row) => table.findMatch(row.public_id, row.secret_hash));
    expect(first?.models).toBe(second?.models);
    expect(first?.models).not.toBe(third?.models);
    expect(first?.limits).toBe(third?.limits);
    expect(first?.organization).toBe(third?.organization);
  });

  it('loses a key whose row can no longer be understood', () => {
    const table = new ProxyKeyTable();
    const row = toRow(newId<OrganizationId>(), 0);
    table.putKey(row);
    expect(() => table.putKey({ ...row, limits: { rpm: 'many' } })).toThrow();
    expect(table.findMatch(row.public_id, row.secret_hash)).toBeNull();
    expect(table.size).toBe(0);
  });
});
