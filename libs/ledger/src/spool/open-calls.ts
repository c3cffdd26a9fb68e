import { type Nanos } from '@weir/kernel';
import { type UsageRecord } from '../usage-record';
import { toUsageRowText } from '../usage-row';
import { IdTable, type Tabled } from './id-table';
import { toSpoolLine } from './spool-record';

/** A call that is about to be admitted under budgets. */
export interface HoldRecord {
  readonly requestId: string;
  readonly atMs: number;
  readonly organizationId: string;
  /** The keys of the counters that will hold money for it. The same array each time spares making its text anew. */
  readonly counters: readonly string[];
}

interface OpenIntent {
  readonly record: UsageRecord;
  readonly next: OpenIntent | null;
}

interface OpenCall extends Tabled {
  /** The hold's record up to what was charged; null without a hold, or when that is settled. */
  hold: string | null;
  /** What its attempts cost that are over. */
  chargedNanos: Nanos;
  /** The attempts that are under way; usually one. */
  intents: OpenIntent | null;
}

/** The beginning of a hold's record; `toHoldBody` ends it. */
export function toHoldText({ requestId, atMs, organizationId, counters }: HoldRecord): string {
  return `{"request_id":${JSON.stringify(requestId)},"at_ms":${atMs},"organization_id":${JSON.stringify(organizationId)},"counters":${toCountersText(counters)}`;
}

/** `chargedNanos` is what attempts cost whose rows stand further up: with it those are not needed to settle. */
export function toHoldBody(holdText: string, chargedNanos: Nanos): string {
  return `H${holdText},"charged_nanos":${chargedNanos}}`;
}

/**
 * What of the spool is still needed besides rows: holds that are not settled, attempts that are not
 * over. A new segment begins with them, so that an old one can go as soon as its rows are stored.
 */
export class OpenCalls {
  readonly #calls = new IdTable<OpenCall>();

  get size(): number {
    return this.#calls.size;
  }

  hold(requestId: string, holdText: string): void {
    this.#getCall(requestId).hold = holdText;
  }

  intend(record: UsageRecord): void {
    const call = this.#getCall(record.requestId);
    call.intents = { record, next: call.intents };
  }

  /** The attempt's row is safe. */
  finish(requestId: string, attempt: number, costNanos: Nanos | null): void {
    const call = this.#calls.find(requestId);
    if (call === null) return;
    call.chargedNanos += costNanos ?? 0;
    call.intents = without(call.intents, attempt);
    this.#forgetIfOver(call);
  }

  /** @returns whether there was a hold. */
  release(requestId: string): boolean {
    const call = this.#calls.find(requestId);
    if (call === null || call.hold === null) return false;
    call.hold = null;
    this.#forgetIfOver(call);
    return true;
  }

  /** The records with which a segment begins. */
  toLines(): string {
    let lines = '';
    for (const { hold, chargedNanos, intents } of this.#calls.values()) {
      if (hold !== null) lines += toSpoolLine(toHoldBody(hold, chargedNanos));
      for (let intent = intents; intent !== null; intent = intent.next) lines += toSpoolLine(`I${toUsageRowText(intent.record)}`);
    }
    return lines;
  }

  #getCall(requestId: string): OpenCall {
    let call = this.#calls.find(requestId);
    if (call === null) {
      call = { id: requestId, hold: null, chargedNanos: 0, intents: null, next: null };
      this.#calls.add(call);
    }
    return call;
  }

  #forgetIfOver(call: OpenCall): void {
    if (call.hold === null && call.intents === null) this.#calls.remove(call);
  }
}

function without(intents: OpenIntent | null, attempt: number): OpenIntent | null {
  if (intents === null) return null;
  if (intents.record.attempt === attempt) return intents.next;
  return { ...intents, next: without(intents.next, attempt) };
}

const counterTexts = new WeakMap<readonly string[], string>();

function toCountersText(counters: readonly string[]): string {
  let text = counterTexts.get(counters);
  if (text === undefined) {
    text = JSON.stringify(counters);
    counterTexts.set(counters, text);
  }
  return text;
}
