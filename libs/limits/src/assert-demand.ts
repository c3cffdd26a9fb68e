import { LARGEST_BUDGET_NANOS, type Nanos } from '@weir/kernel';
import { assertWholeNumber, LARGEST_LIMIT } from './limit-plan';
import { type Demand, type Grant, type Settlement, type WindowTake } from './meter-store';

/** It becomes a word of a text and a field of a hash. */
const REQUEST_ID = /^[\w-]{1,64}$/;

/** @throws RangeError when it asks for what could never be admitted, or could not be counted. */
export function assertDemand(demand: Demand): void {
  assertRequestId(demand.requestId);
  assertWholeNumber('requests', demand.requests, 1, LARGEST_LIMIT);
  assertWholeNumber('tokens', demand.tokens, 0, LARGEST_LIMIT);
  assertWholeNumber('leastNanos', demand.leastNanos, 0, LARGEST_BUDGET_NANOS);
  assertWholeNumber('mostNanos', demand.mostNanos, demand.leastNanos, LARGEST_BUDGET_NANOS);
}

/** @throws RangeError when it is no amount. */
export function assertSettlement(settlement: Settlement): void {
  assertWholeNumber('tokens', settlement.tokens, 0, LARGEST_LIMIT);
  assertNanos(settlement.nanos);
}

/** @throws RangeError when it could not be put back as it is. */
export function assertGrant(grant: Grant): void {
  assertRequestId(grant.requestId);
  assertWholeNumber('tokens', grant.tokens, 0, LARGEST_LIMIT);
  assertNanos(grant.heldNanos);
}

export function assertNanos(nanos: Nanos): void {
  assertWholeNumber('nanos', nanos, 0, LARGEST_BUDGET_NANOS);
}

/** A sum from the ledger as a counter keeps it: above the largest budget everything is spent alike. */
export function toSeededNanos(nanos: Nanos): Nanos {
  assertWholeNumber('spentNanos', nanos, 0, Number.MAX_SAFE_INTEGER);
  return Math.min(nanos, LARGEST_BUDGET_NANOS);
}

export function assertTake({ ageMs, amount }: WindowTake): void {
  assertWholeNumber('amount', amount, 0, LARGEST_LIMIT);
  if (!Number.isFinite(ageMs) || ageMs < 0) throw new RangeError('ageMs: must be a number from 0');
}

function assertRequestId(requestId: string): void {
  if (!REQUEST_ID.test(requestId)) throw new RangeError('requestId: must be a word of at most 64 characters');
}
