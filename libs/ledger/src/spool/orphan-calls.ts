import { type Nanos } from '@weir/kernel';
import { type SpoolRecord } from './spool-record';

/** A call whose process died before its hold was settled. */
export interface RecoveredCall {
  readonly requestId: string;
  readonly organizationId: string;
  /** The keys of the counters that hold money for it. */
  readonly counters: readonly string[];
  /** When its hold was about to be taken, in milliseconds: counters that were lost since do not know of it. */
  readonly heldAtMs: number;
  /** What its attempts cost; what was under way counts at its estimate. 0 when nothing was sent. */
  readonly chargedNanos: Nanos;
}

interface OpenHold {
  readonly organizationId: string;
  readonly heldAtMs: number;
  readonly counters: readonly string[];
  chargedNanos: Nanos;
}

interface OpenIntent {
  readonly requestId: string;
  readonly costNanos: Nanos;
  readonly text: string;
}

/**
 * What the records of a dead process's spool amount to, told in the order in which they stand there.
 * Rows go straight on and are not kept.
 */
export class OrphanCalls {
  readonly #holds = new Map<string, OpenHold>();
  readonly #intents = new Map<string, OpenIntent>();

  /** @returns the row to store, if the record is one. @throws TypeError when it says something else than a record should. */
  note({ kind, json }: SpoolRecord): string | null {
    switch (kind) {
      case 'H':
        this.#noteHold(json);
        return null;
      case 'R':
        for (const requestId of parseArray(JSON.parse(json))) this.#holds.delete(requestId);
        return null;
      case 'I': {
        const row = parseRow(json);
        this.#intents.set(row.key, { requestId: row.requestId, costNanos: row.costNanos, text: json });
        return null;
      }
      case 'F': {
        const row = parseRow(json);
        this.#intents.delete(row.key);
        this.#charge(row.requestId, row.costNanos);
        return json;
      }
    }
  }

  /** The rows of attempts that nothing more was heard of: status `unknown`, at their estimates. To be asked when every record was told. */
  toUnknownRows(): string[] {
    return Array.from(this.#intents.values(), ({ text }) => text);
  }

  /** To be asked once, when every record was told. */
  toCalls(): RecoveredCall[] {
    for (const { requestId, costNanos } of this.#intents.values()) this.#charge(requestId, costNanos);
    return Array.from(this.#holds, ([requestId, hold]) => ({ requestId, ...hold }));
  }

  #noteHold(json: string): void {
    const record = parseObject(json);
    const organizationId = getText(record, 'organization_id');
    const counters = parseArray(Reflect.get(record, 'counters'));
    // What was charged further up is in it: a hold that was carried forward starts anew from there.
    this.#holds.set(getText(record, 'request_id'), { organizationId, counters, heldAtMs: toNonNegative(Reflect.get(record, 'at_ms')), chargedNanos: toNonNegative(Reflect.get(record, 'charged_nanos')) });
  }

  #charge(requestId: string, costNanos: Nanos): void {
    const hold = this.#holds.get(requestId);
    if (hold !== undefined) hold.chargedNanos += costNanos;
  }
}

function parseRow(json: string): { key: string; requestId: string; costNanos: Nanos } {
  const row = parseObject(json);
  const requestId = getText(row, 'request_id');
  return { key: `${requestId}/${String(Reflect.get(row, 'attempt'))}`, requestId, costNanos: toNonNegative(Reflect.get(row, 'cost_nanos')) };
}

function parseObject(json: string): object {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object');
  return value;
}

function getText(record: object, name: string): string {
  const value: unknown = Reflect.get(record, name);
  if (typeof value !== 'string') throw new TypeError(`${name} is not a text`);
  return value;
}

function parseArray(value: unknown): string[] {
  if (!Array.isArray(value)) throw new TypeError('not an array');
  return value.filter((each) => typeof each === 'string');
}

/** A model without a price costs nothing. */
function toNonNegative(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}
