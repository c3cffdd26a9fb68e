import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { waitFor } from '../../../../test/support/wait-for';
import { toExampleRecord } from '../example-record';
import { createExampleLog, makeDataDirectory, openExampleWriter } from '../example-writer';
import { type LedgerWriter } from '../ledger-writer';
import { type RowInserter } from '../row-uploader';
import { UsageInserter } from '../usage-inserter';
import { type UsageRecord } from '../usage-record';
import { finalLine, holdLine, intentLine, makeOrphan, releaseLine } from './example-spool';
import { type RecoveredCall } from './orphan-calls';
import { SpoolFolder } from './spool-folder';

const counters = ['rate_limit:{o}:budget:key:k:total:*:0'];
const toHold = ({ requestId, atMs, organizationId }: UsageRecord) => ({ requestId, atMs, organizationId, counters });
const toIntent = (record: UsageRecord): UsageRecord => ({ ...record, status: 'unknown', estimated: true, costNanos: 9_000 });

describe('the spool of a process that was killed', () => {
  let database: TestDatabase;
  let directory: ReturnType<typeof makeDataDirectory>;
  const writers: LedgerWriter[] = [];
  const log = createExampleLog();

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    directory = makeDataDirectory();
    log.lines.length = 0;
    await database.query('TRUNCATE usage_records');
  });
  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.close();
    directory.remove();
  });

  function createWriter(inserter: RowInserter = new UsageInserter(database.url)): LedgerWriter {
    const writer = openExampleWriter({ inserter, dataDirectory: directory.path, logger: log.logger });
    writers.push(writer);
    return writer;
  }

  async function recover(): Promise<RecoveredCall[]> {
    const recovered: RecoveredCall[] = [];
    await createWriter().recover((calls) => {
      recovered.push(...calls);
      return Promise.resolve();
    });
    return recovered;
  }

  const readRows = () => database.query<{ request_id: string; status: string; cost_nanos: string; estimated: boolean }>('SELECT request_id, status, cost_nanos, estimated FROM usage_records ORDER BY request_id, attempt');

  it('becomes rows: finals as they are, attempts without one at their estimate, and nothing for a call that was never sent', async () => {
    const [over, open, unsent, released] = Array.from({ length: 4 }, () => toExampleRecord());
    const path = makeOrphan(
      directory.path,
      [
        holdLine(toHold(over)) + intentLine(toIntent(over)) + finalLine(over),
        holdLine(toHold(open)) + intentLine(toIntent(open)),
        holdLine(toHold(unsent)),
        holdLine(toHold(released)) + intentLine(toIntent(released)) + finalLine(released) + releaseLine(released.requestId),
      ].join(''),
    );
    const calls = await recover();
    const rows = await readRows();
    expect(rows).toHaveLength(3);
    expect(rows.find((row) => row.request_id === over.requestId)).toMatchObject({ status: 'succeeded', cost_nanos: '1500' });
    expect(rows.find((row) => row.request_id === open.requestId)).toMatchObject({ status: 'unknown', cost_nanos: '9000', estimated: true });
    const { organizationId, atMs: heldAtMs } = over;
    expect(calls).toEqual([
      { requestId: over.requestId, organizationId, counters, heldAtMs, chargedNanos: 1_500 },
      { requestId: open.requestId, organizationId, counters, heldAtMs, chargedNanos: 9_000 },
      { requestId: unsent.requestId, organizationId, counters, heldAtMs, chargedNanos: 0 },
    ]);
    expect(existsSync(path)).toBe(false);
  });

  it('charges every attempt of a call, once each, also when its hold was carried into another segment', async () => {
    const first = toExampleRecord({ costNanos: 100 });
    const second: UsageRecord = { ...first, attempt: 2, costNanos: 7 };
    const third: UsageRecord = { ...first, attempt: 3 };
    makeOrphan(
      directory.path,
      holdLine(toHold(first)) + intentLine(toIntent(first)) + finalLine(first) + intentLine(toIntent(second)),
      holdLine(toHold(first), 100) + intentLine(toIntent(second)) + finalLine(second) + intentLine(toIntent(third)),
    );
    const calls = await recover();
    expect(calls.map((call) => call.chargedNanos)).toEqual([100 + 7 + 9_000]);
    expect((await readRows()).map((row) => row.cost_nanos)).toEqual(['100', '7', '9000']);
  });

  it('loses a damaged record alone, says where it stood and nothing of what was in it', async () => {
    const [one, other, last] = [toExampleRecord({ model: 'canary' }), toExampleRecord(), toExampleRecord()];
    const lines = [intentLine(toIntent(one)), finalLine(one), holdLine(toHold(other)), intentLine(toIntent(other)), finalLine(other), finalLine(last)];
    const bytes = Buffer.from(lines.join(''));
    const damagedAt = lines[0].length;
    bytes[damagedAt + 40] ^= 4;
    bytes[damagedAt + lines[1].length + 40] ^= 4;
    const path = makeOrphan(directory.path, bytes);
    // The hold of `other` is gone: nobody is charged for it a second time.
    expect(await recover()).toEqual([]);
    const rows = await readRows();
    expect(rows.map((row) => row.request_id).sort()).toEqual([one, other, last].map((record) => record.requestId).sort());
    expect(rows.find((row) => row.request_id === one.requestId)).toMatchObject({ status: 'unknown', cost_nanos: '9000' });
    const damaged = log.lines.filter(([, message]) => message.includes('damaged'));
    expect(damaged.map(([fields]) => fields)).toEqual([damagedAt, damagedAt + lines[1].length].map((offset) => ({ name: path.split('/').pop(), segment: 1, offset })));
    expect(JSON.stringify(log.lines)).not.toContain('canary');
  });

  it('takes a record that was torn by the end of the process for not written', async () => {
    const [whole, torn] = [toExampleRecord(), toExampleRecord()];
    for (const cut of [1, 2, 60, 300]) {
      await database.query('TRUNCATE usage_records');
      const path = makeOrphan(directory.path, finalLine(whole) + intentLine(torn).slice(0, -1 - cut));
      await recover();
      expect((await readRows()).map((row) => row.request_id)).toEqual([whole.requestId]);
      expect(existsSync(path)).toBe(false);
    }
    expect(log.lines.filter(([, message]) => message.includes('damaged'))).toEqual([]);
  });

  it('survives segments that are noise, empty, or larger than what is read at once', async () => {
    const records = Array.from({ length: 3_000 }, () => toExampleRecord());
    const noise = Buffer.alloc(1_500_000, 'x');
    makeOrphan(directory.path, '', noise, records.map(finalLine).join(''), Buffer.alloc(20));
    await recover();
    expect(await readRows()).toHaveLength(3_000);
  });

  it('is kept until its calls are settled, and settled again when that failed', async () => {
    const record = toExampleRecord();
    const path = makeOrphan(directory.path, holdLine(toHold(record)) + intentLine(toIntent(record)));
    let asked = 0;
    await createWriter().recover(async () => {
      expect(existsSync(path)).toBe(true);
      expect(await readRows()).toHaveLength(1);
      if (asked++ === 0) throw new Error('Redis is away');
    });
    expect(asked).toBe(2);
    expect(existsSync(path)).toBe(false);
  });

  it('is left to the next one when the process stops in between, whether at its rows or at its calls', async () => {
    const record = toExampleRecord();
    const path = makeOrphan(directory.path, holdLine(toHold(record)) + intentLine(toIntent(record)));
    const before = readFileSync(join(path, '000001.log'));
    const stuck = createWriter();
    let isAsked = false;
    const recovery = stuck.recover(() => {
      isAsked = true;
      return new Promise(() => undefined);
    });
    await waitFor(() => isAsked, { what: 'the settling' });
    await stuck.close();
    await recovery;
    expect(readFileSync(join(path, '000001.log'))).toEqual(before);
    const away = createWriter({ insert: () => Promise.reject(new Error('away')), close: () => Promise.resolve() });
    const waiting = away.recover(() => Promise.resolve());
    await waitFor(() => log.lines.some(([, message]) => message === 'usage rows cannot be stored now, and wait'));
    await away.close();
    await waiting;
    expect(existsSync(path)).toBe(true);
    expect(await recover()).toHaveLength(1);
    expect(await readRows()).toHaveLength(1);
    expect(existsSync(path)).toBe(false);
  });

  it('is not taken while its process lives', async () => {
    const living = createWriter();
    living.append(toExampleRecord());
    living.writePending();
    await recover();
    expect(readdirSync(join(directory.path, 'spool'))).toHaveLength(2);
    await living.flush();
    expect(await readRows()).toHaveLength(1);
  });

  it('may be half deleted or no spool at all', async () => {
    const parent = join(directory.path, 'spool');
    makeOrphan(directory.path);
    mkdirSync(join(parent, '00000000-0000-4000-8000-000000000000'));
    mkdirSync(join(parent, 'something else'));
    writeFileSync(join(parent, '00000000-0000-4000-8000-000000000001'), '');
    await recover();
    const own = readdirSync(parent).filter((name) => !name.startsWith('00000000') && name !== 'something else');
    expect(own).toHaveLength(1);
    expect(existsSync(join(parent, '00000000-0000-4000-8000-000000000000'))).toBe(false);
    expect(existsSync(join(parent, 'something else'))).toBe(true);
  });

  it('belongs to one at a time', () => {
    const path = makeOrphan(directory.path);
    const folder = SpoolFolder.adopt(path);
    expect(folder).not.toBeNull();
    expect(SpoolFolder.adopt(path)).toBeNull();
    folder?.release();
    SpoolFolder.adopt(path)?.release();
  });
});
