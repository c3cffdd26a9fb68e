import { Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { type Clock } from '@weir/kernel';
import { LedgerReader, type LedgerRow, toRequestView } from '@weir/ledger';
import { CLOCK } from '@weir/platform';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DEFAULT_PAGE_SIZE, type Page, PageOf, toPage } from '../paging/page';
import { toLedgerFilter } from './to-ledger-filter';
import { RequestsQuery, RequestView } from './usage.dto';

/** The rows of the ledger, one an attempt, newest first. */
@AdminController('requests')
export class RequestsController {
  constructor(
    private readonly ledger: LedgerReader,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Permits('requests.read')
  @ApiOkResponse({ type: PageOf(RequestView) })
  async list(@Principal() principal: AdminPrincipal, @Query() query: RequestsQuery): Promise<Page<RequestView>> {
    const filter = toLedgerFilter(principal, query, this.clock.nowMs());
    if (filter === null) return toPage([], null);
    const { limit = DEFAULT_PAGE_SIZE, cursor = null } = query;
    const page = await this.ledger.listRows({ ...filter, requestId: query.request_id }, { limit, cursor });
    const isOwner = principal.role === 'owner';
    return toPage(page.items.map((row) => toView(row, isOwner)), page.nextCursor);
  }
}

/** Upstreams and their keys are the installation's: only an owner sees which key was used. */
function toView(row: LedgerRow, isOwner: boolean): RequestView {
  const { upstream_id, upstream_key_id, ...view } = toRequestView(row);
  const shown: RequestView = { object: 'request', ...view, upstream: row.upstreamName };
  return isOwner ? { ...shown, upstream: view.upstream, upstream_id, upstream_key_id } : shown;
}
