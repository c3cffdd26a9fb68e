import { QueryFailedError } from 'typeorm';

const FOREIGN_KEY_VIOLATION = '23503';
const UNIQUE_VIOLATION = '23505';

export function isForeignKeyViolation(error: unknown): boolean {
  return toSqlState(error) === FOREIGN_KEY_VIOLATION;
}

export function isUniqueViolation(error: unknown): boolean {
  return toSqlState(error) === UNIQUE_VIOLATION;
}

function toSqlState(error: unknown): string | null {
  if (!(error instanceof QueryFailedError)) return null;
  const driverError: unknown = error.driverError;
  return driverError instanceof Error && 'code' in driverError && typeof driverError.code === 'string' ? driverError.code : null;
}
