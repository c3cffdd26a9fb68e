import { newId } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { type DataSource } from 'typeorm';
import { MIGRATIONS } from '../../../migrations';
import { LimitsAndBudgets1763700001000 } from '../../../migrations/1763700001000-limits-and-budgets';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';

const BEFORE = MIGRATIONS.slice(0, MIGRATIONS.indexOf(LimitsAndBudgets1763700001000));
const TABLES = ['organizations', 'projects', 'proxy_keys', 'models'];

let database: TestDatabase;
let before: DataSource;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  before = await createDataSource(database.url, 1, [], BEFORE).initialize();
  await before.runMigrations();
});
afterEach(async () => {
  await before.destroy();
  await database.drop();
});

/** As the version before this migration writes: it knows nothing of the new columns. */
async function addOldRows(): Promise<void> {
  const [organizationId, projectId] = [newId(), newId()];
  await database.query('INSERT INTO organizations (id, name) VALUES ($1, $2)', [organizationId, organizationId]);
  await database.query('INSERT INTO projects (id, organization_id, name) VALUES ($1, $2, $3)', [projectId, organizationId, 'p']);
  await database.query(
    `INSERT INTO proxy_keys (id, organization_id, project_id, name, public_id, secret_hash, limits) VALUES ($1, $2, $3, 'k', $4, sha256('k'), '{"rpm": 5}')`,
    [newId(), organizationId, projectId, newId()],
  );
  await database.query(`INSERT INTO models (id, name, operation) VALUES ($1, $2, 'chat')`, [newId(), newId()]);
}

async function readAll(): Promise<object[]> {
  const rows = await Promise.all(TABLES.map((table) => database.query<object>(`SELECT * FROM ${table} ORDER BY id`)));
  return rows.flat();
}

async function migrate(direction: 'up' | 'down'): Promise<void> {
  const runner = before.createQueryRunner();
  try {
    await new LimitsAndBudgets1763700001000()[direction](runner);
  } finally {
    await runner.release();
  }
}

describe('the migration of limits and budgets', () => {
  it('gives rows that are there, and those that the version before still writes, no limits and no budgets', async () => {
    await addOldRows();
    await migrate('up');
    await addOldRows();
    const rows = await readAll();
    expect(rows).toHaveLength(8);
    for (const row of rows) {
      if ('operation' in row) expect(row).toMatchObject({ limits: {} });
      else if ('secret_hash' in row) expect(row).toMatchObject({ limits: { rpm: 5 }, budgets: [] });
      else expect(row).toMatchObject({ limits: {}, budgets: [] });
    }
  });

  it('goes back without a trace', async () => {
    await addOldRows();
    const old = await readAll();
    await migrate('up');
    await migrate('down');
    expect(await readAll()).toEqual(old);
  });

  it('keeps a webhook and its secret together', async () => {
    await migrate('up');
    await addOldRows();
    await expect(database.query(`UPDATE organizations SET alert_webhook_url = 'https://alerts.example'`)).rejects.toThrow(/organizations_alert_webhook/);
    await expect(database.query(`UPDATE organizations SET alert_webhook_secret = 'x'`)).rejects.toThrow(/organizations_alert_webhook/);
    await database.query(`UPDATE organizations SET alert_webhook_url = 'https://alerts.example', alert_webhook_secret = 'x'`);
  });
});
