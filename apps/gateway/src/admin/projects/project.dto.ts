import { ApiProperty } from '@nestjs/swagger';
import { MOST_BUDGETS, type ProjectEntity } from '@weir/access';
import { Flag, Id, Name, Nested, NestedList } from '../fields/fields';
import { BudgetInput, BUDGETS, BUDGETS_REPLACED, BudgetView, toBudgetViews, UNREADABLE } from '../limits/budget.dto';
import { LIMITS_STAY, ScopeLimitsInput, ScopeLimitsView, SHARED_LIMITS, toScopeLimitsView } from '../limits/scope-limits.dto';

const LONGEST_NAME = 200;

export class CreateProject {
  @Id({ optional: true, description: 'An owner must say it; for anybody else it is their own.' })
  organization_id?: string;

  @Name(LONGEST_NAME)
  name: string;

  @Flag({ optional: true, description: 'False stops every key of the project.' })
  enabled?: boolean;

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: SHARED_LIMITS })
  limits?: ScopeLimitsInput | null;

  @NestedList(() => BudgetInput, 0, MOST_BUDGETS, { optional: true, nullable: true, description: BUDGETS })
  budgets?: BudgetInput[] | null;
}

export class UpdateProject {
  @Name(LONGEST_NAME, { optional: true })
  name?: string;

  @Flag({ optional: true, description: 'False stops every key of the project.' })
  enabled?: boolean;

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: `${SHARED_LIMITS} ${LIMITS_STAY}` })
  limits?: ScopeLimitsInput | null;

  @NestedList(() => BudgetInput, 0, MOST_BUDGETS, { optional: true, nullable: true, description: BUDGETS_REPLACED })
  budgets?: BudgetInput[] | null;
}

export class ProjectView {
  @ApiProperty({ enum: ['project'] })
  object: 'project';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

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

export function toProjectView(project: ProjectEntity): ProjectView {
  return {
    object: 'project',
    id: project.id,
    organization_id: project.organizationId,
    name: project.name,
    enabled: project.enabled,
    limits: toScopeLimitsView(project.limits),
    budgets: toBudgetViews(project.budgets),
    created_at: project.createdAt.toISOString(),
    updated_at: project.updatedAt.toISOString(),
  };
}
