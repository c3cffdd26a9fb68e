import { ApiProperty } from '@nestjs/swagger';
import { MOST_BUDGETS, type OrganizationEntity } from '@weir/access';
import { Flag, Name, Nested, NestedList, WholeNumber } from '../fields/fields';
import { BudgetInput, BUDGETS, BUDGETS_REPLACED, BudgetView, toBudgetViews, UNREADABLE } from '../limits/budget.dto';
import { LIMITS_STAY, ScopeLimitsInput, ScopeLimitsView, SHARED_LIMITS, toScopeLimitsView } from '../limits/scope-limits.dto';

const LONGEST_NAME = 200;
const LARGEST_QUEUE_WEIGHT = 100;
const QUEUE_WEIGHT = "Its share of an upstream's places when calls wait for it, beside the other organizations': 1 to 100, 1 when not set.";

export class CreateOrganization {
  @Name(LONGEST_NAME)
  name: string;

  @Flag({ optional: true, description: 'False stops every key of the organization.' })
  enabled?: boolean;

  @WholeNumber(1, LARGEST_QUEUE_WEIGHT, { optional: true, description: QUEUE_WEIGHT })
  queue_weight?: number;

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: SHARED_LIMITS })
  limits?: ScopeLimitsInput | null;

  @NestedList(() => BudgetInput, 0, MOST_BUDGETS, { optional: true, nullable: true, description: BUDGETS })
  budgets?: BudgetInput[] | null;
}

export class UpdateOrganization {
  @Name(LONGEST_NAME, { optional: true })
  name?: string;

  @Flag({ optional: true, description: 'False stops every key of the organization.' })
  enabled?: boolean;

  @WholeNumber(1, LARGEST_QUEUE_WEIGHT, { optional: true, description: QUEUE_WEIGHT })
  queue_weight?: number;

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: `${SHARED_LIMITS} ${LIMITS_STAY}` })
  limits?: ScopeLimitsInput | null;

  @NestedList(() => BudgetInput, 0, MOST_BUDGETS, { optional: true, nullable: true, description: BUDGETS_REPLACED })
  budgets?: BudgetInput[] | null;
}

export class OrganizationView {
  @ApiProperty({ enum: ['organization'] })
  object: 'organization';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ type: Boolean })
  enabled: boolean;

  @ApiProperty({ type: Number, description: QUEUE_WEIGHT })
  queue_weight: number;

  @ApiProperty({ type: ScopeLimitsView, nullable: true, description: UNREADABLE })
  limits: ScopeLimitsView | null;

  @ApiProperty({ type: [BudgetView], nullable: true, description: UNREADABLE })
  budgets: BudgetView[] | null;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export function toOrganizationView(organization: OrganizationEntity): OrganizationView {
  return {
    object: 'organization',
    id: organization.id,
    name: organization.name,
    enabled: organization.enabled,
    queue_weight: organization.queueWeight,
    limits: toScopeLimitsView(organization.limits),
    budgets: toBudgetViews(organization.budgets),
    created_at: organization.createdAt.toISOString(),
    updated_at: organization.updatedAt.toISOString(),
  };
}
