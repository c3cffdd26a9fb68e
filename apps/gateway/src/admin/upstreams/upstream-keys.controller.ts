import { Body, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { type Page, PageOf } from '../paging/page';
import { PageQuery } from '../paging/page.query';
import { CreateUpstreamKey, UpdateUpstreamKey, UpstreamKeyView } from './upstream-key.dto';
import { UpstreamKeys } from './upstream-keys';

@AdminController('upstreams/:id/keys')
export class UpstreamKeysController {
  constructor(private readonly keys: UpstreamKeys) {}

  @Post()
  @Permits('upstreams.write')
  @ApiCreatedResponse({ type: UpstreamKeyView })
  create(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: CreateUpstreamKey): Promise<UpstreamKeyView> {
    return this.keys.create(principal, id, body);
  }

  @Get()
  @Permits('upstreams.read')
  @ApiOkResponse({ type: PageOf(UpstreamKeyView) })
  list(@Param('id', IdPipe) id: string, @Query() query: PageQuery): Promise<Page<UpstreamKeyView>> {
    return this.keys.list(id, query);
  }

  @Get(':key_id')
  @Permits('upstreams.read')
  @ApiOkResponse({ type: UpstreamKeyView })
  get(@Param('id', IdPipe) id: string, @Param('key_id', IdPipe) keyId: string): Promise<UpstreamKeyView> {
    return this.keys.get(id, keyId);
  }

  @Patch(':key_id')
  @Permits('upstreams.write')
  @ApiOkResponse({ type: UpstreamKeyView })
  update(
    @Principal() principal: AdminPrincipal,
    @Param('id', IdPipe) id: string,
    @Param('key_id', IdPipe) keyId: string,
    @Body() body: UpdateUpstreamKey,
  ): Promise<UpstreamKeyView> {
    return this.keys.update(principal, id, keyId, body);
  }

  @Delete(':key_id')
  @Permits('upstreams.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(
    @Principal() principal: AdminPrincipal,
    @Param('id', IdPipe) id: string,
    @Param('key_id', IdPipe) keyId: string,
  ): Promise<DeletedView> {
    await this.keys.delete(principal, id, keyId);
    return toDeletedView('upstream_key', keyId);
  }
}
