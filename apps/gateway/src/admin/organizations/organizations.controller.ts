import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { ResetBudget } from '../limits/budget.dto';
import { type Page, PageOf } from '../paging/page';
import { SearchQuery } from '../paging/page.query';
import { CreateOrganization, OrganizationView, UpdateOrganization } from './organization.dto';
import { Organizations } from './organizations';

@AdminController('organizations')
export class OrganizationsController {
  constructor(private readonly organizations: Organizations) {}

  @Post()
  @Permits('organizations.write')
  @ApiCreatedResponse({ type: OrganizationView })
  create(@Principal() principal: AdminPrincipal, @Body() body: CreateOrganization): Promise<OrganizationView> {
    return this.organizations.create(principal, body);
  }

  @Get()
  @Permits('organizations.read')
  @ApiOkResponse({ type: PageOf(OrganizationView) })
  list(@Principal() principal: AdminPrincipal, @Query() query: SearchQuery): Promise<Page<OrganizationView>> {
    return this.organizations.list(principal, query);
  }

  @Get(':id')
  @Permits('organizations.read')
  @ApiOkResponse({ type: OrganizationView })
  get(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<OrganizationView> {
    return this.organizations.get(principal, id);
  }

  @Patch(':id')
  @Permits('organizations.write')
  @ApiOkResponse({ type: OrganizationView })
  update(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: UpdateOrganization): Promise<OrganizationView> {
    return this.organizations.update(principal, id, body);
  }

  @Delete(':id')
  @Permits('organizations.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.organizations.delete(principal, id);
    return toDeletedView('organization', id);
  }

  @Post(':id/budgets/reset')
  @HttpCode(200)
  @Permits('organizations.write')
  @ApiOkResponse({ type: OrganizationView, description: 'What was spent until now does not count in that budget any more.' })
  resetBudget(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: ResetBudget): Promise<OrganizationView> {
    return this.organizations.resetBudget(principal, id, body);
  }
}
