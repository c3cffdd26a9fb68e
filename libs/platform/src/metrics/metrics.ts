import { type UsageUnits } from '@weir/kernel';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type CounterSeries, FastCounter } from './fast-counter';
import { FastHistogram, type HistogramSeries } from './fast-histogram';
import { SeriesCache } from './series-cache';

/** How a request ended, for the caller. */
export type RequestOutcome = 'succeeded' | 'refused' | 'failed' | 'aborted';
export type BreakerMetricState = 'closed' | 'half_open' | 'open';

/** What is counted of an operation's requests. Operations are Weir's own words, and few. */
interface OperationSeries {
  readonly requests: SeriesCache<CounterSeries<'operation' | 'status' | 'outcome'>>;
  readonly durations: HistogramSeries<'operation'>;
  /** Null until an answer was sent. */
  firstBytes: HistogramSeries<'operation'> | null;
}

const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const LIMITER_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2];
const BREAKER_STATES: readonly BreakerMetricState[] = ['closed', 'half_open', 'open'];
const ROW_RESULTS = ['written', 'repeated', 'lost'] as const;
const TOKEN_DIRECTIONS = ['input', 'cached_input', 'output'] as const;

/**
 * Everything Weir counts about itself. What runs in every request finds its series in a map and
 * adds a number; text is made only when somebody scrapes. Each Metrics has a registry of its own.
 */
export class Metrics {
  readonly registry = new Registry();

  private readonly requests = new FastCounter(this.registry, 'weir_requests_total', 'Requests answered, by operation, HTTP status and outcome.', ['operation', 'status', 'outcome']);
  private readonly durations = new FastHistogram(this.registry, 'weir_request_duration_seconds', 'From the first byte of a request to the last of its answer.', ['operation'], REQUEST_SECONDS);
  private readonly firstBytes = new FastHistogram(this.registry, 'weir_request_first_byte_seconds', 'From the first byte of a request to the first of its answer.', ['operation'], REQUEST_SECONDS);
  private readonly tokens = new FastCounter(this.registry, 'weir_tokens_total', 'Tokens used, by direction, operation and model; cached_input is part of input.', ['direction', 'operation', 'model']);
  private readonly attempts = new FastCounter(this.registry, 'weir_upstream_attempts_total', 'Calls of upstreams, by class: success or a failure class.', ['upstream', 'class']);
  private readonly limiterDurations = new FastHistogram(this.registry, 'weir_limiter_duration_seconds', 'Time a limiter store took to decide.', ['store'], LIMITER_SECONDS);
  private readonly limiterFallbacks = new FastCounter(this.registry, 'weir_limiter_fallbacks_total', 'Decisions made locally because Redis gave none in time.', []).with({});
  private readonly ledgerRows = new FastCounter(this.registry, 'weir_ledger_rows_total', 'Usage rows, by what became of them.', ['result']);
  private readonly spans = new FastCounter(this.registry, 'weir_trace_spans_total', 'Spans of traces, by what became of them.', ['result']);
  private readonly breakers = new Gauge({ name: 'weir_upstream_breaker_state', help: '1 for the state the breaker is in.', labelNames: ['upstream', 'state'], registers: [this.registry] });

  private readonly operationSeries = new Map<string, OperationSeries>();
  private readonly tokenSeries = new SeriesCache((model, operation) => TOKEN_DIRECTIONS.map((direction) => this.tokens.with({ direction, operation, model })));
  private readonly attemptSeries = new SeriesCache((upstream, attemptClass) => this.attempts.with({ upstream, class: attemptClass }));
  private readonly limiterSeries = new SeriesCache((store) => this.limiterDurations.with({ store }));
  private readonly ledgerSeries = new SeriesCache((result) => this.ledgerRows.with({ result }));
  private readonly spanSeries = new SeriesCache((result) => this.spans.with({ result }));
  private openRequests = 0;

  constructor() {
    // Rows are seldom lost: a series that begins with its first row would show no increase.
    for (const result of ROW_RESULTS) this.ledgerSeries.get(result);
    this.observe('weir_open_requests', 'Requests being worked on now.', () => this.openRequests);
  }

  /** Counts a request as open; each call is followed by one of `requestFinished`. */
  requestStarted(): void {
    this.openRequests++;
  }

  /** `firstByteMs` is null when no byte of an answer was sent. */
  requestFinished(operation: string, status: number, durationMs: number, firstByteMs: number | null, outcome = toOutcome(status)): void {
    this.openRequests--;
    const series = this.seriesOf(operation);
    series.requests.get(outcome, status).value++;
    series.durations.observe(durationMs / 1000);
    if (firstByteMs === null) return;
    series.firstBytes ??= this.firstBytes.with({ operation });
    series.firstBytes.observe(firstByteMs / 1000);
  }

  private seriesOf(operation: string): OperationSeries {
    let series = this.operationSeries.get(operation);
    if (series === undefined) {
      const requests = new SeriesCache((outcome, status) => this.requests.with({ operation, status, outcome }));
      series = { requests, durations: this.durations.with({ operation }), firstBytes: null };
      this.operationSeries.set(operation, series);
    }
    return series;
  }

  /** `model` is the name of a known route, never what a caller made up. */
  tokensUsed(operation: string, model: string, usage: Pick<UsageUnits, 'inputTokens' | 'cachedInputTokens' | 'outputTokens'>): void {
    const [input, cachedInput, output] = this.tokenSeries.get(model, operation);
    input.value += usage.inputTokens;
    cachedInput.value += usage.cachedInputTokens;
    output.value += usage.outputTokens;
  }

  /** `attemptClass` is `success` or a failure class. */
  upstreamAttempt(upstream: string, attemptClass: string): void {
    this.attemptSeries.get(upstream, attemptClass).value++;
  }

  breakerState(upstream: string, state: BreakerMetricState): void {
    for (const each of BREAKER_STATES) this.breakers.set({ upstream, state: each }, each === state ? 1 : 0);
  }

  /** Ends the series of an upstream that was deleted or renamed. */
  forgetUpstream(upstream: string): void {
    for (const series of this.attemptSeries.take(upstream)) this.attempts.drop(series);
    for (const state of BREAKER_STATES) this.breakers.remove({ upstream, state });
  }

  limiterDecided(store: 'redis' | 'local', durationMs: number): void {
    this.limiterSeries.get(store).observe(durationMs / 1000);
  }

  limiterFellBack(): void {
    this.limiterFallbacks.value++;
  }

  /** `repeated` rows were in the table already; `lost` ones could not be kept. */
  ledgerWrote(result: (typeof ROW_RESULTS)[number], rows: number): void {
    this.ledgerSeries.get(result).value += rows;
  }

  /** `dropped`: too many waited already; `refused`: the collector did not take them, or not in time. */
  tracedSpans(result: 'exported' | 'dropped' | 'refused', spans: number): void {
    this.spanSeries.get(result).value += spans;
  }

  observeLedgerBacklog(read: () => number): void {
    this.observe('weir_ledger_backlog_rows', 'Usage rows that are not in PostgreSQL yet.', read);
  }

  /** Adds a gauge that is read when the metrics are scraped; the same name again replaces it. */
  observe(name: string, help: string, read: () => number): void {
    this.registry.removeSingleMetric(name);
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** Processor, memory, garbage collection and event-loop lag of this process. Once per process is enough. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry, prefix: 'weir_' });
  }

  /** What `/metrics` answers. */
  async scrape(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }
}

/** 499 is a caller that went away before the answer. */
function toOutcome(status: number): RequestOutcome {
  if (status < 400) return 'succeeded';
  if (status === 499) return 'aborted';
  return status < 500 ? 'refused' : 'failed';
}
