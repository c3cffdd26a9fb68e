import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { ResetBudget } from '../limits/budget.dto';
import { type Page, PageOf } from '../paging/page';
import { OrganizationSearchQuery } from '../paging/page.query';
import { CreateProject, ProjectView, UpdateProject } from './project.dto';
import { Projects } from './projects';

@AdminController('projects')
export class ProjectsController {
  constructor(private readonly projects: Projects) {}

  @Post()
  @Permits('projects.write')
  @ApiCreatedResponse({ type: ProjectView })
  create(@Principal() principal: AdminPrincipal, @Body() body: CreateProject): Promise<ProjectView> {
    return this.projects.create(principal, body);
  }

  @Get()
  @Permits('projects.read')
  @ApiOkResponse({ type: PageOf(ProjectView) })
  list(@Principal() principal: AdminPrincipal, @Query() query: OrganizationSearchQuery): Promise<Page<ProjectView>> {
    return this.projects.list(principal, query);
  }

  @Get(':id')
  @Permits('projects.read')
  @ApiOkResponse({ type: ProjectView })
  get(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<ProjectView> {
    return this.projects.get(principal, id);
  }

  @Patch(':id')
  @Permits('projects.write')
  @ApiOkResponse({ type: ProjectView })
  update(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: UpdateProject): Promise<ProjectView> {
    return this.projects.update(principal, id, body);
  }

  @Delete(':id')
  @Permits('projects.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.projects.delete(principal, id);
    return toDeletedView('project', id);
  }

  @Post(':id/budgets/reset')
  @HttpCode(200)
  @Permits('projects.write')
  @ApiOkResponse({ type: ProjectView, description: 'What was spent until now does not count in that budget any more.' })
  resetBudget(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: ResetBudget): Promise<ProjectView> {
    return this.projects.resetBudget(principal, id, body);
  }
}
