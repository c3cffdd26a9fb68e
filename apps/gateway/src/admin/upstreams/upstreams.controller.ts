import { Body, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { type Page, PageOf } from '../paging/page';
import { SearchQuery } from '../paging/page.query';
import { CreateUpstream, UpdateUpstream, UpstreamView } from './upstream.dto';
import { Upstreams } from './upstreams';

@AdminController('upstreams')
export class UpstreamsController {
  constructor(private readonly upstreams: Upstreams) {}

  @Post()
  @Permits('upstreams.write')
  @ApiCreatedResponse({ type: UpstreamView })
  create(@Principal() principal: AdminPrincipal, @Body() body: CreateUpstream): Promise<UpstreamView> {
    return this.upstreams.create(principal, body);
  }

  @Get()
  @Permits('upstreams.read')
  @ApiOkResponse({ type: PageOf(UpstreamView) })
  list(@Query() query: SearchQuery): Promise<Page<UpstreamView>> {
    return this.upstreams.list(query);
  }

  @Get(':id')
  @Permits('upstreams.read')
  @ApiOkResponse({ type: UpstreamView })
  get(@Param('id', IdPipe) id: string): Promise<UpstreamView> {
    return this.upstreams.get(id);
  }

  @Patch(':id')
  @Permits('upstreams.write')
  @ApiOkResponse({ type: UpstreamView })
  update(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: UpdateUpstream): Promise<UpstreamView> {
    return this.upstreams.update(principal, id, body);
  }

  @Delete(':id')
  @Permits('upstreams.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.upstreams.delete(principal, id);
    return toDeletedView('upstream', id);
  }
}
