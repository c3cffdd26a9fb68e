import { type ServerResponse } from 'node:http';

/** Resolves when the response can take more; rejects when it closes first. */
function waitForRoom(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      response.off('close', onClose);
      resolve();
    };
    const onClose = (): void => {
      response.off('drain', onDrain);
      reject(new Error('the caller went away'));
    };
    response.once('drain', onDrain);
    response.once('close', onClose);
  });
}

/** Resolves after the pause; rejects at once when the response closes. */
function pause(response: ServerResponse, delayMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      clearTimeout(timer);
      reject(new Error('the caller went away'));
    };
    const timer = setTimeout(() => {
      response.off('close', onClose);
      resolve();
    }, delayMs);
    // A demo that is still talking must not keep a finished process alive.
    timer.unref();
    response.once('close', onClose);
  });
}

/**
 * Writes the events of a stream with a pause between them, no faster than the caller reads, and
 * makes no further event once the caller is gone.
 */
export async function sendDemoEvents(response: ServerResponse, events: Iterable<string>, delayMs: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  let isFirst = true;
  for (const event of events) {
    if (!isFirst && delayMs > 0) await pause(response, delayMs);
    if (response.destroyed) return;
    isFirst = false;
    if (!response.write(event)) await waitForRoom(response);
  }
  response.end();
}
