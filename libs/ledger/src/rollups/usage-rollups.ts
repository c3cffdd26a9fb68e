import { type Clock, type Nanos } from '@weir/kernel';
import { type DataSource } from 'typeorm';
import { LedgerConditions, type LedgerFilter } from '../ledger-filter';
import { runLedgerQuery } from '../ledger-query';
import { toKeptFromMs } from '../usage-months';
import { DAY_MS, HOUR_MS, MINUTE_MS, toUsageSpans, type UsageSpan } from './usage-spans';
import { NO_ID, toUsageTable } from './usage-tables';

/** What somebody has spent in a time, as a budget asks. */
export interface SpentQuestion {
  readonly organizationId: string;
  readonly scope: 'key' | 'project' | 'organization';
  /** The id of the key, the project or the organization. */
  readonly subject: string;
  /** Null: of all models. */
  readonly model: string | null;
  readonly fromMs: number;
  /** Not included; null: no end. */
  readonly toMs: number | null;
  /** What these requests have cost is left out. */
  readonly exceptRequestIds: readonly string[];
}

/** Requests of one key to one model that began in one bucket of time. */
export interface RequestCount {
  readonly organizationId: string;
  readonly keyId: string;
  readonly projectId: string | null;
  readonly model: string;
  /** The last moment of the bucket, or now: counted there, the requests never leave a window too soon. */
  readonly atMs: number;
  readonly requests: number;
}

/** The last hours, which windows give back minute by minute. */
const FINE_MS = 2 * HOUR_MS;

interface CountColumns {
  organization_id: string;
  key_id: string;
  project_id: string;
  model: string;
  at: Date;
  requests: string;
}

/** Reads the sums of the ledger for the limits: after a restart, and where a counter is missing. */
export class UsageRollups {
  /** @param retentionDays as of UsagePartitions */
  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly retentionDays = 0,
  ) {}

  /**
   * What is in the ledger, exactly: rows without a price count nothing. Not beyond 2⁵³ nano-dollars.
   * Of a day whose rows are dropped by their age there is one sum: all of it counts, to be on the safe side.
   * @param signal whoever asked waits no longer: PostgreSQL is told to stop
   * @throws when PostgreSQL cannot be asked
   */
  async sumSpentNanos(question: SpentQuestion, signal?: AbortSignal): Promise<Nanos> {
    const keptFromMs = toKeptFromMs(this.clock.nowMs(), this.retentionDays);
    const known = { ...question, fromMs: toKnownMs(question.fromMs, keptFromMs, Math.floor), toMs: question.toMs === null ? null : toKnownMs(question.toMs, keptFromMs, Math.ceil) };
    const [columns] = await runLedgerQuery<{ spent: string }>(this.dataSource, toSpentQuery(known), signal);
    return Math.min(Number(columns.spent), Number.MAX_SAFE_INTEGER);
  }

  /**
   * The requests of the last 24 hours that made an attempt, from the oldest: by the hour, and of the
   * last two hours by the minute. The first bucket began up to an hour earlier. Each bucket is read
   * when the one before it was used.
   */
  async *readDayRequests(nowMs: number): AsyncGenerator<RequestCount> {
    const fineMs = Math.floor((nowMs - FINE_MS) / HOUR_MS) * HOUR_MS;
    const firstMs = Math.floor((nowMs - DAY_MS) / HOUR_MS) * HOUR_MS;
    for (let fromMs = firstMs; fromMs < fineMs; fromMs += HOUR_MS) yield* this.#count('hourly', fromMs, HOUR_MS, nowMs);
    for (let fromMs = fineMs; fromMs <= nowMs; fromMs += HOUR_MS) yield* this.#count('rows', fromMs, MINUTE_MS, nowMs);
  }

  /** @param fromMs the hour, told in buckets of `bucketMs` */
  async *#count(source: 'hourly' | 'rows', fromMs: number, bucketMs: number, nowMs: number): AsyncGenerator<RequestCount> {
    const sql = `SELECT organization_id, key_id, project_id, model, date_trunc($3, record.at, 'UTC') AS at, sum(requests) AS requests
      FROM ${toUsageTable(source, [])} AS record WHERE record.at >= $1 AND record.at < $2 GROUP BY 1, 2, 3, 4, 5 HAVING sum(requests) > 0 ORDER BY 5`;
    const parameters = [new Date(fromMs), new Date(fromMs + HOUR_MS), bucketMs === HOUR_MS ? 'hour' : 'minute'];
    for (const columns of await runLedgerQuery<CountColumns>(this.dataSource, { sql, parameters })) {
      yield {
        organizationId: columns.organization_id,
        keyId: columns.key_id,
        projectId: columns.project_id === NO_ID ? null : columns.project_id,
        model: columns.model,
        atMs: Math.min(columns.at.getTime() + bucketMs - 1, nowMs),
        requests: Number(columns.requests),
      };
    }
  }
}

/** The moment itself while its rows are kept, and the next border of a day when they are not. */
function toKnownMs(atMs: number, keptFromMs: number, round: (days: number) => number): number {
  return atMs < keptFromMs ? round(atMs / DAY_MS) * DAY_MS : atMs;
}

function toSpentQuery({ organizationId, scope, subject, model, fromMs, toMs, exceptRequestIds }: SpentQuestion): { sql: string; parameters: unknown[] } {
  const filter: LedgerFilter = { organizationId, ...SUBJECT_FILTERS[scope](subject), ...(model === null ? {} : { model }) };
  const conditions = new LedgerConditions(filter);
  const untilMs = toMs ?? Infinity;
  const sums = ['0::numeric'];
  for (const span of toUsageSpans(fromMs, untilMs)) sums.push(toSpent(conditions, span));
  if (exceptRequestIds.length > 0) {
    const excepted = `record.request_id = ANY(${conditions.parameter(exceptRequestIds)}::uuid[])`;
    sums.push(`-${toSpent(conditions, { source: 'rows', fromMs, toMs: untilMs }, [excepted])}`);
  }
  return { sql: `SELECT ${sums.join(' + ')} AS spent`, parameters: conditions.parameters };
}

const SUBJECT_FILTERS: Readonly<Record<SpentQuestion['scope'], (subject: string) => LedgerFilter>> = {
  key: (keyId) => ({ keyId }),
  project: (projectId) => ({ projectId }),
  organization: (organizationId) => ({ organizationId }),
};

function toSpent(conditions: LedgerConditions, { source, fromMs, toMs }: UsageSpan, more: readonly string[] = []): string {
  const table = toUsageTable(source, conditions.dimensions);
  const where = conditions.toSql([...conditions.toTimeConditions(fromMs, toMs), ...more]);
  return `coalesce((SELECT sum(record.cost_nanos) FROM ${table} AS record WHERE ${where}), 0)`;
}
