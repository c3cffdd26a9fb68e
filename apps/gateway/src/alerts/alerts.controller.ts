import { Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse, ApiProperty } from '@nestjs/swagger';
import { toUsdString } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { DataSource } from 'typeorm';
import { AdminController } from '../admin/access/admin-controller';
import { type AdminPrincipal, Principal } from '../admin/access/admin-principal';
import { Permits } from '../admin/access/permits';
import { confine } from '../admin/access/scope';
import { Id, OneOf } from '../admin/fields/fields';
import { type Page, PageOf, readPage } from '../admin/paging/page';
import { PageQuery } from '../admin/paging/page.query';
import { BudgetAlertEntity } from './budget-alert.entity';

const DELIVERIES = ['none', 'queued', 'delivered', 'given_up'] as const;

export class AlertsQuery extends PageQuery {
  @Id({ optional: true })
  organization_id?: string;

  @Id({ optional: true, description: 'Of the budgets of one key, project or organization.' })
  subject_id?: string;

  @OneOf(DELIVERIES, { optional: true })
  delivery?: string;
}

export class AlertView {
  @ApiProperty({ enum: ['budget_alert'] })
  object: 'budget_alert';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'date-time' })
  at: string;

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

  @ApiProperty({ type: String, enum: ['key', 'project', 'organization'] })
  scope: string;

  @ApiProperty({ type: String, format: 'uuid', description: 'The key, project or organization whose budget it is.' })
  subject_id: string;

  @ApiProperty({ type: String, nullable: true })
  model: string | null;

  @ApiProperty({ type: String, enum: ['day', 'week', 'month', 'total'] })
  period: string;

  @ApiProperty({ type: String, format: 'date-time' })
  span_from: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  span_to: string | null;

  @ApiProperty({ type: Number })
  percent: number;

  @ApiProperty({ type: String, description: 'The budget, when the percentage was reached.' })
  amount_usd: string;

  @ApiProperty({ type: String })
  spent_usd: string;

  @ApiProperty({ type: String })
  held_usd: string;

  @ApiProperty({ type: String, enum: DELIVERIES, description: '`none`: the organization had no webhook.' })
  delivery: string;

  @ApiProperty({ type: Number })
  attempts: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  next_attempt_at: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  delivered_at: string | null;

  @ApiProperty({ type: Number, nullable: true, description: 'What the webhook answered last.' })
  last_status: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'Why the last attempt failed: `status`, `redirect`, `timeout`, `address_not_public`, `ECONNREFUSED` and the like.' })
  last_error: string | null;
}

/** What was told of budgets, newest first. */
@AdminController('alerts')
export class AlertsController {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  @Get()
  @Permits('limits.read')
  @ApiOkResponse({ type: PageOf(AlertView) })
  list(@Principal() principal: AdminPrincipal, @Query() query: AlertsQuery): Promise<Page<AlertView>> {
    const rows = confine(this.dataSource.getRepository(BudgetAlertEntity).createQueryBuilder('alert'), principal, query.organization_id);
    if (query.subject_id !== undefined) rows.andWhere('alert.subjectId = :subjectId', { subjectId: query.subject_id });
    if (query.delivery !== undefined) rows.andWhere('alert.delivery = :delivery', { delivery: query.delivery });
    return readPage(rows, query, toAlertView);
  }
}

function toAlertView(row: BudgetAlertEntity): AlertView {
  return {
    object: 'budget_alert',
    id: row.id,
    at: row.at.toISOString(),
    organization_id: row.organizationId,
    scope: row.scope,
    subject_id: row.subjectId,
    model: row.model,
    period: row.period,
    span_from: row.spanFrom.toISOString(),
    span_to: row.spanTo?.toISOString() ?? null,
    percent: row.percent,
    amount_usd: toUsdString(row.amountNanos),
    spent_usd: toUsdString(row.spentNanos),
    held_usd: toUsdString(row.heldNanos),
    delivery: row.delivery,
    attempts: row.attempts,
    next_attempt_at: row.nextAttemptAt?.toISOString() ?? null,
    delivered_at: row.deliveredAt?.toISOString() ?? null,
    last_status: row.lastStatus,
    last_error: row.lastError,
  };
}
