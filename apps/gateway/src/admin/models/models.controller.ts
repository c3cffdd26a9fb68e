import { Body, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { type Page, PageOf } from '../paging/page';
import { SearchQuery } from '../paging/page.query';
import { CreateModel, ModelView, UpdateModel } from './model.dto';
import { Models } from './models';

@AdminController('models')
export class ModelsController {
  constructor(private readonly models: Models) {}

  @Post()
  @Permits('models.write')
  @ApiCreatedResponse({ type: ModelView })
  create(@Principal() principal: AdminPrincipal, @Body() body: CreateModel): Promise<ModelView> {
    return this.models.create(principal, body);
  }

  @Get()
  @Permits('models.read')
  @ApiOkResponse({ type: PageOf(ModelView) })
  list(@Query() query: SearchQuery): Promise<Page<ModelView>> {
    return this.models.list(query);
  }

  @Get(':id')
  @Permits('models.read')
  @ApiOkResponse({ type: ModelView })
  get(@Param('id', IdPipe) id: string): Promise<ModelView> {
    return this.models.get(id);
  }

  @Patch(':id')
  @Permits('models.write')
  @ApiOkResponse({ type: ModelView })
  update(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: UpdateModel): Promise<ModelView> {
    return this.models.update(principal, id, body);
  }

  @Delete(':id')
  @Permits('models.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.models.delete(principal, id);
    return toDeletedView('model', id);
  }
}
