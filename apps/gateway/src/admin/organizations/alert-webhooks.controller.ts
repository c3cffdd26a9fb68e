import { Body, Delete, Get, Param, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { DeletedView, toDeletedView } from '../fields/deleted.view';
import { IdPipe } from '../fields/id.pipe';
import { AlertWebhookView, NewAlertWebhookView, SetAlertWebhook } from './alert-webhook.dto';
import { AlertWebhooks } from './alert-webhooks';

@AdminController('organizations/:id/alert-webhook')
export class AlertWebhooksController {
  constructor(private readonly webhooks: AlertWebhooks) {}

  @Post()
  @Permits('alert_webhooks.write')
  @ApiCreatedResponse({ type: NewAlertWebhookView, description: 'Replaces the one before, and its secret.' })
  set(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string, @Body() body: SetAlertWebhook): Promise<NewAlertWebhookView> {
    return this.webhooks.set(principal, id, body);
  }

  @Get()
  @Permits('alert_webhooks.read')
  @ApiOkResponse({ type: AlertWebhookView })
  get(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<AlertWebhookView> {
    return this.webhooks.get(principal, id);
  }

  @Delete()
  @Permits('alert_webhooks.write')
  @ApiOkResponse({ type: DeletedView })
  async delete(@Principal() principal: AdminPrincipal, @Param('id', IdPipe) id: string): Promise<DeletedView> {
    await this.webhooks.delete(principal, id);
    return toDeletedView('alert_webhook', id);
  }
}
