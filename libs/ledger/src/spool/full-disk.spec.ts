import { execFileSync } from 'node:child_process';
import fs, { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metrics } from '@weir/platform';
import { waitFor } from '../../../../test/support/wait-for';
import { toExampleRecord } from '../example-record';
import { createExampleLog, makeDataDirectory, openExampleWriter } from '../example-writer';
import { type LedgerWriter } from '../ledger-writer';
import { type RowBatch } from '../row-batch';
import { readSpoolStretch } from './spool-record';

const FULL_BYTES = 64 * 1024;
const LARGER_BYTES = 1024 * 1024;
const toTurnEnd = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

interface SmallDisk {
  readonly path: string;
  grow(): void;
  remove(): void;
}

/** A file system of that size; only the superuser may make one. */
function mountSmallDisk(): SmallDisk | null {
  const directory = makeDataDirectory();
  const mount = (options: string): unknown => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'weir-test', directory.path], { stdio: 'ignore' });
  try {
    mount(`size=${FULL_BYTES}`);
  } catch {
    directory.remove();
    return null;
  }
  return {
    path: directory.path,
    grow: () => mount(`remount,size=${LARGER_BYTES}`),
    remove: () => {
      execFileSync('umount', [directory.path]);
      directory.remove();
    },
  };
}

/** Writes behave as on one, also in that they are cut short. */
function pretendSmallDisk(): SmallDisk {
  const directory = makeDataDirectory();
  let freeBytes = FULL_BYTES;
  const { writeSync } = fs;
  const used = (file: number): number => fs.fstatSync(file).size;
  jest.spyOn(fs, 'writeSync').mockImplementation((...parameters: unknown[]) => {
    const [file, bytes, offset, length] = parameters as [number, Buffer, number, number];
    const left = freeBytes - used(file);
    if (left <= 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    return writeSync(file, bytes, offset, Math.min(left, length));
  });
  return { path: directory.path, grow: () => (freeBytes = LARGER_BYTES), remove: directory.remove };
}

const disks: [string, () => SmallDisk][] = [['as it is pretended', pretendSmallDisk]];
const mounted = mountSmallDisk();
mounted?.remove();
if (mounted !== null) disks.push(['as the system has it', () => mountSmallDisk() ?? pretendSmallDisk()]);

describe.each(disks)('LedgerWriter on a full disk, %s', (_how, makeDisk) => {
  let disk: SmallDisk;
  let writer: LedgerWriter;
  let metrics: Metrics;
  let isAway: boolean;
  const stored = new Set<string>();
  const log = createExampleLog();
  const inserter = {
    insert: ({ requestIds }: RowBatch) => {
      if (isAway) return Promise.reject(new Error('PostgreSQL is away'));
      for (const requestId of requestIds) stored.add(requestId);
      return Promise.resolve(requestIds.length);
    },
    close: () => Promise.resolve(),
  };

  beforeEach(() => {
    disk = makeDisk();
    metrics = new Metrics();
    isAway = true;
    stored.clear();
    log.lines.length = 0;
    writer = openExampleWriter({ inserter, dataDirectory: disk.path, logger: log.logger, metrics, closeTimeoutMs: 50, segmentBytes: LARGER_BYTES });
  });
  afterEach(async () => {
    await writer.close();
    jest.restoreAllMocks();
    disk.remove();
  });

  async function fill(): Promise<number> {
    let rows = 0;
    for (; writer.hasRoom(); rows++) {
      writer.append(toExampleRecord());
      await toTurnEnd();
    }
    return rows;
  }

  const readSpool = (): Buffer => {
    const [name] = readdirSync(join(disk.path, 'spool'));
    return readFileSync(join(disk.path, 'spool', name, '000001.log'));
  };
  const depart = (): Promise<Error | null> => new Promise((resolve) => writer.intent(toExampleRecord({ status: 'unknown' }), resolve));

  it('lets no attempt depart and no hold be relied on, and leaves nothing half written', async () => {
    const rows = await fill();
    const written = readSpoolStretch(readSpool());
    expect(written).toMatchObject({ corruptAt: [], length: readSpool().length });
    expect(written.records.length).toBe(rows - 1);
    expect(await depart()).toMatchObject({ code: 'ENOSPC' });
    const { requestId, atMs, organizationId } = toExampleRecord();
    writer.hold({ requestId, atMs, organizationId, counters: [] });
    expect(writer.writePending()).toBe(false);
    writer.releaseHold(requestId);
    expect(readSpool().length).toBe(written.length);
    // Once, however often it is tried.
    expect(log.lines.filter(([, message]) => message.includes('the spool cannot be written'))).toHaveLength(1);
  });

  it('has rows that cannot be written stored all the same, and works on when that has made room', async () => {
    const rows = await fill();
    for (let row = 0; row < 50; row++) writer.append(toExampleRecord());
    isAway = false;
    await writer.flush();
    expect(stored.size).toBe(rows + 50);
    await waitFor(() => writer.hasRoom(), { what: 'room' });
    expect(await depart()).toBeNull();
    expect(readSpoolStretch(readSpool()).records).toHaveLength(1);
  });

  it('writes what it could not write as soon as there is room, while PostgreSQL is still away', async () => {
    const rows = await fill();
    const { requestId, atMs, organizationId } = toExampleRecord();
    writer.hold({ requestId, atMs, organizationId, counters: [] });
    for (let row = 0; row < 50; row++) writer.append(toExampleRecord());
    expect(writer.writePending()).toBe(false);
    disk.grow();
    await waitFor(() => writer.hasRoom(), { what: 'room' });
    expect(writer.writePending()).toBe(true);
    const { records, corruptAt } = readSpoolStretch(readSpool());
    expect(corruptAt).toEqual([]);
    expect(records.filter(({ kind }) => kind === 'F').length).toBe(rows + 50);
    expect(records.filter(({ kind }) => kind === 'H')).toHaveLength(1);
    isAway = false;
    await writer.flush();
    expect(stored.size).toBe(rows + 50);
    expect(writer.backlog).toBe(0);
  });

  it('says which rows are lost when it is closed with nowhere to put them', async () => {
    await fill();
    const before = readSpoolStretch(readSpool()).records.length;
    const record = toExampleRecord();
    writer.append(record);
    await writer.close();
    expect(readSpoolStretch(readSpool()).records).toHaveLength(before);
    // The one that found the disk full, and this one.
    expect((await metrics.scrape()).body).toContain('weir_ledger_rows_total{result="lost"} 2');
    expect(JSON.stringify(log.lines)).toContain(record.requestId);
  });
});
