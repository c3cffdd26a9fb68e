import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { parseSpoolLine, readSpoolStretch, type SpoolStretch } from './spool-record';

/** Some hundred rows. A damaged stretch without any line break is passed over in steps of it. */
export const STRETCH_BYTES = 512 * 1024;

/** Reads up to `STRETCH_BYTES` from `from`, not beyond `to`. There must be something to read. */
export async function readStretch(path: string, from: number, to: number): Promise<SpoolStretch> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(Math.min(to - from, STRETCH_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    return toStretch(bytes.subarray(0, bytesRead), from + bytesRead >= to);
  } finally {
    await file.close();
  }
}

/** The same at once: for a little that was just written, and comes out of the system's memory. */
export function readStretchSync(path: string, from: number, to: number): SpoolStretch {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(Math.min(to - from, STRETCH_BYTES));
    const length = readSync(file, bytes, 0, bytes.length, from);
    return toStretch(bytes.subarray(0, length), from + length >= to);
  } finally {
    closeSync(file);
  }
}

function toStretch(bytes: Buffer, isLast: boolean): SpoolStretch {
  const stretch = readSpoolStretch(bytes);
  if (isLast) return { ...readTail(stretch, bytes.subarray(stretch.length)), length: bytes.length };
  return stretch.length > 0 ? stretch : { records: [], corruptAt: [0], length: bytes.length };
}

/** What follows the last line break was being written when the process died: nobody has acted on it unless it is whole. */
function readTail(stretch: SpoolStretch, tail: Buffer): SpoolStretch {
  const record = parseSpoolLine(tail);
  return record === null ? stretch : { ...stretch, records: [...stretch.records, record] };
}
