import { OrganizationEntity } from '@weir/access';
import { type OrganizationId, type Secret } from '@weir/kernel';
import { type SealedTexts } from '@weir/vault';
import { type EntityManager } from 'typeorm';
import { toWebhookSecretPlace } from '../../alerts/to-webhook-secret-place';

/** Where alerts of an organization's budgets are sent. */
export interface AlertWebhook {
  readonly url: string;
  /** Signs them: `whsec_` and base64, as in Standard Webhooks. */
  readonly secret: Secret;
  /** Whether the URL may lead into a private network; otherwise look at the address that is connected to. */
  readonly allowPrivate: boolean;
}

/**
 * Null when none is set, or there is no such organization.
 * @throws SealedBytesUnreadable when the secret cannot be opened.
 */
export async function findAlertWebhook(manager: EntityManager, texts: SealedTexts, organizationId: OrganizationId): Promise<AlertWebhook | null> {
  const row = await manager
    .createQueryBuilder(OrganizationEntity, 'organization')
    .addSelect('organization.alertWebhookSecret')
    .where('organization.id = :organizationId', { organizationId })
    .getOne();
  if (row === null || row.alertWebhookUrl === null || row.alertWebhookSecret === null) return null;
  const secret = await texts.open(row.alertWebhookSecret, toWebhookSecretPlace(organizationId));
  return { url: row.alertWebhookUrl, secret, allowPrivate: row.alertWebhookAllowPrivate };
}
