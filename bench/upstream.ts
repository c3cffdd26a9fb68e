import { FastUpstream } from '@weir/testing';

/**
 * The upstream of a benchmark, as a process of its own. Prints its port. From the environment:
 * PORT (any free one), ANSWER_BYTES (700), STREAM_CHUNKS (100), STREAM_GAP_MS (0).
 */
function readNumber(name: string): number | undefined {
  const value = process.env[name];
  if (value === undefined || value === '') return undefined;
  if (!/^\d+$/.test(value)) throw new Error(`${name} must be a whole number`);
  return Number(value);
}

async function main(): Promise<void> {
  const upstream = new FastUpstream({
    port: readNumber('PORT'),
    answerBytes: readNumber('ANSWER_BYTES'),
    streamChunks: readNumber('STREAM_CHUNKS'),
    streamGapMs: readNumber('STREAM_GAP_MS'),
  });
  console.log(await upstream.start());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void upstream.stop());
}

void main();
