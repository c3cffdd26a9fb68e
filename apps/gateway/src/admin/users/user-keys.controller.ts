import { Body, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { type Page, PageOf } from '../paging/page';
import { PageQuery } from '../paging/page.query';
import { AdminKeyView, CreateAdminKey, IssuedAdminKeyView } from './user.dto';
import { UserKeys } from './user-keys';

@AdminController('users/:id/keys')
export class UserKeysController {
  constructor(private readonly keys: UserKeys) {}

  @Post()
  @Permits('admin_keys.write')
  @ApiCreatedResponse({ type: IssuedAdminKeyView })
  create(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: CreateAdminKey): Promise<IssuedAdminKeyView> {
    return this.keys.create(principal, id, body);
  }

  @Get()
  @Permits('admin_keys.read')
  @ApiOkResponse({ type: PageOf(AdminKeyView) })
  list(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Query() query: PageQuery): Promise<Page<AdminKeyView>> {
    return this.keys.list(principal, id, query);
  }

  @Delete(':key_id')
  @Permits('admin_keys.write')
  @ApiOkResponse({ type: DeletedView, description: 'The key is revoked.' })
  async revoke(
    @Principal() principal: AdminPrincipal,
    @Param('id', IdPipe) id: string,
    @Param('key_id', IdPipe) keyId: string,
  ): Promise<DeletedView> {
    await this.keys.revoke(principal, id, keyId);
    return toDeletedView('admin_key', keyId);
  }
}
