import { once } from 'node:events';
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@weir/kernel';
import { type UsageRecord } from '../usage-record';
import { toExampleRecord } from '../example-record';
import { openExampleWriter } from '../example-writer';
import { type LedgerWriter } from '../ledger-writer';
import { type RowBatch } from '../row-batch';
import { UsageInserter } from '../usage-inserter';

/**
 * For specs: a process that does with its spool what Weir does. `load` works until it is killed and
 * notes in a file the id of each attempt that departs; `adopt` waits for a line, takes what orphans there are and
 * says how many rows it stored.
 */
async function main(): Promise<void> {
  const [, , mode, dataDirectory, url] = process.argv;
  const inserter = new UsageInserter(url);
  let stored = 0;
  const counting = {
    insert: async (rows: RowBatch) => {
      const newRows = await inserter.insert(rows);
      stored += rows.length;
      return newRows;
    },
    close: () => inserter.close(),
  };
  const writer = openExampleWriter({ inserter: counting, dataDirectory, segmentBytes: 100_000, flushIntervalMs: 20 });
  say('ready');
  if (mode === 'load') {
    const departures = openSync(join(dataDirectory, `departures-${process.pid}`), 'ax');
    for (;;) await workOneTurn(writer, departures);
  }
  await once(process.stdin, 'data');
  await writer.recover(() => Promise.resolve());
  await writer.close();
  say(String(stored));
  process.exit(0);
}

/** Some calls begin, and some end at once, some later, some never. */
async function workOneTurn(writer: LedgerWriter, departures: number): Promise<void> {
  for (let call = 0; call < 5; call++) {
    const record = toExampleRecord({ atMs: systemClock.nowMs(), costNanos: 100 });
    const { requestId, atMs, organizationId } = record;
    writer.hold({ requestId, atMs, organizationId, counters: ['counter'] });
    writer.writePending();
    const intent: UsageRecord = { ...record, status: 'unknown', costNanos: 900 };
    writer.intent(intent, () => {
      writeSync(departures, `${requestId}\n`);
      void endLater(writer, record);
    });
  }
  await new Promise((resolve) => setImmediate(resolve));
}

async function endLater(writer: LedgerWriter, record: UsageRecord): Promise<void> {
  const turns = Math.floor(Math.random() * 20);
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  if (turns === 19) return;
  writer.append(record);
  if (turns % 3 > 0) writer.releaseHold(record.requestId);
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

main().catch((error: unknown) => {
  say(`failed: ${error instanceof Error ? error.message : 'unknown'}`);
  process.exit(1);
});
