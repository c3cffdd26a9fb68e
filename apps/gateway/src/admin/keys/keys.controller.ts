import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { ResetBudget } from '../limits/budget.dto';
import { type Page, PageOf } from '../paging/page';
import { CreateKey, IssuedKeyView, KeyQuery, KeyView, RotateKey, UpdateKey } from './key.dto';
import { Keys } from './keys';

@AdminController('keys')
export class KeysController {
  constructor(private readonly keys: Keys) {}

  @Post()
  @Permits('keys.write')
  @ApiCreatedResponse({ type: IssuedKeyView })
  create(@Principal() principal: AdminPrincipal, @Body() body: CreateKey): Promise<IssuedKeyView> {
    return this.keys.create(principal, body);
  }

  @Get()
  @Permits('keys.read')
  @ApiOkResponse({ type: PageOf(KeyView) })
  list(@Principal() principal: AdminPrincipal, @Query() query: KeyQuery): Promise<Page<KeyView>> {
    return this.keys.list(principal, query);
  }

  @Get(':id')
  @Permits('keys.read')
  @ApiOkResponse({ type: KeyView })
  get(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<KeyView> {
    return this.keys.get(principal, id);
  }

  @Patch(':id')
  @Permits('keys.write')
  @ApiOkResponse({ type: KeyView })
  update(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: UpdateKey): Promise<KeyView> {
    return this.keys.update(principal, id, body);
  }

  @Delete(':id')
  @Permits('keys.write')
  @ApiOkResponse({ type: DeletedView, description: 'The key is revoked; its row stays, because the ledger names it.' })
  async revoke(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.keys.revoke(principal, id);
    return toDeletedView('key', id);
  }

  @Post(':id/rotate')
  @Permits('keys.write')
  @ApiCreatedResponse({ type: IssuedKeyView, description: 'A new key with the settings of the old one.' })
  rotate(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: RotateKey): Promise<IssuedKeyView> {
    return this.keys.rotate(principal, id, body.overlap_seconds ?? 0);
  }

  @Post(':id/budgets/reset')
  @HttpCode(200)
  @Permits('keys.write')
  @ApiOkResponse({ type: KeyView, description: 'What was spent until now does not count in that budget any more.' })
  resetBudget(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: ResetBudget): Promise<KeyView> {
    return this.keys.resetBudget(principal, id, body);
  }
}
