import { Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { type Clock } from '@weir/kernel';
import { LedgerReader, parseUsageGroups, toUsageView } from '@weir/ledger';
import { CLOCK } from '@weir/platform';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DEFAULT_PAGE_SIZE, type Page, PageOf, toPage } from '../paging/page';
import { toLedgerFilter } from './to-ledger-filter';
import { UsageQuery, UsageView } from './usage.dto';

/** What was used and what it cost, summed. */
@AdminController('usage')
export class UsageController {
  constructor(
    private readonly ledger: LedgerReader,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Permits('usage.read')
  @ApiOkResponse({ type: PageOf(UsageView) })
  async list(@Principal() principal: AdminPrincipal, @Query() query: UsageQuery): Promise<Page<UsageView>> {
    const groups = parseUsageGroups(query.group_by);
    const filter = toLedgerFilter(principal, query, this.clock.nowMs());
    if (filter === null) return toPage([], null);
    const { limit = DEFAULT_PAGE_SIZE, cursor = null } = query;
    const page = await this.ledger.sumUsage(filter, groups, { limit, cursor });
    return toPage(page.items.map((sum) => ({ object: 'usage', ...toUsageView(sum) })), page.nextCursor);
  }
}
