import { types } from 'node:util';

/** Also for errors of another realm, such as those Node's own modules throw into a Jest test. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** The code of a system error, such as ENOENT; null for anything else. */
export function toErrorCode(error: unknown): string | null {
  return isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

export function isErrno(error: unknown, code: string): boolean {
  return toErrorCode(error) === code;
}
