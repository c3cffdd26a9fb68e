import { ConfigurationError, isError } from '@weir/platform';
import { readFile, stat } from 'node:fs/promises';

/** Nobody writes a megabyte of upstreams by hand; what is larger is another file by mistake. */
export const LARGEST_FILE_BYTES = 1024 * 1024;

/**
 * A text file that somebody wrote.
 * @param name how messages call it
 * @returns null when there is no such file
 * @throws ConfigurationError when it cannot be read, is too large or no UTF-8
 */
export async function readFileText(path: string, name: string): Promise<string | null> {
  let bytes: Buffer;
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE_BYTES) throw tooLarge(name);
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const code: unknown = isError(error) ? Reflect.get(error, 'code') : null;
    if (code === 'ENOENT') return null;
    throw new ConfigurationError(`${name}: cannot be read${typeof code === 'string' ? ` (${code})` : ''}`);
  }
  return toText(bytes, name);
}

/** @throws ConfigurationError when it is too large or no UTF-8 */
export function toText(bytes: Buffer, name: string): string {
  // A pipe has no size before it was read.
  if (bytes.length > LARGEST_FILE_BYTES) throw tooLarge(name);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigurationError(`${name}: is not valid UTF-8`);
  }
}

function tooLarge(name: string): ConfigurationError {
  return new ConfigurationError(`${name}: is larger than ${LARGEST_FILE_BYTES / 1024 / 1024} MB`);
}
