import { Id, PlainText, WholeNumber } from '../fields/fields';

export const MAX_PAGE_SIZE = 200;
const MAX_TEXT = 200;

/** The query of every list. */
export class PageQuery {
  @WholeNumber(1, MAX_PAGE_SIZE, { optional: true, fromText: true, description: 'Rows a page; 50 when not given.' })
  limit?: number;

  @PlainText(MAX_TEXT, { optional: true, description: 'The `next_cursor` of the page before.' })
  cursor?: string;
}

/** A list that can be searched by name. */
export class SearchQuery extends PageQuery {
  @PlainText(MAX_TEXT, { optional: true, description: 'Part of the name, in any case.' })
  search?: string;
}

/** A list inside organizations. */
export class OrganizationSearchQuery extends SearchQuery {
  @Id({ optional: true })
  organization_id?: string;
}
