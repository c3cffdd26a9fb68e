import { ApiProperty } from '@nestjs/swagger';
import { Flag, PlainText } from '../fields/fields';

const LONGEST_URL = 2_048;

export class SetAlertWebhook {
  @PlainText(LONGEST_URL, { description: 'Where alerts of the organization’s budgets are sent: HTTPS, and a host of the public Internet.' })
  url: string;

  @Flag({ optional: true, description: 'Only an owner may say true: the URL may then lead into a private network, and be HTTP.' })
  allow_private?: boolean;
}

export class AlertWebhookView {
  @ApiProperty({ enum: ['alert_webhook'] })
  object: 'alert_webhook';

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

  @ApiProperty({ type: String })
  url: string;

  @ApiProperty({ type: Boolean })
  allow_private: boolean;
}

export class NewAlertWebhookView extends AlertWebhookView {
  @ApiProperty({ type: String, description: 'Signs the alerts (Standard Webhooks): shown this once, kept encrypted.' })
  secret: string;
}
