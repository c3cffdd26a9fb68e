import { type Clock, type OrganizationId } from '@weir/kernel';
import { type Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { Counter } from 'prom-client';
import { type AlertWebhook } from '../admin/organizations/find-alert-webhook';
import { type AlertStore, type DeliveryState, type DueAlert } from './alert-store';
import { signWebhook } from './sign-webhook';
import { toAlertEvent } from './to-alert-event';
import { toNextAttemptMs } from './to-next-attempt';
import { type WebhookResult, type WebhookSender } from './webhook-sender';

export interface AlertDeliveriesOptions {
  readonly store: AlertStore;
  readonly sender: WebhookSender;
  /** Null when it has none. Rejects when its secret cannot be opened, or PostgreSQL does not answer. */
  readonly findWebhook: (organizationId: OrganizationId) => Promise<AlertWebhook | null>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  readonly metrics: Metrics;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const MAX_AT_ONCE = 10;
/** A process that died left its deliveries to the others, who look so often at least. */
const LONGEST_PAUSE_MS = 60_000;
/** A row may be due and another process just be at it. */
const SHORTEST_PAUSE_MS = 1_000;
const RETRY_MS = 5_000;
/** The receiver says that there is nobody any more. */
const GONE = 410;
/** It was taken away after the alert was queued. */
const NO_WEBHOOK = 'no_webhook';

/**
 * Brings queued alerts to the webhooks of their organizations, at least once each. Every process has
 * one; they share the work by taking rows that no other has taken.
 */
export class AlertDeliveries {
  /** By organization: one at a time each. */
  private readonly busy = new Map<string, Promise<void>>();
  private readonly results: Counter<'result'>;
  private readonly closing = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> | null = null;
  private isWanted = false;

  constructor(private readonly options: AlertDeliveriesOptions) {
    this.results = new Counter({
      name: 'weir_alert_deliveries_total',
      help: 'Attempts to deliver an alert to a webhook, by result.',
      labelNames: ['result'],
      registers: [options.metrics.registry],
    });
  }

  /** Looks now for what is due, and again whenever something is. */
  wake(): void {
    if (this.closing.signal.aborted) return;
    this.isWanted = true;
    this.looking ??= this.look().finally(() => {
      this.looking = null;
      // Somebody asked while the last look was ending.
      if (this.isWanted) this.wake();
    });
  }

  /** Cuts what is under way; another process, or the next start, tries it again. */
  async close(): Promise<void> {
    this.closing.abort();
    if (this.timer !== null) clearTimeout(this.timer);
    await this.looking;
    await Promise.all(this.busy.values());
  }

  private async look(): Promise<void> {
    let pauseMs = RETRY_MS;
    try {
      while (this.isWanted) {
        this.isWanted = false;
        const free = MAX_AT_ONCE - this.busy.size;
        const due = free > 0 ? await this.options.store.takeDue(free, [...this.busy.keys()]) : [];
        for (const alert of due) this.begin(alert);
      }
      const dueMs = this.busy.size >= MAX_AT_ONCE ? null : await this.options.store.findNextDueMs([...this.busy.keys()]);
      pauseMs = Math.min(Math.max(dueMs ?? LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
    } catch (error) {
      this.options.logger.warn({ err: error }, 'cannot look for alerts that are due; tried again');
    }
    if (this.timer !== null) clearTimeout(this.timer);
    if (!this.closing.signal.aborted) this.timer = setTimeout(() => this.wake(), pauseMs).unref();
  }

  private begin(alert: DueAlert): void {
    const delivery = this.deliver(alert)
      .catch((error: unknown) => this.options.logger.warn({ err: error, organizationId: alert.organizationId }, 'cannot note how far the delivery of an alert has come'))
      .finally(() => {
        this.busy.delete(alert.organizationId);
        this.wake();
      });
    this.busy.set(alert.organizationId, delivery);
  }

  private async deliver(alert: DueAlert): Promise<void> {
    const result = await this.send(alert);
    // Nobody knows what the receiver saw; whoever takes the row next tells it again.
    if (this.closing.signal.aborted && !result.isDelivered) return;
    const state = this.toState(alert, result);
    this.results.inc({ result: state.delivery === 'queued' ? 'failed' : state.delivery });
    if (state.delivery === 'given_up') {
      this.options.logger.warn({ organizationId: alert.organizationId, objectId: alert.id, attempts: alert.attempts, status: state.status, reason: state.error }, 'a budget alert could not be delivered and is given up');
    }
    await this.options.store.noteAttempt(alert, state);
  }

  private async send(alert: DueAlert): Promise<WebhookResult> {
    let webhook: AlertWebhook | null;
    try {
      webhook = await this.options.findWebhook(alert.organizationId);
    } catch (error) {
      this.options.logger.warn({ err: error, organizationId: alert.organizationId }, 'the webhook of an organization cannot be read');
      return { isDelivered: false, status: null, error: 'webhook_unreadable' };
    }
    if (webhook === null) return { isDelivered: false, status: null, error: NO_WEBHOOK };
    const body = toAlertEvent(alert);
    const signed = signWebhook(webhook.secret, alert.id, Math.floor(this.options.clock.nowMs() / 1000), body);
    if (signed === null) return { isDelivered: false, status: null, error: 'webhook_unreadable' };
    return this.options.sender.post({ url: webhook.url, headers: { ...signed }, body, allowPrivate: webhook.allowPrivate, signal: this.closing.signal });
  }

  private toState({ attempts, ageMs }: DueAlert, result: WebhookResult): DeliveryState {
    const { status } = result;
    if (result.isDelivered) return { delivery: 'delivered', status };
    const { error } = result;
    const isFinal = error === NO_WEBHOOK || status === GONE;
    const delayMs = isFinal ? null : toNextAttemptMs(attempts, ageMs, (this.options.random ?? Math.random)());
    return delayMs === null ? { delivery: 'given_up', status, error } : { delivery: 'queued', status, error, delayMs };
  }
}
