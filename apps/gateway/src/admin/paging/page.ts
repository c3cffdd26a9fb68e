import { type Type } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { type ObjectLiteral, type SelectQueryBuilder } from 'typeorm';
import { parseCursor, toCursor } from './cursor';
import { type PageQuery } from './page.query';

export const DEFAULT_PAGE_SIZE = 50;

export interface Page<View> {
  data: View[];
  has_more: boolean;
  next_cursor: string | null;
}

/** The page's class for the OpenAPI document. */
export function PageOf<View>(view: Type<View>): Type<Page<View>> {
  class PageView implements Page<View> {
    @ApiProperty({ type: [view] })
    data: View[];

    @ApiProperty({ type: Boolean })
    has_more: boolean;

    @ApiProperty({ type: String, nullable: true, description: 'Hand it back as `cursor` for the next page.' })
    next_cursor: string | null;
  }
  Object.defineProperty(PageView, 'name', { value: `${view.name}Page` });
  return PageView;
}

/**
 * One page of what a query finds, newest first. Ids hold the time they were made, so the id alone
 * is a stable order: rows that come or go meanwhile never shift a page.
 */
export async function readPage<Entity extends ObjectLiteral & { id: string }, View>(
  query: SelectQueryBuilder<Entity>,
  { limit, cursor }: PageQuery,
  toView: (entity: Entity) => View,
): Promise<Page<View>> {
  const size = limit ?? DEFAULT_PAGE_SIZE;
  if (cursor !== undefined) query.andWhere(`${query.alias}.id < :cursor`, { cursor: parseCursor(cursor) });
  const rows = await query
    .orderBy(`${query.alias}.id`, 'DESC')
    .take(size + 1)
    .getMany();
  const shown = rows.slice(0, size);
  return toPage(shown.map(toView), rows.length > size ? toCursor(shown[shown.length - 1].id) : null);
}

/** @param nextCursor null on the last page */
export function toPage<View>(data: View[], nextCursor: string | null): Page<View> {
  return { data, has_more: nextCursor !== null, next_cursor: nextCursor };
}

/** Finds rows whose column contains the text; `%` and `_` in it mean themselves. */
export function search<Entity extends ObjectLiteral>(
  query: SelectQueryBuilder<Entity>,
  column: string,
  text: string | undefined,
): SelectQueryBuilder<Entity> {
  if (text === undefined || text === '') return query;
  return query.andWhere(`${query.alias}.${column} ILIKE :search`, { search: `%${text.replace(/[\\%_]/g, '\\$&')}%` });
}
