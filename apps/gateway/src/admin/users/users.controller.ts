import { Body, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { type Page, PageOf } from '../paging/page';
import { OrganizationSearchQuery } from '../paging/page.query';
import { CreateUser, UserView, UpdateUser } from './user.dto';
import { Users } from './users';

@AdminController('users')
export class UsersController {
  constructor(private readonly users: Users) {}

  @Post()
  @Permits('users.write')
  @ApiCreatedResponse({ type: UserView })
  create(@Principal() principal: AdminPrincipal, @Body() body: CreateUser): Promise<UserView> {
    return this.users.create(principal, body);
  }

  @Get()
  @Permits('users.read')
  @ApiOkResponse({ type: PageOf(UserView) })
  list(@Principal() principal: AdminPrincipal, @Query() query: OrganizationSearchQuery): Promise<Page<UserView>> {
    return this.users.list(principal, query);
  }

  @Get(':id')
  @Permits('users.read')
  @ApiOkResponse({ type: UserView })
  get(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<UserView> {
    return this.users.get(principal, id);
  }

  @Patch(':id')
  @Permits('users.write')
  @ApiOkResponse({ type: UserView })
  update(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: UpdateUser): Promise<UserView> {
    return this.users.update(principal, id, body);
  }

  @Delete(':id')
  @Permits('users.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.users.delete(principal, id);
    return toDeletedView('user', id);
  }
}
