import { WeirError } from '@weir/kernel';
import { QueryFailedError } from 'typeorm';

const FOREIGN_KEY_VIOLATION = '23503';
const UNIQUE_VIOLATION = '23505';

/** A write that PostgreSQL refused, as the caller of the admin API is told of it; anything else as it came. */
export function toWriteError(error: unknown, told: { missing: string; taken: string }): unknown {
  switch (toSqlState(error)) {
    case FOREIGN_KEY_VIOLATION:
      return new WeirError('not_found', { message: told.missing });
    case UNIQUE_VIOLATION:
      return new WeirError('conflict', { message: told.taken });
    default:
      return error;
  }
}

function toSqlState(error: unknown): string | null {
  if (!(error instanceof QueryFailedError)) return null;
  const driverError: unknown = error.driverError;
  return driverError instanceof Error && 'code' in driverError && typeof driverError.code === 'string' ? driverError.code : null;
}
