import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type ReadableSpan } from '@opentelemetry/sdk-trace';
import { FinishedSpan } from './finished-span';
import { type SpanFate, SpanQueue } from './span-queue';

const RESOURCE = resourceFromAttributes({});

function toSpan(name: string): ReadableSpan {
  const context = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 };
  return new FinishedSpan(context, undefined, RESOURCE, { name, kind: 'server', startedAtMs: 0, endedAtMs: 1, attributes: {}, events: [], hasFailed: false });
}

/** A collector that answers when the test says so. */
class HeldExporter {
  readonly batches: { spans: ReadableSpan[]; done: (result: ExportResult) => void }[] = [];
  shutdown = (): Promise<void> => Promise.resolve();

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.batches.push({ spans, done });
  }
}

function open(exporter: HeldExporter): { queue: SpanQueue; fates: Record<SpanFate, number>; errors: (Error | null)[] } {
  const fates = { exported: 0, dropped: 0, refused: 0 };
  const errors: (Error | null)[] = [];
  const queue = new SpanQueue({
    batching: { scheduleDelayMs: 3_600_000, exportTimeoutMs: 100, maxQueueSize: 4, maxExportBatchSize: 2 },
    exporter,
    onFate: (fate, count) => (fates[fate] += count),
    onExport: (error) => errors.push(error),
  });
  return { queue, fates, errors };
}

describe('SpanQueue', () => {
  it('keeps no more than its length while a collector does not answer, and counts what it drops', () => {
    const exporter = new HeldExporter();
    const { queue, fates } = open(exporter);
    for (let index = 0; index < 100; index += 1) queue.add(toSpan(`span ${index}`));
    // Two are on their way, four wait.
    expect(exporter.batches.map(({ spans }) => spans.length)).toEqual([2]);
    expect(fates).toEqual({ exported: 0, dropped: 94, refused: 0 });
  });

  it('says what became of each batch', async () => {
    const exporter = new HeldExporter();
    const { queue, fates, errors } = open(exporter);
    for (let index = 0; index < 4; index += 1) queue.add(toSpan(`span ${index}`));
    exporter.batches[0].done({ code: ExportResultCode.FAILED, error: new Error('away') });
    await new Promise(setImmediate);
    queue.add(toSpan('span 4'));
    exporter.batches[1].done({ code: ExportResultCode.SUCCESS });
    expect(fates).toEqual({ exported: 2, dropped: 0, refused: 2 });
    expect(errors).toEqual([expect.objectContaining({ message: 'away' }), null]);
  });

  it('exports at its end what waits, and drops what comes later', async () => {
    const exporter = new HeldExporter();
    const { queue, fates } = open(exporter);
    queue.add(toSpan('last'));
    const closed = queue.close(3_600_000);
    await new Promise(setImmediate);
    exporter.batches[0].done({ code: ExportResultCode.SUCCESS });
    await closed;
    queue.add(toSpan('late'));
    expect(fates).toEqual({ exported: 1, dropped: 1, refused: 0 });
  });

  it('does not wait at its end for a collector that never answers', async () => {
    const { queue } = open(new HeldExporter());
    queue.add(toSpan('last'));
    await queue.close(1);
  });
});
