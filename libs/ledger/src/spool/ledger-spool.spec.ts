import fs, { cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { waitFor } from '../../../../test/support/wait-for';
import { toExampleRecord } from '../example-record';
import { createExampleLog, makeDataDirectory, openExampleWriter } from '../example-writer';
import { type LedgerWriter, type LedgerWriterOptions } from '../ledger-writer';
import { type RowBatch } from '../row-batch';
import { type RowInserter } from '../row-uploader';
import { UsageInserter } from '../usage-inserter';
import { type UsageRecord } from '../usage-record';
import { makeOrphan } from './example-spool';
import { type RecoveredCall } from './orphan-calls';

const counters = ['rate_limit:{o}:budget:key:k:total:*:0'];
const toHold = ({ requestId, atMs, organizationId }: UsageRecord) => ({ requestId, atMs, organizationId, counters });
const toIntent = (record: UsageRecord): UsageRecord => ({ ...record, status: 'unknown', estimated: true, costNanos: 9_000 });
const toTurnEnd = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/** Bytes that are still needed, on the heap and beside it. */
function measureMemory(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A database that is away until it is let in. */
function createDoor(inserter: RowInserter) {
  const door = {
    isOpen: false,
    insert: (rows: RowBatch) => (door.isOpen ? inserter.insert(rows) : Promise.reject(new Error('PostgreSQL is away'))),
    close: () => inserter.close(),
  };
  return door;
}

describe('LedgerWriter and its spool', () => {
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
    jest.restoreAllMocks();
    for (const writer of writers.splice(0)) await writer.close();
    directory.remove();
  });

  function createWriter(options: Partial<LedgerWriterOptions> = {}): LedgerWriter {
    const writer = openExampleWriter({ inserter: new UsageInserter(database.url), dataDirectory: directory.path, logger: log.logger, ...options });
    writers.push(writer);
    return writer;
  }

  const listFolders = (): string[] => readdirSync(join(directory.path, 'spool')).map((name) => join(directory.path, 'spool', name));
  const listSegments = (folder = listFolders()[0]): string[] => readdirSync(folder).filter((name) => name.endsWith('.log')).sort();
  const readSpool = (folder = listFolders()[0]): string => listSegments(folder).map((name) => readFileSync(join(folder, name), 'utf8')).join('');
  const countRows = async (): Promise<{ rows: number; requests: number }> => {
    const [row] = await database.query<{ rows: string; requests: string }>('SELECT count(*) AS rows, count(DISTINCT request_id) AS requests FROM usage_records');
    return { rows: Number(row.rows), requests: Number(row.requests) };
  };

  /** What would be found if the process were killed now. */
  async function recoverCopy(): Promise<RecoveredCall[]> {
    const copy = makeDataDirectory();
    const orphan = makeOrphan(copy.path);
    cpSync(listFolders()[0], orphan, { recursive: true });
    const recovered: RecoveredCall[] = [];
    const writer = openExampleWriter({ inserter: new UsageInserter(database.url), dataDirectory: copy.path });
    await writer.recover((calls) => {
      recovered.push(...calls);
      return Promise.resolve();
    });
    await writer.close();
    copy.remove();
    return recovered;
  }

  it('is open to its owner alone', () => {
    createWriter().append(toExampleRecord());
    const [folder] = listFolders();
    const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
    expect([join(directory.path, 'spool'), folder, join(folder, '000001.log'), join(folder, 'lock')].map(modeOf)).toEqual(['700', '700', '600', '600']);
  });

  it('has an intent written before its attempt departs: one write for all admissions of a batch, in their order', async () => {
    const writer = createWriter();
    const records = Array.from({ length: 20 }, () => toExampleRecord());
    const writes = jest.spyOn(fs, 'writeSync');
    const departed: string[] = [];
    // As after one answer of Redis: each admission goes on in a microtask of its own.
    const admitted = Promise.resolve();
    for (const record of records) {
      void admitted.then(() =>
        writer.intent(toIntent(record), (error) => {
          expect(error).toBeNull();
          expect(readSpool()).toContain(record.requestId);
          departed.push(record.requestId);
        }),
      );
    }
    await toTurnEnd();
    expect(departed).toEqual(records.map((record) => record.requestId));
    expect(writes).toHaveBeenCalledTimes(1);
  });

  it('has holds written when it says so, and lets an attempt depart when the turn ends', async () => {
    const writer = createWriter();
    const record = toExampleRecord();
    const departures: unknown[] = [];
    writer.intent(toIntent(record), (error) => departures.push(error));
    writer.hold(toHold(record));
    expect(writer.writePending()).toBe(true);
    expect(readSpool().split('\n').map((line) => line.slice(9, 10))).toEqual(['I', 'H', '']);
    expect(departures).toEqual([]);
    await toTurnEnd();
    expect(departures).toEqual([null]);
  });

  it('writes the finals and releases of a turn at once, at its end', async () => {
    const writer = createWriter();
    const records = Array.from({ length: 20 }, () => toExampleRecord());
    const writes = jest.spyOn(fs, 'writeSync');
    for (const record of records) {
      writer.append(record);
      writer.releaseHold(record.requestId);
    }
    expect(readSpool()).toBe('');
    await toTurnEnd();
    expect(writes).toHaveBeenCalledTimes(1);
    expect(readSpool().split('\n').map((line) => line.slice(9, 10)).join('')).toBe(`${'F'.repeat(20)}R`);
  });

  it('writes a release with what comes next, or soon by itself', async () => {
    const writer = createWriter();
    const [first, second] = [toExampleRecord(), toExampleRecord()];
    for (const record of [first, second]) writer.hold(toHold(record));
    await toTurnEnd();
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'Date', 'performance', 'hrtime', 'setInterval', 'clearInterval'] });
    try {
      const writes = jest.spyOn(fs, 'writeSync');
      writer.releaseHold(first.requestId);
      await toTurnEnd();
      expect(writes).not.toHaveBeenCalled();
      writer.intent(toIntent(second), () => undefined);
      await toTurnEnd();
      expect(writes).toHaveBeenCalledTimes(1);
      expect(readSpool()).toContain(`R["${first.requestId}"]`);
      writer.append(second);
      await toTurnEnd();
      writer.releaseHold(second.requestId);
      jest.advanceTimersByTime(20);
      expect(readSpool()).toContain(`R["${second.requestId}"]`);
      expect(writes).toHaveBeenCalledTimes(3);
    } finally {
      jest.useRealTimers();
    }
  });

  it('has the disk keep an intent before its attempt departs, when it is told to wait for that', async () => {
    const writer = createWriter({ spoolFsyncMs: 0 });
    const syncs = jest.spyOn(fs, 'fdatasyncSync');
    let syncsAtDeparture = 0;
    writer.intent(toIntent(toExampleRecord()), () => (syncsAtDeparture = syncs.mock.calls.length));
    await toTurnEnd();
    expect(syncsAtDeparture).toBe(1);
  });

  it('lets nothing depart, and keeps nothing of it, when the disk fails to keep an intent', async () => {
    const writer = createWriter({ spoolFsyncMs: 0 });
    const failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    jest.spyOn(fs, 'fdatasyncSync').mockImplementationOnce(() => {
      throw failure;
    });
    const departures: unknown[] = [];
    writer.intent(toIntent(toExampleRecord()), (error) => departures.push(error));
    await toTurnEnd();
    expect(departures).toEqual([failure]);
    expect(readSpool()).toBe('');
    expect(writer.hasRoom()).toBe(false);
    await waitFor(() => writer.hasRoom(), { what: 'the disk to be tried again' });
  });

  it('carries what is open into new segments, so that old ones go, and a crash loses nothing of it', async () => {
    const writer = createWriter({ segmentBytes: 20_000, spoolFsyncMs: 1, flushIntervalMs: 1 });
    const open = Array.from({ length: 10 }, () => toExampleRecord());
    const held = toExampleRecord({ costNanos: 77 });
    for (const record of open) {
      writer.hold(toHold(record));
      writer.intent(toIntent(record), () => undefined);
    }
    // This one's row goes with the first segments, but its hold is not settled.
    writer.hold(toHold(held));
    writer.append(held);
    for (let turn = 0; turn < 60; turn++) {
      for (let row = 0; row < 10; row++) {
        const record = toExampleRecord();
        writer.intent(toIntent(record), () => writer.append(record));
      }
      await toTurnEnd();
    }
    await writer.flush();
    await waitFor(() => listSegments()[0] > '000010.log', { what: 'old segments to go' });
    await waitFor(() => listSegments().length === 1, { what: 'all but the last segment to go' });
    const calls = await recoverCopy();
    expect(new Map(calls.map((call) => [call.requestId, call.chargedNanos]))).toEqual(
      new Map([...open.map((record): [string, number] => [record.requestId, 9_000]), [held.requestId, 77]]),
    );
    expect(await countRows()).toEqual({ rows: 611, requests: 611 });

    for (const record of open) {
      writer.append(record);
      writer.releaseHold(record.requestId);
    }
    writer.releaseHold(held.requestId);
    await writer.close();
    expect(readdirSync(join(directory.path, 'spool'))).toEqual([]);
  });

  it('keeps a segment whose open records the disk has not yet kept elsewhere', async () => {
    const writer = createWriter({ segmentBytes: 5_000, spoolFsyncMs: 3_600_000, flushIntervalMs: 1 });
    writer.intent(toIntent(toExampleRecord()), () => undefined);
    for (let row = 0; row < 50; row++) {
      writer.append(toExampleRecord());
      await toTurnEnd();
    }
    await writer.flush();
    expect(writer.backlog).toBe(0);
    expect(listSegments()[0]).toBe('000001.log');
    expect(listSegments().length).toBeGreaterThan(4);
  });

  it('keeps its spool when it is closed with an open hold, for the next start to settle', async () => {
    const writer = createWriter();
    const record = toExampleRecord();
    writer.hold(toHold(record));
    writer.append(record);
    await writer.close();
    const recovered: RecoveredCall[] = [];
    await createWriter().recover((calls) => {
      recovered.push(...calls);
      return Promise.resolve();
    });
    expect(recovered).toEqual([{ requestId: record.requestId, organizationId: record.organizationId, counters, heldAtMs: record.atMs, chargedNanos: 1_500 }]);
    expect(await countRows()).toEqual({ rows: 1, requests: 1 });
  });

  it('refuses new work at its cap, keeps what comes all the same, and works on when PostgreSQL is back', async () => {
    const door = createDoor(new UsageInserter(database.url));
    const writer = createWriter({ inserter: door, spoolMaxBytes: 200_000, spoolFsyncMs: 1, rowsInMemory: 100 });
    let rows = 0;
    while (writer.hasRoom()) {
      for (let row = 0; row < 20; row++, rows++) writer.append(toExampleRecord());
      await toTurnEnd();
    }
    expect(rows).toBeGreaterThan(200);
    for (; rows < 1_000; rows++) writer.append(toExampleRecord());
    await toTurnEnd();
    expect(writer.hasRoom()).toBe(false);
    door.isOpen = true;
    await writer.flush();
    await waitFor(() => writer.hasRoom(), { what: 'room' });
    expect(await countRows()).toEqual({ rows: 1_000, requests: 1_000 });
  });

  it('has memory stay flat with 200,000 rows while PostgreSQL is away, and stores each of them after', async () => {
    const rows = 200_000;
    const seen = new Set<string>();
    let isAway = true;
    // The table itself is not what this is about.
    const inserter: RowInserter = {
      insert: ({ requestIds }) => {
        if (isAway) return Promise.reject(new Error('PostgreSQL is away'));
        for (const requestId of requestIds) seen.add(requestId);
        return Promise.resolve(requestIds.length);
      },
      close: () => Promise.resolve(),
    };
    const writer = createWriter({ inserter, rowsInMemory: 2_000 });
    const fill = async (count: number): Promise<void> => {
      for (let row = 0; row < count; row++) {
        writer.append(toExampleRecord());
        if (row % 100 === 99) await toTurnEnd();
      }
    };
    await fill(20_000);
    const before = measureMemory();
    await fill(rows - 20_000);
    // 180,000 rows are some 90 MB.
    expect(measureMemory() - before).toBeLessThan(10 * 1024 * 1024);
    expect(writer.backlog).toBe(rows);
    isAway = false;
    await writer.flush();
    expect(seen.size).toBe(rows);
    await writer.close();
    expect(readdirSync(join(directory.path, 'spool'))).toEqual([]);
  });

  it('loses a row alone that is damaged in the spool before it was stored, and says so', async () => {
    const door = createDoor(new UsageInserter(database.url));
    const writer = createWriter({ inserter: door, rowsInMemory: 5 });
    const records = Array.from({ length: 30 }, () => toExampleRecord());
    for (const record of records) {
      writer.append(record);
      await toTurnEnd();
    }
    const path = join(listFolders()[0], '000001.log');
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(records[20].requestId)] ^= 1;
    fs.writeFileSync(path, bytes);
    door.isOpen = true;
    await writer.flush();
    expect(await countRows()).toEqual({ rows: 29, requests: 29 });
    expect(writer.backlog).toBe(0);
    expect(log.lines.filter(([, message]) => message.includes('damaged'))).toHaveLength(1);
  });
});
