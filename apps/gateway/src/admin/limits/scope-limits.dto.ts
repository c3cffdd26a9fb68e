import { ApiProperty } from '@nestjs/swagger';
import { LARGEST_SCOPE_LIMIT, readStoredScopeLimits, type StoredScopeLimits, toStoredScopeLimits, WeirError } from '@weir/kernel';
import { WholeNumber } from '../fields/fields';

const MAY_BE_NULL = { optional: true, nullable: true } as const;

export const KEY_LIMITS = 'Null or absent takes the installation’s default of requests, and no limit of the others; 0 is no limit.';
export const SHARED_LIMITS = 'For all of its keys together. Null, absent or 0 is no limit.';
export const MODEL_LIMITS = 'Each organization has this much of the model. Null, absent or 0 is no limit.';
export const LIMITS_STAY = 'A limit that is left out stays.';

export class ScopeLimitsInput {
  @WholeNumber(0, LARGEST_SCOPE_LIMIT, { ...MAY_BE_NULL, description: 'Requests a minute.' })
  rpm?: number | null;

  @WholeNumber(0, LARGEST_SCOPE_LIMIT, { ...MAY_BE_NULL, description: 'Tokens a minute, of prompts and answers.' })
  tpm?: number | null;

  @WholeNumber(0, LARGEST_SCOPE_LIMIT, { ...MAY_BE_NULL, description: 'Requests a day.' })
  rpd?: number | null;

  @WholeNumber(0, LARGEST_SCOPE_LIMIT, { ...MAY_BE_NULL, description: 'Requests open at the same time.' })
  concurrency?: number | null;
}

export class ScopeLimitsView {
  @ApiProperty({ type: 'integer', nullable: true })
  rpm: number | null;

  @ApiProperty({ type: 'integer', nullable: true })
  tpm: number | null;

  @ApiProperty({ type: 'integer', nullable: true })
  rpd: number | null;

  @ApiProperty({ type: 'integer', nullable: true })
  concurrency: number | null;
}

/** Null for a column that cannot be read: one such row must not keep a list from being shown, or itself from being put right. */
export function toScopeLimitsView(stored: unknown): ScopeLimitsView | null {
  try {
    const { rpm = null, tpm = null, rpd = null, concurrency = null } = toStoredScopeLimits(readStoredScopeLimits(stored));
    return { rpm, tpm, rpd, concurrency };
  } catch {
    return null;
  }
}

/**
 * What the column shall hold after a change: a limit that is left out stays, null goes back to
 * nothing said. Undefined when the change says nothing of limits.
 */
export function mergeScopeLimits(stored: unknown, change: ScopeLimitsInput | null | undefined): StoredScopeLimits | undefined {
  if (change === undefined) return undefined;
  if (change === null) return {};
  const before = toScopeLimitsView(stored);
  if (before === null) {
    throw new WeirError('conflict', { message: 'The stored limits cannot be read, so none of them can stay: set limits to null first.', param: 'limits' });
  }
  const given = Object.fromEntries(Object.entries(change).filter(([, limit]) => limit !== undefined));
  return toStoredScopeLimits(readStoredScopeLimits({ ...before, ...given }));
}
