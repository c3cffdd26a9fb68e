import { ApiProperty } from '@nestjs/swagger';
import { MOST_BUDGETS, type ProxyKeyEntity } from '@weir/access';
import { Id, Name, NameList, Nested, NestedList, Timestamp, WholeNumber } from '../fields/fields';
import { BudgetInput, BUDGETS, BUDGETS_REPLACED, BudgetView, toBudgetViews, UNREADABLE } from '../limits/budget.dto';
import { KEY_LIMITS, LIMITS_STAY, ScopeLimitsInput, ScopeLimitsView, toScopeLimitsView } from '../limits/scope-limits.dto';
import { OrganizationSearchQuery } from '../paging/page.query';

const LONGEST_NAME = 200;
const MOST_MODELS = 1000;
const LONGEST_MODEL = 256;
const LONGEST_OVERLAP_SECONDS = 365 * 24 * 3600;

const MODELS = 'Names, or prefixes that end in `*`; for `/proxy/{place}`, `{place}/{name}` with any name of the provider’s own. Empty allows every model.';

export class CreateKey {
  @Id({ optional: true, description: 'An owner must say it; for anybody else it is their own.' })
  organization_id?: string;

  @Id({ optional: true, nullable: true })
  project_id?: string | null;

  @Name(LONGEST_NAME)
  name: string;

  @NameList(MOST_MODELS, LONGEST_MODEL, { optional: true, description: MODELS })
  models?: string[];

  @Timestamp({ optional: true, nullable: true })
  expires_at?: string | null;

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: KEY_LIMITS })
  limits?: ScopeLimitsInput | null;

  @NestedList(() => BudgetInput, 0, MOST_BUDGETS, { optional: true, nullable: true, description: BUDGETS })
  budgets?: BudgetInput[] | null;
}

export class UpdateKey {
  @Name(LONGEST_NAME, { optional: true })
  name?: string;

  @NameList(MOST_MODELS, LONGEST_MODEL, { optional: true, description: MODELS })
  models?: string[];

  @Timestamp({ optional: true, nullable: true, description: 'Null takes the expiry away.' })
  expires_at?: string | null;

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: `${KEY_LIMITS} ${LIMITS_STAY}` })
  limits?: ScopeLimitsInput | null;

  @NestedList(() => BudgetInput, 0, MOST_BUDGETS, { optional: true, nullable: true, description: BUDGETS_REPLACED })
  budgets?: BudgetInput[] | null;
}

export class RotateKey {
  @WholeNumber(0, LONGEST_OVERLAP_SECONDS, { optional: true, description: 'How long the old key still works; 0 when not given.' })
  overlap_seconds?: number;
}

export class KeyQuery extends OrganizationSearchQuery {
  @Id({ optional: true })
  project_id?: string;
}

export class KeyView {
  @ApiProperty({ enum: ['key'] })
  object: 'key';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, description: 'The part of the key that may be shown and logged.' })
  public_id: string;

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  project_id: string | null;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ type: [String] })
  models: string[];

  @ApiProperty({ type: ScopeLimitsView, nullable: true, description: UNREADABLE })
  limits: ScopeLimitsView | null;

  @ApiProperty({ type: [BudgetView], nullable: true, description: UNREADABLE })
  budgets: BudgetView[] | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  expires_at: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revoked_at: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  rotated_from: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  created_by: string | null;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export class IssuedKeyView extends KeyView {
  @ApiProperty({ type: String, description: 'The key itself: shown this once, kept nowhere.' })
  key: string;
}

export function toKeyView(row: ProxyKeyEntity): KeyView {
  return {
    object: 'key',
    id: row.id,
    public_id: row.publicId,
    organization_id: row.organizationId,
    project_id: row.projectId,
    name: row.name,
    models: row.models,
    limits: toScopeLimitsView(row.limits),
    budgets: toBudgetViews(row.budgets),
    expires_at: row.expiresAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
    rotated_from: row.rotatedFrom,
    created_by: row.createdBy,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
