import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import { type SpanBatching } from './trace-configuration';

/**
 * What became of spans: `exported`; `dropped`, because too many waited already; `refused`, because the
 * collector did not take them, or not in time.
 */
export type SpanFate = 'exported' | 'dropped' | 'refused';

export interface SpanQueueOptions {
  readonly batching: SpanBatching;
  readonly exporter: SpanExporter;
  /** Counts them. */
  readonly onFate: (fate: SpanFate, count: number) => void;
  /** After each export, with why the collector took nothing; null when it did. */
  readonly onExport: (error: Error | null) => void;
}

/** Finished spans on their way out, in the SDK's batches. Nobody waits for it, and its length is bounded. */
export class SpanQueue {
  private readonly processor: BatchSpanProcessor;
  private waiting = 0;
  private isClosed = false;

  constructor(private readonly options: SpanQueueOptions) {
    const { scheduleDelayMs, exportTimeoutMs, maxQueueSize, maxExportBatchSize } = options.batching;
    this.processor = new BatchSpanProcessor({
      exporter: { export: (spans, done) => this.export(spans, done), shutdown: () => options.exporter.shutdown() },
      scheduledDelayMillis: scheduleDelayMs,
      exportTimeoutMillis: exportTimeoutMs,
      maxQueueSize,
      maxExportBatchSize,
    });
  }

  add(span: ReadableSpan): void {
    // The SDK drops what is too much, too, but tells nobody.
    if (this.isClosed || this.waiting >= this.options.batching.maxQueueSize) {
      this.options.onFate('dropped', 1);
      return;
    }
    this.waiting += 1;
    this.processor.onEnd(span);
  }

  /** Exports what waits, for at most `timeoutMs`. Never rejects. */
  async close(timeoutMs: number): Promise<void> {
    this.isClosed = true;
    let timer: NodeJS.Timeout | undefined;
    const timeIsUp = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
    // What failed has been told to `onExport`.
    await Promise.race([this.processor.shutdown().catch(() => undefined), timeIsUp]);
    clearTimeout(timer);
  }

  private export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const { exporter, onFate, onExport } = this.options;
    this.waiting -= spans.length;
    exporter.export(spans, (result) => {
      const isExported = result.code === ExportResultCode.SUCCESS;
      onFate(isExported ? 'exported' : 'refused', spans.length);
      onExport(isExported ? null : (result.error ?? new Error('no answer')));
      done(result);
    });
  }
}
