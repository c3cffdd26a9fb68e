import { type Nanos } from '@weir/kernel';
import { isError } from '@weir/platform';
import { type UsageRecord } from '../usage-record';
import { toUsageRowText } from '../usage-row';
import { type HoldRecord, type OpenCalls, toHoldBody, toHoldText } from './open-calls';
import { type SegmentLog, type SpoolPosition } from './segment-log';
import { toSpoolLine } from './spool-record';

/** A release goes along with the next write, or after so long: whoever reads the spool without it settles its call once more, which changes nothing. */
const LONGEST_RELEASE_WAIT_MS = 20;

/** Called once, at the end of a turn of the event loop: with null when the intent is written, else nothing may be sent. Must not throw: others depart after it. */
export type Depart = (error: Error | null) => void;

/** The row of an attempt that is over. */
export interface FinalRow {
  readonly requestId: string;
  readonly attempt: number;
  readonly costNanos: Nanos | null;
  readonly text: string;
}

interface WaitingHold {
  readonly requestId: string;
  readonly text: string;
}

interface WaitingIntent {
  readonly requestId: string;
  readonly attempt: number;
  readonly body: string;
  readonly depart: Depart;
}

/** What goes with one write. */
interface WrittenBatch {
  readonly lines: string;
  readonly holds: readonly WaitingHold[];
  readonly intents: readonly WaitingIntent[];
  readonly rows: readonly FinalRow[];
  readonly releases: readonly string[];
}

export interface SpoolWriterOptions {
  readonly log: SegmentLog;
  readonly calls: OpenCalls;
  /** These rows are in the spool, from that place on. */
  readonly onWritten: (rows: readonly FinalRow[], position: SpoolPosition) => void;
  /** These could not be written. */
  readonly onUnwritten: (rows: readonly FinalRow[]) => void;
}

/**
 * Gathers the records of a turn of the event loop and writes them with one write at its end, when all
 * sockets that had something to say were heard; or before, when somebody must have them written.
 */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  #lines = '';
  #holds: WaitingHold[] = [];
  #intents: WaitingIntent[] = [];
  #rows: FinalRow[] = [];
  #releases: string[] = [];
  /** Holds that could not be written, by request id. */
  readonly #unwrittenHolds = new Map<string, string>();
  #departures: { readonly depart: Depart; readonly error: Error | null }[] = [];
  #isTurnPlanned = false;
  #releaseTimer: NodeJS.Timeout | null = null;

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
  }

  hold(record: HoldRecord): void {
    this.#addHold(record.requestId, toHoldText(record));
  }

  intent(record: UsageRecord, depart: Depart): void {
    const body = `I${toUsageRowText(record)}`;
    this.#lines += toSpoolLine(body);
    this.#intents.push({ requestId: record.requestId, attempt: record.attempt, body, depart });
    this.#planTurn();
  }

  append(record: UsageRecord): void {
    const body = `F${toUsageRowText(record)}`;
    this.#lines += toSpoolLine(body);
    // Cut out of the body, which the checksum has made one string: put together from pieces, the row would be a tree of strings that lives for long.
    this.#rows.push({ requestId: record.requestId, attempt: record.attempt, costNanos: record.costNanos, text: body.slice(1) });
    this.#planTurn();
  }

  release(requestId: string): void {
    this.#unwrittenHolds.delete(requestId);
    this.#releases.push(requestId);
    this.#releaseTimer ??= setTimeout(this.#writeReleases, LONGEST_RELEASE_WAIT_MS).unref();
  }

  /** @returns whether everything that was handed over is written. */
  writePending(): boolean {
    this.#write();
    return this.#options.log.isWritable && this.#unwrittenHolds.size === 0;
  }

  /** After writing has failed and works again. */
  writeAgain(rows: readonly FinalRow[]): void {
    const holds = [...this.#unwrittenHolds];
    this.#unwrittenHolds.clear();
    for (const [requestId, text] of holds) this.#addHold(requestId, text);
    for (const row of rows) {
      this.#lines += toSpoolLine(`F${row.text}`);
      this.#rows.push(row);
    }
    this.#write();
  }

  #addHold(requestId: string, text: string): void {
    this.#lines += toSpoolLine(toHoldBody(text, 0));
    this.#holds.push({ requestId, text });
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(this.#endTurn);
  }

  readonly #writeReleases = (): void => {
    this.#releaseTimer = null;
    this.#write();
  };

  readonly #endTurn = (): void => {
    this.#isTurnPlanned = false;
    this.#write();
    const departures = this.#departures;
    this.#departures = [];
    for (const { depart, error } of departures) depart(error);
  };

  #write(): void {
    if (this.#lines === '' && this.#releases.length === 0) return;
    const batch = this.#takeBatch();
    const { calls, log } = this.#options;
    let position: SpoolPosition | null = null;
    try {
      position = log.write(batch.lines, batch.rows.length);
    } catch (error) {
      this.#noteUnwritten(batch, isError(error) ? error : new Error('the spool cannot be written'));
    }
    if (position !== null) this.#noteWritten(batch, position);
    for (const requestId of batch.releases) {
      this.#unwrittenHolds.delete(requestId);
      calls.release(requestId);
    }
  }

  #noteWritten({ holds, intents, rows }: WrittenBatch, position: SpoolPosition): void {
    const { calls, onWritten } = this.#options;
    for (const { requestId, text } of holds) calls.hold(requestId, text);
    for (const { requestId, attempt, body } of intents) calls.intend(requestId, attempt, body);
    for (const { requestId, attempt, costNanos } of rows) calls.finish(requestId, attempt, costNanos);
    if (rows.length > 0) onWritten(rows, position);
    this.#planDepartures(intents, null);
  }

  #noteUnwritten({ holds, intents, rows }: WrittenBatch, error: Error): void {
    for (const { requestId, text } of holds) this.#unwrittenHolds.set(requestId, text);
    if (rows.length > 0) this.#options.onUnwritten(rows);
    this.#planDepartures(intents, error);
  }

  #takeBatch(): WrittenBatch {
    const releases = this.#releases;
    const lines = releases.length === 0 ? this.#lines : this.#lines + toSpoolLine(`R${JSON.stringify(releases)}`);
    const batch = { lines, holds: this.#holds, intents: this.#intents, rows: this.#rows, releases };
    this.#lines = '';
    this.#holds = [];
    this.#intents = [];
    this.#rows = [];
    this.#releases = [];
    return batch;
  }

  /** They leave when the turn ends: never inside whatever has made this write. */
  #planDepartures(intents: readonly WaitingIntent[], error: Error | null): void {
    for (const { depart } of intents) this.#departures.push({ depart, error });
  }
}
