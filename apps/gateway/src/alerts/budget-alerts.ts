import { type Clock, type Nanos, uuidV7 } from '@weir/kernel';
import { type Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { Counter } from 'prom-client';
import { type AlertStore, isRefusedForGood } from './alert-store';
import { type BudgetAlert, toCounterName, toThresholdNanos, type WatchedBudget } from './budget-alert';

export interface BudgetAlertsOptions {
  readonly store: AlertStore;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  readonly metrics: Metrics;
  /** An alert was queued for a webhook. */
  readonly onQueued: () => void;
  /** Between two tries while PostgreSQL is away. */
  readonly retryMs?: number;
}

/** What this process knows of one budget of one plan. */
interface Watch {
  /** Of `alerts`, the first that was not told yet. */
  index: number;
  /** Where it is reached; Infinity behind the last. */
  nextNanos: Nanos;
}

/** Alerts that wait for PostgreSQL; what does not fit is noticed again at the budget's next request. */
const MAX_WAITING = 1_000;
/** Beyond it everything told is forgotten; the table still knows. */
const MAX_TOLD = 50_000;
const RETRY_MS = 5_000;
const PURGE_INTERVAL_MS = 3_600_000;
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Tells once, over all processes and restarts, when a percentage of a budget is spent: in the log,
 * in the metrics, and to the organization's webhook if it has one.
 */
export class BudgetAlerts {
  private readonly watches = new WeakMap<WatchedBudget, Watch>();
  /** The highest percentage told, by counter and amount: a budget of an organization stands in the plans of all its keys. */
  private readonly told = new Map<string, number>();
  private readonly waiting: BudgetAlert[] = [];
  private readonly counter: Counter<'percent'>;
  private writing: Promise<void> | null = null;
  private retry: NodeJS.Timeout | null = null;
  private purging: NodeJS.Timeout | null = null;

  constructor(private readonly options: BudgetAlertsOptions) {
    const { registry } = options.metrics;
    this.counter = new Counter({ name: 'weir_budget_alerts_total', help: 'Budgets that reached a percentage, told first by this process.', labelNames: ['percent'], registers: [registry] });
    options.metrics.observe('weir_budget_alerts_waiting', 'Budget alerts that are not in PostgreSQL yet.', () => this.waiting.length);
  }

  /** Begins to delete alerts of long ago, every hour. */
  start(): void {
    this.purging ??= setInterval(() => void this.purge(), PURGE_INTERVAL_MS).unref();
  }

  /** Tries once more to write what waits. What cannot be written is noticed again after the next start. */
  async close(): Promise<void> {
    if (this.purging !== null) clearInterval(this.purging);
    if (this.waiting.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)));
    await Promise.race([this.write(), deadline]);
    clearTimeout(timer);
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
  }

  /** The meter's callback after a settle: a look-up and a comparison, unless a percentage is reached. Never throws. */
  noticeSpent(organizationId: string, budget: WatchedBudget, { spentNanos, heldNanos }: { readonly spentNanos: Nanos; readonly heldNanos: Nanos }): void {
    let watch = this.watches.get(budget);
    if (watch === undefined) {
      watch = { index: 0, nextNanos: toNextNanos(budget, 0) };
      this.watches.set(budget, watch);
    }
    if (spentNanos < watch.nextNanos) return;
    this.reach(organizationId, budget, watch, spentNanos, heldNanos);
  }

  /** Resolves when everything noticed so far is in the table, or could not be written now. */
  async write(): Promise<void> {
    if (this.waiting.length === 0) return;
    this.writing ??= this.writeWaiting();
    await this.writing;
  }

  private reach(organizationId: string, budget: WatchedBudget, watch: Watch, spentNanos: Nanos, heldNanos: Nanos): void {
    const name = `${organizationId}|${toCounterName(budget)}|${budget.limit}`;
    const toldPercent = this.told.get(name) ?? -Infinity;
    while (spentNanos >= watch.nextNanos && this.waiting.length < MAX_WAITING) {
      const percent = budget.alerts[watch.index];
      watch.index += 1;
      watch.nextNanos = toNextNanos(budget, watch.index);
      if (percent <= toldPercent) continue;
      const atMs = this.options.clock.nowMs();
      this.waiting.push({ id: uuidV7(atMs), organizationId, budget, percent, spentNanos, heldNanos, atMs });
      if (this.told.size >= MAX_TOLD) this.told.clear();
      this.told.set(name, percent);
    }
    if (this.waiting.length > 0 && this.retry === null) void this.write();
  }

  private async writeWaiting(): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    for (let alert = this.waiting.at(0); alert !== undefined; alert = this.waiting.at(0)) {
      try {
        const result = await this.options.store.insert(alert);
        if (result !== 'told_before') this.tell(alert);
        if (result === 'queued') this.options.onQueued();
      } catch (error) {
        if (!isRefusedForGood(error)) {
          this.options.logger.warn({ err: error, waiting: this.waiting.length }, 'budget alerts cannot be written; tried again');
          this.retry = setTimeout(() => void this.write(), this.options.retryMs ?? RETRY_MS).unref();
          break;
        }
        this.options.logger.error({ err: error, organizationId: alert.organizationId }, 'PostgreSQL refuses a budget alert');
      }
      this.waiting.shift();
    }
    // At once, not when the promise settles: what is noticed from now on needs a writer of its own.
    this.writing = null;
  }

  private tell({ organizationId, budget, percent, spentNanos, heldNanos }: BudgetAlert): void {
    const { scope, subject, model, span, limit } = budget;
    this.counter.inc({ percent: String(percent) });
    this.options.logger.warn(
      { organizationId, scope, subject, model, name: span.name, percent, amountNanos: limit, spentNanos, heldNanos },
      `${percent} % of a budget are spent`,
    );
  }

  private async purge(): Promise<void> {
    try {
      await this.options.store.purge();
    } catch (error) {
      this.options.logger.warn({ err: error }, 'could not delete old budget alerts; tried again in an hour');
    }
  }
}

/** A budget of nothing has no percentages. */
function toNextNanos({ limit, alerts }: WatchedBudget, index: number): Nanos {
  return limit > 0 && index < alerts.length ? toThresholdNanos(limit, alerts[index]) : Infinity;
}
