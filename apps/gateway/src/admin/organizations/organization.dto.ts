import { ApiProperty } from '@nestjs/swagger';
import { MOST_BUDGETS, type OrganizationEntity } from '@weir/access';
import { Flag, Name, Nested, NestedList } from '../fields/fields';
import { BudgetInput, BUDGETS, BUDGETS_REPLACED, BudgetView, toBudgetViews, UNREADABLE } from '../limits/budget.dto';
import { LIMITS_STAY, ScopeLimitsInput, ScopeLimitsView, SHARED_LIMITS, toScopeLimitsView } from '../limits/scope-limits.dto';

const LONGEST_NAME = 200;

export class CreateOrganization {
  @Name(LONGEST_NAME)
  name: string;

  @Flag({ optional: true, description: 'False stops every key of the organization.' })
  enabled?: boolean;

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
    limits: toScopeLimitsView(organization.limits),
    budgets: toBudgetViews(organization.budgets),
    created_at: organization.createdAt.toISOString(),
    updated_at: organization.updatedAt.toISOString(),
  };
}
