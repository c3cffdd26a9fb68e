import { createDataSource, runMigrations } from '@weir/platform';
import { Client } from 'pg';
import { writeFileSync } from 'node:fs';
import { MIGRATIONS } from '../migrations';
import { Foundation1763600000000 } from '../migrations/1763600000000-foundation';
import { startPrivatePostgres } from '../test/support/postgres';
import { insertRows } from '../bench/usage-rows';
async function main() {
  const rows = Number(process.env.ROWS ?? 10_000_000);
  const pg = await startPrivatePostgres();
  writeFileSync('/tmp/usage/url', pg.url);
  const t = (w: string, s: number) => console.log(w, ((performance.now() - s) / 1000).toFixed(1));
  await runMigrations(createDataSource(pg.url, 2, [], [Foundation1763600000000]));
  const client = new Client({ connectionString: pg.url }); await client.connect();
  const ds = await createDataSource(pg.url, 2, []).initialize();
  let s = performance.now();
  await insertRows(client, ds, { rows, endMs: Date.now() });
  t('rows', s); s = performance.now();
  await client.query('VACUUM ANALYZE usage_records'); t('vacuum', s); s = performance.now();
  await runMigrations(createDataSource(pg.url, 2, [], MIGRATIONS)); t('migrate', s); s = performance.now();
  await client.query('VACUUM ANALYZE'); t('vacuum', s);
  console.log((await client.query(`SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) s, reltuples FROM pg_class WHERE relkind='r' AND relname like 'usage%' ORDER BY 1`)).rows);
  console.log('ready');
  process.on('SIGTERM', async () => { await client.end(); await ds.destroy(); await pg.destroy(); process.exit(0); });
  setInterval(() => undefined, 1e6);
}
main().catch((e) => { console.error(e); process.exit(1); });
