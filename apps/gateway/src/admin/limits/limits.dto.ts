import { ApiProperty } from '@nestjs/swagger';
import { BUDGET_PERIODS, type BudgetPeriod } from '@weir/kernel';
import { Id, OneOf } from '../fields/fields';
import { OrganizationSearchQuery } from '../paging/page.query';
import { USE_SCOPES, type UseScope } from './to-scope-plan';

const UNREADABLE = 'Null when what is stored cannot be read; then nothing is let through.';

export class LimitsQuery extends OrganizationSearchQuery {
  @OneOf(USE_SCOPES, { optional: true, description: 'Whose limits; `key` when not given. For `model` an owner must say whose use of it: `organization_id`.' })
  scope?: UseScope;

  @Id({ optional: true, description: 'The keys of a project, or the project itself.' })
  project_id?: string;

  @Id({ optional: true, description: 'Only this key.' })
  key_id?: string;

  @Id({ optional: true, description: 'Only this model.' })
  model_id?: string;
}

export class LimitUseView {
  @ApiProperty({ type: String, description: '`requests_per_minute`, `requests_per_day`, `tokens_per_minute`, `concurrency`' })
  name: string;

  @ApiProperty({ enum: [...USE_SCOPES] })
  scope: UseScope;

  @ApiProperty({ enum: ['requests', 'tokens', 'open_requests'] })
  unit: 'requests' | 'tokens' | 'open_requests';

  @ApiProperty({ type: 'integer' })
  limit: number;

  @ApiProperty({ type: 'integer' })
  used: number;

  @ApiProperty({ type: 'integer' })
  remaining: number;

  @ApiProperty({ type: 'integer', description: 'How long until nothing of it is used any more, if nothing more is taken.' })
  reset_ms: number;
}

export class BudgetUseView {
  @ApiProperty({ type: String })
  amount_usd: string;

  @ApiProperty({ type: String, nullable: true, description: 'Since the period began, or since the budget was reset. Null while it cannot be counted.' })
  spent_usd: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Set aside for requests that are not over yet.' })
  held_usd: string | null;

  @ApiProperty({ type: String, nullable: true })
  remaining_usd: string | null;

  @ApiProperty({ enum: [...BUDGET_PERIODS] })
  period: BudgetPeriod;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'When the period ends; null for `total`.' })
  resets_at: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Null is for all models together.' })
  model: string | null;
}

export class ScopeUseView {
  @ApiProperty({ enum: ['limit_use'] })
  object: 'limit_use';

  @ApiProperty({ enum: [...USE_SCOPES] })
  scope: UseScope;

  @ApiProperty({ type: String, format: 'uuid', description: 'Of the key, project, organization or model.' })
  id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ type: String, format: 'uuid', description: 'Of a model: whose use of it this is.' })
  organization_id: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  project_id: string | null;

  @ApiProperty({ type: [LimitUseView], nullable: true, description: `Empty without limits. ${UNREADABLE}` })
  limits: LimitUseView[] | null;

  @ApiProperty({ type: [BudgetUseView], nullable: true, description: `Empty without budgets. ${UNREADABLE}` })
  budgets: BudgetUseView[] | null;
}
