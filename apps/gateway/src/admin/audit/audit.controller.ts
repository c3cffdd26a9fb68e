import { Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse, ApiProperty } from '@nestjs/swagger';
import { DATA_SOURCE } from '@weir/platform';
import { DataSource } from 'typeorm';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { confine } from '../access/scope';
import { Id, PlainText } from '../fields/fields';
import { type Page, PageOf, readPage } from '../paging/page';
import { PageQuery } from '../paging/page.query';
import { AuditRecordEntity, type FieldChange } from './audit-record.entity';

const MAX_FILTER = 200;

export class AuditQuery extends PageQuery {
  @Id({ optional: true })
  organization_id?: string;

  @Id({ optional: true, description: 'What one user did.' })
  actor_id?: string;

  @PlainText(MAX_FILTER, { optional: true })
  collection?: string;

  @PlainText(MAX_FILTER, { optional: true, description: 'What happened to one object.' })
  object_id?: string;
}

export class AuditView {
  @ApiProperty({ enum: ['audit_record'] })
  object: 'audit_record';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'date-time' })
  at: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  actor_id: string | null;

  @ApiProperty({ type: String })
  actor: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  organization_id: string | null;

  @ApiProperty({ type: String })
  action: string;

  @ApiProperty({ type: String })
  collection: string;

  @ApiProperty({ type: String })
  object_id: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'object', properties: { old: {}, new: {} } },
    description: 'Field by field, old and new. A secret is only marked.',
  })
  changes: Record<string, FieldChange>;

  @ApiProperty({ type: String, nullable: true })
  remote_address: string | null;
}

@AdminController('audit')
export class AuditController {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  @Get()
  @Permits('audit.read')
  @ApiOkResponse({ type: PageOf(AuditView) })
  list(@Principal() principal: AdminPrincipal, @Query() query: AuditQuery): Promise<Page<AuditView>> {
    const rows = confine(this.dataSource.getRepository(AuditRecordEntity).createQueryBuilder('audit'), principal, query.organization_id);
    if (query.actor_id !== undefined) rows.andWhere('audit.actorId = :actorId', { actorId: query.actor_id });
    if (query.collection !== undefined) rows.andWhere('audit.collection = :collection', { collection: query.collection });
    if (query.object_id !== undefined) rows.andWhere('audit.objectId = :objectId', { objectId: query.object_id });
    return readPage(rows, query, toAuditView);
  }
}

function toAuditView(row: AuditRecordEntity): AuditView {
  return {
    object: 'audit_record',
    id: row.id,
    at: row.at.toISOString(),
    actor_id: row.actorId,
    actor: row.actor,
    organization_id: row.organizationId,
    action: row.action,
    collection: row.collection,
    object_id: row.objectId,
    changes: row.changes,
    remote_address: row.remoteAddress,
  };
}
