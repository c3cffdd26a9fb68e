import { type OrganizationId } from '@weir/kernel';
import { deleteInBatches, toErrorCode } from '@weir/platform';
import { type DataSource, QueryFailedError } from 'typeorm';
import { type BudgetAlert, toCounterName } from './budget-alert';

/** `told_before`: it is in the table already, or its organization is gone. `none`: there is no webhook to tell. */
export type InsertResult = 'told_before' | 'none' | 'queued';

/** An alert that this process may try to deliver now. */
export interface DueAlert {
  readonly id: string;
  readonly organizationId: OrganizationId;
  readonly scope: string;
  readonly subjectId: string;
  readonly model: string | null;
  readonly period: string;
  readonly spanFrom: Date;
  readonly spanTo: Date | null;
  readonly percent: number;
  readonly amountNanos: number;
  readonly spentNanos: number;
  readonly heldNanos: number;
  readonly at: Date;
  /** This attempt included. */
  readonly attempts: number;
  /** How long it has been queued. */
  readonly ageMs: number;
}

export type DeliveryState =
  | { readonly delivery: 'delivered'; readonly status: number | null }
  | { readonly delivery: 'given_up'; readonly status: number | null; readonly error: string }
  | { readonly delivery: 'queued'; readonly status: number | null; readonly error: string; readonly delayMs: number };

/** As the driver gives it: bigint comes as text. */
interface DueRow extends Omit<DueAlert, 'amountNanos' | 'spentNanos' | 'heldNanos'> {
  readonly amountNanos: string;
  readonly spentNanos: string;
  readonly heldNanos: string;
}

/** An attempt takes at most 10 s; after so long its process has died. */
const ATTEMPT_LEASE_MS = 60_000;
const RETENTION_DAYS = 90;
const PURGE_BATCH = 1_000;
// "weir", and what it locks.
const PURGE_LOCK = [0x77656972, 6] as const;
const later = (parameter: string): string => `now() + ${parameter}::double precision * interval '1 millisecond'`;

/** The table of budget alerts. Its clock is PostgreSQL's. Methods throw when PostgreSQL does not answer. */
export class AlertStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Of all who notice the same, one gets something other than `told_before`. */
  async insert({ id, organizationId, budget, percent, spentNanos, heldNanos, atMs }: BudgetAlert): Promise<InsertResult> {
    const { scope, subject, model, period, span, limit } = budget;
    const [row]: ({ delivery: 'none' | 'queued' } | undefined)[] = await this.dataSource.query(
      `INSERT INTO budget_alerts (id, organization_id, counter, scope, subject_id, model, period, span_from, span_to, percent,
         amount_nanos, spent_nanos, held_nanos, at, delivery, next_attempt_at)
       SELECT $1::uuid, organization.id, $3::text, $4::text, $5::uuid, $6::text, $7::text, $8::timestamptz, $9::timestamptz, $10::double precision,
         $11::bigint, $12::bigint, $13::bigint, $14::timestamptz,
         CASE WHEN alert_webhook_url IS NULL THEN 'none' ELSE 'queued' END, CASE WHEN alert_webhook_url IS NOT NULL THEN now() END
       FROM organizations AS organization WHERE organization.id = $2
       ON CONFLICT (organization_id, counter, amount_nanos, percent) DO NOTHING
       RETURNING delivery`,
      [
        id,
        organizationId,
        toCounterName(budget),
        scope,
        subject,
        model,
        period,
        new Date(span.fromMs),
        span.toMs === null ? null : new Date(span.toMs),
        percent,
        limit,
        spentNanos,
        heldNanos,
        new Date(atMs),
      ],
    );
    return row?.delivery ?? 'told_before';
  }

  /**
   * Takes alerts that are due, one an organization: a slow webhook keeps nobody else waiting.
   * @param busy organizations that this process is telling something already
   */
  async takeDue(limit: number, busy: readonly string[]): Promise<DueAlert[]> {
    const [rows]: [DueRow[], number] = await this.dataSource.query(
      `UPDATE budget_alerts SET attempts = attempts + 1, next_attempt_at = ${later('$3')}
       WHERE id IN (
         SELECT due.id FROM budget_alerts AS due
         WHERE due.delivery = 'queued' AND due.next_attempt_at <= now() AND due.id IN (
           SELECT DISTINCT ON (organization_id) id FROM budget_alerts
           WHERE delivery = 'queued' AND next_attempt_at <= now() AND organization_id <> ALL ($2::uuid[])
           ORDER BY organization_id, next_attempt_at)
         ORDER BY due.next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING id, organization_id AS "organizationId", scope, subject_id AS "subjectId", model, period,
         span_from AS "spanFrom", span_to AS "spanTo", percent, amount_nanos AS "amountNanos", spent_nanos AS "spentNanos",
         held_nanos AS "heldNanos", at, attempts, (extract(epoch FROM now() - created_at) * 1000)::float AS "ageMs"`,
      [limit, busy, ATTEMPT_LEASE_MS],
    );
    return rows.map(toDueAlert);
  }

  /** Changes nothing when somebody else has tried since. */
  async noteAttempt({ id, attempts }: Pick<DueAlert, 'id' | 'attempts'>, state: DeliveryState): Promise<void> {
    const { delivery, status } = state;
    await this.dataSource.query(
      `UPDATE budget_alerts SET delivery = $3, last_status = $4, last_error = $5,
         next_attempt_at = CASE WHEN $3 = 'queued' THEN ${later('$6')} END,
         delivered_at = CASE WHEN $3 = 'delivered' THEN now() END
       WHERE id = $1 AND attempts = $2 AND delivery = 'queued'`,
      [id, attempts, delivery, status, delivery === 'delivered' ? null : state.error, delivery === 'queued' ? state.delayMs : 0],
    );
  }

  /** How long until the next alert is due, in milliseconds; 0 when one is, null when none is queued. */
  async findNextDueMs(busy: readonly string[]): Promise<number | null> {
    const [row]: { due: number | null }[] = await this.dataSource.query(
      `SELECT greatest(extract(epoch FROM min(next_attempt_at) - now()) * 1000, 0)::float AS due
       FROM budget_alerts WHERE delivery = 'queued' AND organization_id <> ALL ($1::uuid[])`,
      [busy],
    );
    return row.due;
  }

  /** Deletes alerts of spans that ended long ago; of several processes one does it. @returns how many. */
  purge(): Promise<number> {
    return deleteInBatches(this.dataSource, {
      lock: PURGE_LOCK,
      sql: `DELETE FROM budget_alerts WHERE id IN (SELECT id FROM budget_alerts WHERE span_to <= now() - $1 * interval '1 day' LIMIT $2)`,
      parameters: [RETENTION_DAYS, PURGE_BATCH],
      batchRows: PURGE_BATCH,
    });
  }
}

/** Whether PostgreSQL refuses a row for what is in it; anything else may pass later. */
export function isRefusedForGood(error: unknown): boolean {
  return error instanceof QueryFailedError && /^(22|23|54)/.test(toErrorCode(error.driverError) ?? '');
}

function toDueAlert(row: DueRow): DueAlert {
  return { ...row, amountNanos: Number(row.amountNanos), spentNanos: Number(row.spentNanos), heldNanos: Number(row.heldNanos) };
}
