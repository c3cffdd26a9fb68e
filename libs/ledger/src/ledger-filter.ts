import { isUuid } from '@weir/kernel';
import { NO_ID, type UsageDimension } from './rollups/usage-tables';
import { type UsageStatus } from './usage-record';

/**
 * Which rows of the ledger; what is left out does not narrow. `fromMs` is included, `toMs` is not.
 * A list narrows to any of its members, so an empty one to nothing.
 */
export interface LedgerFilter {
  readonly organizationId?: string;
  readonly projectId?: string | readonly string[];
  readonly keyId?: string | readonly string[];
  readonly model?: string | readonly string[];
  readonly upstreamId?: string;
  readonly operation?: string | readonly string[];
  readonly status?: UsageStatus;
  readonly requestId?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** SQL conditions over `usage_records AS record`, or sums of it, and their parameters. */
export class LedgerConditions {
  readonly #conditions: string[] = [];
  readonly parameters: unknown[] = [];
  /** What the conditions are about, besides the time. */
  readonly dimensions = new Set<UsageDimension>();

  /** Of the filter's time nothing is in the conditions: a sum asks for it in parts. */
  static withoutTime(filter: LedgerFilter): LedgerConditions {
    return new LedgerConditions({ ...filter, fromMs: undefined, toMs: undefined });
  }

  constructor(filter: LedgerFilter) {
    this.#equalId('organization_id', filter.organizationId);
    this.#equalId('project_id', filter.projectId);
    this.#equalId('key_id', filter.keyId);
    this.#equalId('upstream_id', filter.upstreamId);
    this.#equalId('request_id', filter.requestId);
    this.#equal('model', filter.model);
    this.#equal('operation', filter.operation);
    this.#equal('status', filter.status);
    for (const condition of this.toTimeConditions(filter.fromMs ?? -Infinity, filter.toMs ?? Infinity)) this.add(condition);
  }

  /** Adds a parameter and names it. */
  parameter(value: unknown): string {
    this.parameters.push(value);
    return `$${this.parameters.length}`;
  }

  add(condition: string): void {
    this.#conditions.push(condition);
  }

  /** Conditions for a part of the time, which are not added: infinite where there is no end. */
  toTimeConditions(fromMs: number, toMs: number): string[] {
    const conditions: string[] = [];
    if (Number.isFinite(fromMs)) conditions.push(`record.at >= ${this.parameter(new Date(fromMs))}`);
    if (Number.isFinite(toMs)) conditions.push(`record.at < ${this.parameter(new Date(toMs))}`);
    return conditions;
  }

  /** @param more conditions that hold for this time only */
  toSql(more: readonly string[] = []): string {
    const all = [...this.#conditions, ...more];
    return all.length === 0 ? 'true' : all.join(' AND ');
  }

  // No row has an id that is none, nor a name with NUL in it; PostgreSQL would call the question an error.
  #equalId(column: UsageDimension, value: string | readonly string[] | undefined): void {
    this.#add(column, value, (id) => isUuid(id) && id !== NO_ID);
  }

  #equal(column: UsageDimension, value: string | readonly string[] | undefined): void {
    this.#add(column, value, (text) => !text.includes('\0'));
  }

  #add(column: UsageDimension, value: string | readonly string[] | undefined, isPossible: (text: string) => boolean): void {
    if (value === undefined) return;
    this.dimensions.add(column);
    const values = (typeof value === 'string' ? [value] : value).filter(isPossible);
    if (values.length === 0) this.add('false');
    // A single value is compared for itself: PostgreSQL knows more to do with it than with a list of one.
    else if (values.length === 1) this.add(`record.${column} = ${this.parameter(values[0])}`);
    else this.add(`record.${column} = ANY(${this.parameter(values)})`);
  }
}
