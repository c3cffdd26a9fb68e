import { Get, Inject, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProduces } from '@nestjs/swagger';
import { type Clock } from '@weir/kernel';
import { LedgerReader, type LedgerRow } from '@weir/ledger';
import { CLOCK } from '@weir/platform';
import type { Response } from 'express';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DEFAULT_PAGE_SIZE, type Page, PageOf, toPage } from '../paging/page';
import { toRequestsCsv } from './requests-csv';
import { sendPieces, toLeavingSignal } from './send-pieces';
import { toLedgerFilter } from './to-ledger-filter';
import { toRequestView } from './to-request-view';
import { RequestsExportQuery, RequestsQuery, RequestView } from './usage.dto';

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
    return toPage(page.items.map((row) => toRequestView(row, isOwner)), page.nextCursor);
  }

  /** All of them, as a file that is made while it is read. */
  @Get('export')
  @Permits('requests.read')
  @ApiProduces('text/csv')
  @ApiOkResponse({ description: 'CSV as RFC 4180 has it, with a header line. A text that a spreadsheet would run has a quote before it.', schema: { type: 'string' } })
  async export(@Principal() principal: AdminPrincipal, @Query() query: RequestsExportQuery, @Res() response: Response): Promise<void> {
    const nowMs = this.clock.nowMs();
    const filter = toLedgerFilter(principal, query, nowMs);
    const signal = toLeavingSignal(response);
    const pages = filter === null ? noPages() : this.ledger.readPages({ ...filter, requestId: query.request_id }, signal);
    const headers = {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="weir-requests-${new Date(nowMs).toISOString().slice(0, 10)}.csv"`,
      'cache-control': 'no-store',
    };
    await sendPieces(response, headers, toRequestsCsv(pages, principal.role === 'owner'), signal);
  }
}

async function* noPages(): AsyncGenerator<readonly LedgerRow[]> {}
