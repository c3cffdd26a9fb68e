import { ConfigurationError } from '../configuration';

/** What PostgreSQL says, in locale C, whatever it could not write. */
const NO_ROOM = /No space left on device/;

/**
 * Why the server could not be made or started.
 * @param what what failed, in words
 * @param reason what the program itself said
 */
export function toServerFailure(what: string, reason: string): Error {
  // Of all that it says then only this can be mended by whoever reads it.
  if (NO_ROOM.test(reason)) return new ConfigurationError(`WEIR_DATA_DIR: ${what}; the disk is full: make room`);
  return new Error(`${what}: ${reason}`);
}
