import { type Nanos } from '@weir/kernel';
import { isError } from '@weir/platform';
import { type UsageRecord } from '../usage-record';
import { type HoldRecord, type OpenCalls, toHoldBody, toHoldText } from './open-calls';
import { type SegmentLog, type SpoolPosition } from './segment-log';
import { type RowPlace, SpoolLines } from './spool-lines';

/** A release goes along with the next write, or after so long: whoever reads the spool without it settles its call once more, which changes nothing. */
const LONGEST_RELEASE_WAIT_MS = 20;

/** Called once, at the end of a turn of the event loop: with null when the intent is written, else nothing may be sent. Must not throw: others depart after it. */
export type Depart = (error: Error | null) => void;

interface FinalRow {
  readonly requestId: string;
  readonly attempt: number;
  readonly costNanos: Nanos | null;
}

/** The row of an attempt that is over. */
export interface WrittenRow extends FinalRow {
  /** Where its JSON stands in what was written. */
  readonly place: RowPlace;
}

/** The same, when it could not be written. */
export interface UnwrittenRow extends FinalRow {
  readonly text: string;
}

interface WaitingHold {
  readonly requestId: string;
  readonly text: string;
}

interface WaitingIntent {
  readonly record: UsageRecord;
  readonly depart: Depart;
}

/** What goes with one write. */
interface WrittenBatch {
  /** Until the next line is added. */
  readonly bytes: Buffer;
  readonly holds: readonly WaitingHold[];
  readonly intents: readonly WaitingIntent[];
  readonly rows: readonly WrittenRow[];
  readonly releases: readonly string[];
}

export interface SpoolWriterOptions {
  readonly log: SegmentLog;
  readonly calls: OpenCalls;
  /** These rows, which stand in `bytes`, are in the spool, from that position on. `bytes` is not theirs to keep. */
  readonly onWritten: (rows: readonly WrittenRow[], bytes: Buffer, position: SpoolPosition) => void;
  /** These could not be written. */
  readonly onUnwritten: (rows: readonly UnwrittenRow[]) => void;
}

/**
 * Gathers the records of a turn of the event loop and writes them with one write at its end, when all
 * sockets that had something to say were heard; or before, when somebody must have them written.
 */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  readonly #lines = new SpoolLines();
  #holds: WaitingHold[] = [];
  #intents: WaitingIntent[] = [];
  #rows: WrittenRow[] = [];
  #releases: string[] = [];
  /** Holds that could not be written, by request id. */
  readonly #unwrittenHolds = new Map<string, string>();
  #departures: { readonly intents: readonly WaitingIntent[]; readonly error: Error | null }[] = [];
  #isTurnPlanned = false;
  #releaseTimer: NodeJS.Timeout | null = null;

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
  }

  hold(record: HoldRecord): void {
    this.#addHold(record.requestId, toHoldText(record));
  }

  intent(record: UsageRecord, depart: Depart): void {
    this.#lines.addIntent(record);
    this.#intents.push({ record, depart });
    this.#planTurn();
  }

  append(record: UsageRecord): void {
    const { requestId, attempt, costNanos } = record;
    this.#rows.push({ requestId, attempt, costNanos, place: this.#lines.addFinal(record) });
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
  writeAgain(rows: readonly UnwrittenRow[]): void {
    const holds = [...this.#unwrittenHolds];
    this.#unwrittenHolds.clear();
    for (const [requestId, text] of holds) this.#addHold(requestId, text);
    for (const { requestId, attempt, costNanos, text } of rows) this.#rows.push({ requestId, attempt, costNanos, place: this.#lines.addFinalText(text) });
    this.#write();
  }

  #addHold(requestId: string, text: string): void {
    this.#lines.add(toHoldBody(text, 0));
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
    for (const { intents, error } of departures) for (const { depart } of intents) depart(error);
  };

  #write(): void {
    if (this.#lines.isEmpty && this.#releases.length === 0) return;
    const batch = this.#takeBatch();
    const { calls, log } = this.#options;
    let position: SpoolPosition | null = null;
    try {
      position = log.write(batch.bytes, batch.rows.length);
    } catch (error) {
      this.#noteUnwritten(batch, isError(error) ? error : new Error('the spool cannot be written'));
    }
    if (position !== null) this.#noteWritten(batch, position);
    for (const requestId of batch.releases) {
      this.#unwrittenHolds.delete(requestId);
      calls.release(requestId);
    }
  }

  #noteWritten({ bytes, holds, intents, rows }: WrittenBatch, position: SpoolPosition): void {
    const { calls, onWritten } = this.#options;
    for (const { requestId, text } of holds) calls.hold(requestId, text);
    for (const { record } of intents) calls.intend(record);
    for (const { requestId, attempt, costNanos } of rows) calls.finish(requestId, attempt, costNanos);
    if (rows.length > 0) onWritten(rows, bytes, position);
    this.#planDepartures(intents, null);
  }

  #noteUnwritten({ bytes, holds, intents, rows }: WrittenBatch, error: Error): void {
    for (const { requestId, text } of holds) this.#unwrittenHolds.set(requestId, text);
    if (rows.length > 0) this.#options.onUnwritten(rows.map((row) => toUnwritten(row, bytes)));
    this.#planDepartures(intents, error);
  }

  /** Its bytes are those of the lines: nothing may be added before they are done with. */
  #takeBatch(): WrittenBatch {
    const releases = this.#releases;
    if (releases.length > 0) this.#lines.add(`R${JSON.stringify(releases)}`);
    const batch = { bytes: this.#lines.bytes, holds: this.#holds, intents: this.#intents, rows: this.#rows, releases };
    this.#lines.clear();
    this.#holds = [];
    this.#intents = [];
    this.#rows = [];
    this.#releases = [];
    return batch;
  }

  /** They leave when the turn ends: never inside whatever has made this write. */
  #planDepartures(intents: readonly WaitingIntent[], error: Error | null): void {
    if (intents.length > 0) this.#departures.push({ intents, error });
  }
}

function toUnwritten({ requestId, attempt, costNanos, place }: WrittenRow, bytes: Buffer): UnwrittenRow {
  return { requestId, attempt, costNanos, text: bytes.toString('utf8', place.start, place.end) };
}
