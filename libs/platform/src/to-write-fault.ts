import { toErrorCode } from './is-error';

/** What an operator can do about a file or a folder that cannot be written. */
const MENDS: Readonly<Record<string, string>> = {
  EACCES: 'it must belong to the user that runs Weir: chown -R',
  EPERM: 'it must belong to the user that runs Weir: chown -R',
  ENOSPC: 'the disk is full: make room',
  EDQUOT: "the user's quota is used up: make room",
  EROFS: 'its file system is mounted read-only',
  ENOTDIR: 'a part of its path is no folder',
  // A folder that is there is none of its making: this is a file where a folder should be.
  EEXIST: 'a part of its path is no folder',
};

/** The end of a line that names what cannot be written: the system's code, and what to do about it. */
export function toWriteFault(error: unknown): string {
  const code = toErrorCode(error) ?? 'unknown';
  const mend = Object.hasOwn(MENDS, code) ? `; ${MENDS[code]}` : '';
  return `cannot be written (${code})${mend}`;
}
