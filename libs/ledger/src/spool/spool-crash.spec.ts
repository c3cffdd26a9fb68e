import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable, type Writable } from 'node:stream';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { waitFor } from '../../../../test/support/wait-for';
import { toExampleRecord } from '../example-record';
import { makeDataDirectory, openExampleWriter } from '../example-writer';
import { UsageInserter } from '../usage-inserter';
import { finalLine, makeOrphan } from './example-spool';
import { type RecoveredCall } from './orphan-calls';

const HOOK = join(__dirname, '../../../../test/support/typescript-hook.js');

describe('the spools of processes', () => {
  let database: TestDatabase;
  let directory: ReturnType<typeof makeDataDirectory>;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(() => {
    directory = makeDataDirectory();
  });
  afterEach(() => directory.remove());

  function startChild(mode: 'load' | 'adopt'): { child: ChildProcessByStdio<Writable, Readable, null>; lines: string[]; ended: Promise<unknown> } {
    const args = ['--require', HOOK, join(__dirname, 'spool-child.ts'), mode, directory.path, database.url];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines: string[] = [];
    const reader = createInterface(child.stdout).on('line', (line) => lines.push(line));
    return { child, lines, ended: Promise.all([once(child, 'exit'), once(reader, 'close')]) };
  }

  const listSpools = (): string[] => readdirSync(join(directory.path, 'spool'));

  it('become rows when they are killed under load: each call that departed is there once, and charged what its rows say', async () => {
    const departed = new Set<string>();
    for (let round = 0; round < 4; round++) {
      const { child, ended } = startChild('load');
      const departures = join(directory.path, `departures-${child.pid}`);
      const enough = 50 + Math.floor(Math.random() * 2_000);
      await waitFor(() => statSync(departures).size > enough * 37, { what: 'calls', intervalMs: 1 });
      child.kill('SIGKILL');
      await ended;
      for (const line of readFileSync(departures, 'utf8').split('\n').slice(0, -1)) departed.add(line);
    }
    expect(listSpools()).toHaveLength(4);

    const recovered: RecoveredCall[] = [];
    const writer = openExampleWriter({ inserter: new UsageInserter(database.url), dataDirectory: directory.path });
    await writer.recover((calls) => {
      recovered.push(...calls);
      return Promise.resolve();
    });
    await writer.close();
    expect(listSpools()).toEqual([]);
    const rows = await database.query<{ request_id: string; status: string; cost_nanos: string }>('SELECT request_id, status, cost_nanos FROM usage_records');
    const costs = new Map(rows.map((row) => [row.request_id, Number(row.cost_nanos)]));
    expect(costs.size).toBe(rows.length);
    expect([...departed].filter((requestId) => !costs.has(requestId))).toEqual([]);
    // Written, but killed before they could say so: at most the calls of one turn a process.
    expect(rows.filter((row) => !departed.has(row.request_id)).length).toBeLessThanOrEqual(4 * 5);
    expect(rows.some((row) => row.status === 'unknown') && rows.some((row) => row.status === 'succeeded')).toBe(true);
    for (const call of recovered) expect(call.chargedNanos).toBe(costs.get(call.requestId) ?? 0);
    const settled = new Set(recovered.map((call) => call.requestId));
    expect(rows.filter((row) => row.status === 'unknown' && !settled.has(row.request_id))).toEqual([]);
  });

  it('are taken by one process each when several want the same orphans', async () => {
    await database.query('TRUNCATE usage_records');
    for (let orphan = 0; orphan < 30; orphan++) makeOrphan(directory.path, Array.from({ length: 100 }, () => finalLine(toExampleRecord())).join(''));
    const children = [startChild('adopt'), startChild('adopt')];
    for (const { lines } of children) await waitFor(() => lines.includes('ready'), { what: 'the processes' });
    for (const { child } of children) child.stdin.write('go\n');
    for (const { ended } of children) await ended;
    const counts = children.map(({ lines }) => Number(lines[1]));
    expect(counts[0] + counts[1]).toBe(3_000);
    const [{ count }] = await database.query<{ count: string }>('SELECT count(*) FROM usage_records');
    expect(Number(count)).toBe(3_000);
    expect(listSpools()).toEqual([]);
  });
});
