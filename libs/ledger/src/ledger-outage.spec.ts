import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createDataSource, runMigrations } from '@weir/platform';
import { UsageInserter } from '@weir/ledger';
import { Client } from 'pg';
import { MIGRATIONS } from '../../../migrations';
import { startPrivatePostgres, type TestPostgres } from '../../../test/support/postgres';
import { waitFor } from '../../../test/support/wait-for';
import { toExampleRecord } from './example-record';
import { makeDataDirectory, openExampleWriter } from './example-writer';

describe('LedgerWriter, while PostgreSQL stops and comes back', () => {
  let postgres: TestPostgres;
  const directory = makeDataDirectory();

  beforeAll(async () => {
    postgres = await startPrivatePostgres();
    await runMigrations(createDataSource(postgres.url, 2, [], MIGRATIONS));
  });
  afterAll(async () => {
    directory.remove();
    await postgres.destroy();
  });

  async function readCounts(): Promise<{ rows: number; requests: number }> {
    const client = new Client({ connectionString: postgres.url });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ rows: string; requests: string }>('SELECT count(*) AS rows, count(DISTINCT request_id) AS requests FROM usage_records');
    await client.end();
    return { rows: Number(rows[0].rows), requests: Number(rows[0].requests) };
  }

  it('has every row in the end and none twice, and append never throws', async () => {
    const writer = openExampleWriter({ inserter: new UsageInserter(postgres.url), dataDirectory: directory.path });
    let appended = 0;
    let isAppending = true;
    const appending = (async () => {
      while (isAppending) {
        for (let row = 0; row < 50; row++, appended++) writer.append(toExampleRecord());
        await new Promise<void>((resolve) => setImmediate(resolve));
        // A pace that leaves the database a chance, whatever the machine.
        if (writer.backlog > 20_000) await waitFor(() => writer.backlog < 20_000 || !isAppending);
      }
    })();
    for (let outage = 0; outage < 2; outage++) {
      await waitFor(() => writer.backlog > 0 && appended > 2_000 * (outage + 1), { what: 'rows under way' });
      await postgres.stop();
      const before = appended;
      await waitFor(() => appended > before + 1_000 || writer.backlog > 15_000, { what: 'rows during the outage' });
      expect(writer.backlog).toBeGreaterThan(0);
      await postgres.start();
      await waitFor(async () => (await readCounts()).rows > 0, { what: 'rows after the outage' });
    }
    isAppending = false;
    await appending;
    await writer.flush();
    expect(await readCounts()).toEqual({ rows: appended, requests: appended });
    expect(writer.refused).toEqual([]);
    await writer.close();
  });

  it('leaves everything in the spool when it is closed during the outage, and the next start stores it', async () => {
    const before = await readCounts();
    const inserter = () => new UsageInserter(postgres.url);
    const writer = openExampleWriter({ inserter: inserter(), dataDirectory: directory.path, closeTimeoutMs: 100 });
    await postgres.stop();
    for (let row = 0; row < 1_234; row++) writer.append(toExampleRecord());
    await writer.close();
    expect(writer.backlog).toBe(1_234);

    const next = openExampleWriter({ inserter: inserter(), dataDirectory: directory.path, recoverTimeoutMs: 50 });
    // It does not wait for PostgreSQL for ever.
    await next.recover(() => Promise.resolve());
    next.append(toExampleRecord());
    await postgres.start();
    await waitFor(async () => (await readCounts()).requests === before.requests + 1_235, { what: 'all rows' });
    await waitFor(() => readdirSync(join(directory.path, 'spool')).length === 1, { what: 'the old spool to go' });
    await next.close();
    expect(readdirSync(join(directory.path, 'spool'))).toEqual([]);
  });
});
