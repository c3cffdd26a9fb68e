import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { USAGE_GROUPS, USAGE_STATUSES, type UsageStatus } from '@weir/ledger';
import { Id, OneOf, PlainText, Timestamp } from '../fields/fields';
import { PageQuery } from '../paging/page.query';

const LONGEST_NAME = 256;
const LONGEST_GROUPS = 200;

/** Which rows of the ledger. */
export class LedgerQuery {
  @Id({ optional: true })
  organization_id?: string;

  @Id({ optional: true })
  project_id?: string;

  @Id({ optional: true })
  key_id?: string;

  @PlainText(LONGEST_NAME, { optional: true })
  model?: string;

  @Id({ optional: true })
  upstream_id?: string;

  @PlainText(LONGEST_NAME, { optional: true })
  operation?: string;

  @OneOf(USAGE_STATUSES, { optional: true })
  status?: UsageStatus;

  @Timestamp({ optional: true, description: 'Included; 30 days before `to` when not given.' })
  from?: string;

  @Timestamp({ optional: true, description: 'Not included; now when not given.' })
  to?: string;
}

class RequestsFilter extends LedgerQuery {
  @Id({ optional: true, description: 'The `x-request-id` of an answer.' })
  request_id?: string;
}

export class RequestsQuery extends IntersectionType(RequestsFilter, PageQuery) {}

export class RequestsExportQuery extends RequestsFilter {
  @OneOf(['csv'], { optional: true })
  format?: string;
}

export class UsageQuery extends IntersectionType(LedgerQuery, PageQuery) {
  @PlainText(LONGEST_GROUPS, { optional: true, description: `Any of ${USAGE_GROUPS.join(', ')}; several separated by commas. Days and hours are UTC.` })
  group_by?: string;
}

export class RequestView {
  @ApiProperty({ enum: ['request'] })
  object: 'request';

  @ApiProperty({ type: String, format: 'uuid' })
  request_id: string;

  @ApiProperty({ type: 'integer' })
  attempt: number;

  @ApiProperty({ type: String, format: 'date-time' })
  at: string;

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  project_id: string | null;

  @ApiProperty({ type: String, format: 'uuid' })
  key_id: string;

  @ApiProperty({ type: String })
  operation: string;

  @ApiProperty({ type: String })
  model: string;

  @ApiProperty({ type: String, nullable: true })
  upstream: string | null;

  @ApiPropertyOptional({ type: String, format: 'uuid', nullable: true, description: 'For owners.' })
  upstream_id?: string | null;

  @ApiPropertyOptional({ type: String, format: 'uuid', nullable: true, description: 'For owners.' })
  upstream_key_id?: string | null;

  @ApiProperty({ type: String, nullable: true })
  upstream_model: string | null;

  @ApiProperty({ enum: [...USAGE_STATUSES] })
  status: string;

  @ApiProperty({ type: 'integer', nullable: true })
  http_status: number | null;

  @ApiProperty({ type: String, nullable: true })
  error_code: string | null;

  @ApiProperty({ type: 'integer' })
  input_tokens: number;

  @ApiProperty({ type: 'integer' })
  cached_input_tokens: number;

  @ApiProperty({ type: 'integer' })
  output_tokens: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'number' }, nullable: true })
  units: Readonly<Record<string, number>> | null;

  @ApiProperty({ type: Boolean, description: 'Weir counted the usage itself.' })
  estimated: boolean;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Null for a model without a price.' })
  cost_nanos: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'Exact, as a decimal.' })
  cost_usd: string | null;

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, description: 'The price that was applied.' })
  rate: Readonly<Record<string, unknown>> | null;

  @ApiProperty({ type: 'integer' })
  duration_ms: number;

  @ApiProperty({ type: 'integer', nullable: true })
  first_byte_ms: number | null;
}

export class UsageView {
  @ApiProperty({ enum: ['usage'] })
  object: 'usage';

  @ApiPropertyOptional({ type: String, nullable: true })
  organization?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true })
  project?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true })
  key?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true })
  model?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true })
  upstream?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true })
  operation?: string | null;

  @ApiPropertyOptional({ enum: [...USAGE_STATUSES], description: 'Of the attempts.' })
  status?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: '`2026-11-20`, in UTC' })
  day?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: '`2026-11-20T13:00Z`' })
  hour?: string | null;

  @ApiProperty({ type: 'integer', description: 'Counted at their first attempt.' })
  requests: number;

  @ApiProperty({ type: 'integer' })
  attempts: number;

  @ApiProperty({ type: 'integer' })
  succeeded_attempts: number;

  @ApiProperty({ type: 'integer' })
  failed_attempts: number;

  @ApiProperty({ type: 'integer' })
  aborted_attempts: number;

  @ApiProperty({ type: 'integer', description: 'Attempts whose end nobody saw; charged at their estimate.' })
  unknown_attempts: number;

  @ApiProperty({ type: 'integer' })
  input_tokens: number;

  @ApiProperty({ type: 'integer' })
  cached_input_tokens: number;

  @ApiProperty({ type: 'integer', description: 'In the input tokens, as the cached ones.' })
  cache_write_tokens: number;

  @ApiProperty({ type: 'integer' })
  output_tokens: number;

  @ApiProperty({ type: 'integer', description: 'In the output tokens.' })
  reasoning_tokens: number;

  @ApiProperty({ type: 'integer', description: 'Of text that was spoken.' })
  characters: number;

  @ApiProperty({ type: 'number', description: 'Of sound or film.' })
  seconds: number;

  @ApiProperty({ type: 'integer' })
  images: number;

  @ApiProperty({ type: 'integer' })
  documents: number;

  @ApiProperty({ type: 'number' })
  gpu_seconds: number;

  @ApiProperty({ type: 'integer', description: 'How long the attempts took, together.' })
  duration_ms: number;

  @ApiProperty({ type: 'integer' })
  cost_nanos: number;

  @ApiProperty({ type: String, description: 'Exact, as a decimal.' })
  cost_usd: string;

  @ApiProperty({ type: 'integer', description: 'Attempts whose usage Weir counted itself.' })
  estimated_attempts: number;

  @ApiProperty({ type: 'integer', description: 'Attempts of models without a price: not in the cost.' })
  unpriced_attempts: number;
}
