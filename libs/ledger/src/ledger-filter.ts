import { isUuid } from '@weir/kernel';
import { type UsageStatus } from './usage-record';

/** Which rows of the ledger; what is left out does not narrow. `fromMs` is included, `toMs` is not. */
export interface LedgerFilter {
  readonly organizationId?: string;
  readonly projectId?: string;
  readonly keyId?: string;
  readonly model?: string;
  readonly upstreamId?: string;
  readonly operation?: string;
  readonly status?: UsageStatus;
  readonly requestId?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** SQL conditions over `usage_records AS record` and their parameters. */
export class LedgerConditions {
  readonly #conditions: string[] = [];
  readonly parameters: unknown[] = [];

  constructor(filter: LedgerFilter) {
    this.#equalId('organization_id', filter.organizationId);
    this.#equalId('project_id', filter.projectId);
    this.#equalId('key_id', filter.keyId);
    this.#equalId('upstream_id', filter.upstreamId);
    this.#equalId('request_id', filter.requestId);
    this.#equal('model', filter.model);
    this.#equal('operation', filter.operation);
    this.#equal('status', filter.status);
    if (filter.fromMs !== undefined) this.add(`record.at >= ${this.parameter(new Date(filter.fromMs))}`);
    if (filter.toMs !== undefined) this.add(`record.at < ${this.parameter(new Date(filter.toMs))}`);
  }

  /** Adds a parameter and names it. */
  parameter(value: unknown): string {
    this.parameters.push(value);
    return `$${this.parameters.length}`;
  }

  add(condition: string): void {
    this.#conditions.push(condition);
  }

  toSql(): string {
    return this.#conditions.length === 0 ? 'true' : this.#conditions.join(' AND ');
  }

  // No row has an id that is none, nor a name with NUL in it; PostgreSQL would call the question an error.
  #equalId(column: string, value: string | undefined): void {
    if (value === undefined || isUuid(value)) this.#equal(column, value);
    else this.add('false');
  }

  #equal(column: string, value: string | undefined): void {
    if (value === undefined) return;
    if (value.includes('\0')) this.add('false');
    else this.add(`record.${column} = ${this.parameter(value)}`);
  }
}
