import { ROOT_CONTEXT, type SpanContext, SpanKind, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { type Resource } from '@opentelemetry/resources';
import { RandomIdGenerator, type Sampler, SamplingDecision, type SpanExporter } from '@opentelemetry/sdk-trace';
import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders } from 'node:http';
import { createSecureContext } from 'node:tls';
import { ConfigurationError } from '../configuration-error';
import { type Metrics } from '../metrics/metrics';
import { type WeirLogger } from '../logging/logger';
import { FinishedSpan } from './finished-span';
import { readParent } from './read-parent';
import { SpanQueue } from './span-queue';
import { toResource, type ProcessIdentity } from './to-resource';
import { toSampler } from './to-sampler';
import { type TraceConfiguration } from './trace-configuration';
import { type CallTrace, type EndedSpan, type OpenTraces } from './traces';

export interface TraceParts {
  readonly logger: Pick<WeirLogger, 'info' | 'warn'>;
  readonly metrics: Pick<Metrics, 'tracedSpans'>;
  readonly identity: ProcessIdentity;
}

/** A collector that took nothing at its last export is given no more time than this at the end. */
const UNREACHABLE_CLOSE_MS = 1_000;

/** Traces by OTLP over HTTP, with the SDK's samplers, batches and exporter. Nothing of the SDK is global. */
export class OpenTelemetryTraces implements OpenTraces {
  private readonly resource: Resource;
  private readonly sampler: Sampler;
  private readonly queue: SpanQueue;
  private readonly ids = new RandomIdGenerator();
  private isReachable = true;

  constructor(
    private readonly configuration: TraceConfiguration,
    private readonly parts: TraceParts,
    exporter: SpanExporter,
  ) {
    this.resource = toResource(configuration, parts.identity);
    this.sampler = toSampler(configuration);
    this.queue = new SpanQueue({
      batching: configuration.batching,
      exporter,
      onFate: (fate, count) => parts.metrics.tracedSpans(fate, count),
      onExport: (error) => this.noteReachable(error),
    });
  }

  /** @throws ConfigurationError when a certificate cannot be used */
  static open(configuration: TraceConfiguration, parts: TraceParts): OpenTelemetryTraces {
    return new OpenTelemetryTraces(configuration, parts, openExporter(configuration));
  }

  begin(headers: IncomingHttpHeaders): CallTrace {
    const parent = this.configuration.propagates ? readParent(headers) : null;
    const traceId = parent?.traceId ?? this.ids.generateTraceId();
    const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    // What the call is called is not known yet; no sampler that can be chosen asks for it.
    const { decision, traceState = parent?.traceState } = this.sampler.shouldSample(context, traceId, '', SpanKind.SERVER, {}, []);
    const isSampled = decision === SamplingDecision.RECORD_AND_SAMPLED;
    const own = { traceId, spanId: this.ids.generateSpanId(), traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE, traceState };
    return new OpenTelemetryCallTrace(own, parent ?? undefined, isSampled, this.configuration.propagates, this.ids, (span, context, above) => {
      this.queue.add(new FinishedSpan(context, above, this.resource, span));
    });
  }

  close(timeoutMs: number): Promise<void> {
    return this.queue.close(this.isReachable ? timeoutMs : Math.min(timeoutMs, UNREACHABLE_CLOSE_MS));
  }

  /** One line when the collector falls silent, and one when it takes spans again; none for each batch. */
  private noteReachable(error: Error | null): void {
    const { logger } = this.parts;
    if (error !== null && this.isReachable) logger.warn({ reason: toReason(error) }, 'the collector of traces takes no spans: they are dropped until it does');
    if (error === null && !this.isReachable) logger.info('the collector of traces takes spans again');
    this.isReachable = error === null;
  }
}

type Keep = (span: EndedSpan, context: SpanContext, parent: SpanContext | undefined) => void;

class OpenTelemetryCallTrace implements CallTrace {
  readonly traceId: string;

  constructor(
    private readonly own: SpanContext,
    private readonly parent: SpanContext | undefined,
    readonly isSampled: boolean,
    private readonly propagates: boolean,
    private readonly ids: RandomIdGenerator,
    private readonly keep: Keep,
  ) {
    this.traceId = own.traceId;
  }

  makeSpanId(): string {
    return this.ids.generateSpanId();
  }

  toHeaders(spanId: string): readonly string[] {
    if (!this.propagates) return [];
    const headers = ['traceparent', `00-${this.traceId}-${spanId}-${this.isSampled ? '01' : '00'}`];
    const state = this.own.traceState?.serialize() ?? '';
    return state === '' ? headers : [...headers, 'tracestate', state];
  }

  endChild(spanId: string, span: EndedSpan): void {
    if (this.isSampled) this.keep(span, { ...this.own, spanId }, this.own);
  }

  end(span: EndedSpan): void {
    if (this.isSampled) this.keep(span, this.own, this.parent);
  }
}

function openExporter(configuration: TraceConfiguration): SpanExporter {
  const { endpoint, headers, timeoutMs, compression, batching } = configuration;
  return new OTLPTraceExporter({
    url: endpoint,
    headers: Object.fromEntries([...headers].map(([name, value]) => [name, value.expose()])),
    timeoutMillis: timeoutMs,
    compression: compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    // Beyond it an export fails at once: no more is held in memory than what may wait, and one batch more.
    concurrencyLimit: Math.ceil(batching.maxQueueSize / batching.maxExportBatchSize) + 1,
    httpAgentOptions: { keepAlive: true, ...readCertificates(configuration) },
  });
}

interface Certificates {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

function readCertificates({ certificatePath, clientCertificatePath, clientKeyPath }: TraceConfiguration): Certificates {
  const certificates = {
    ca: readPem('OTEL_EXPORTER_OTLP_CERTIFICATE', certificatePath),
    cert: readPem('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', clientCertificatePath),
    key: readPem('OTEL_EXPORTER_OTLP_CLIENT_KEY', clientKeyPath),
  };
  try {
    // Said now, and not by each export.
    createSecureContext(certificates);
  } catch {
    throw new ConfigurationError('OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY must name PEM files, the last two of one pair');
  }
  return certificates;
}

function readPem(variable: string, path: string | null): Buffer | undefined {
  if (path === null) return undefined;
  try {
    return readFileSync(path);
  } catch {
    throw new ConfigurationError(`${variable} names a file that is not there, or that Weir's user may not read`);
  }
}

/** A status or a system's code. Never the error's words: a collector may repeat the headers that it was sent. */
function toReason(error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'number') return `HTTP ${code}`;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : 'no answer';
}
