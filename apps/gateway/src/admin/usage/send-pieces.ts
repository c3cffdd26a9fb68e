import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Response } from 'express';

/**
 * Sends a text piece by piece, none of them made before the last has left. The first is made before
 * anything is answered, so that what fails there has an error of its own for an answer; what fails
 * later cuts the connection, because an end that looks like one would be a lie.
 * @param signal the caller has left: that is no error
 */
export async function sendPieces(response: Response, headers: Readonly<Record<string, string>>, pieces: AsyncGenerator<string>, signal: AbortSignal): Promise<void> {
  try {
    const first = await pieces.next();
    response.writeHead(200, headers);
    await pipeline(Readable.from(withFirst(first, pieces)), response);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function* withFirst(first: IteratorResult<string>, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

/** Aborted when the caller leaves before the answer is whole. */
export function toLeavingSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
