import { Gate } from './gate';
import { type Exchange } from './reply';

/**
 * A piece of a scripted body: bytes (each written, and in a chunked answer framed, on its own), a
 * pause, a gate, or a way to end other than cleanly.
 */
export type Step = string | Uint8Array | Gate | Pause | Ending;

interface Pause {
  readonly pauseMs: number;
}

interface Ending {
  readonly ending: 'stall' | 'reset' | 'cut';
}

export const pause = (pauseMs: number): Pause => ({ pauseMs });
/** Says nothing more and keeps the connection, until the client leaves. */
export const stall: Ending = { ending: 'stall' };
/** Breaks the connection with a TCP reset. */
export const reset: Ending = { ending: 'reset' };
/** Closes the connection (FIN) in the middle of what HTTP was promised. */
export const cut: Ending = { ending: 'cut' };

/** @returns true when the body is to be ended cleanly, false when a step has ended it. */
export async function playSteps(
  exchange: Exchange,
  steps: readonly Step[],
  write: (bytes: string | Uint8Array) => Promise<void>,
): Promise<boolean> {
  for (const step of steps) {
    if (typeof step === 'string' || step instanceof Uint8Array) await write(step);
    else if (step instanceof Gate) await exchange.waitFor(step);
    else if ('pauseMs' in step) await exchange.waitFor(step.pauseMs);
    else {
      await playEnding(exchange, step.ending);
      return false;
    }
  }
  return true;
}

async function playEnding(exchange: Exchange, ending: Ending['ending']): Promise<void> {
  switch (ending) {
    case 'stall':
      return exchange.waitFor('forever');
    case 'reset':
      return exchange.reset();
    case 'cut':
      return exchange.close();
  }
}
