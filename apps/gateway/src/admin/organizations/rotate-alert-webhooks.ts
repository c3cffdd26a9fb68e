import { OrganizationEntity } from '@weir/access';
import { type OrganizationId } from '@weir/kernel';
import { SealedBytesUnreadable, type SealedTexts } from '@weir/vault';
import { type EntityManager, MoreThan } from 'typeorm';
import { toWebhookSecretPlace } from '../../alerts/to-webhook-secret-place';

export interface WebhookRotation {
  readonly rotated: number;
  /** Organizations whose webhook's secret does not open: set the webhook anew. */
  readonly unreadable: readonly OrganizationId[];
}

const BATCH = 100;
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * Encrypts the secrets of all webhooks again that the ring's writing key has not encrypted, so that
 * older keys may leave the ring. Safe while serving: a secret is replaced only where it is still the one that was opened.
 */
export async function rotateAlertWebhooks(manager: EntityManager, texts: SealedTexts): Promise<WebhookRotation> {
  const unreadable: OrganizationId[] = [];
  let rotated = 0;
  let after: string = LOWEST_ID;
  for (;;) {
    const batch = await readBatch(manager, after);
    for (const { id, alertWebhookSecret: sealed } of batch) {
      try {
        if (sealed !== null && !texts.isCurrent(sealed) && (await rotateRow(manager, texts, id, sealed))) rotated += 1;
      } catch (error) {
        if (!(error instanceof SealedBytesUnreadable)) throw error;
        unreadable.push(id);
      }
    }
    if (batch.length < BATCH) return { rotated, unreadable };
    after = batch[batch.length - 1].id;
  }
}

function readBatch(manager: EntityManager, after: string): Promise<OrganizationEntity[]> {
  return manager
    .createQueryBuilder(OrganizationEntity, 'organization')
    .addSelect('organization.alertWebhookSecret')
    .where({ id: MoreThan(after) })
    .andWhere('organization.alertWebhookSecret IS NOT NULL')
    .orderBy('organization.id')
    .take(BATCH)
    .getMany();
}

/** @returns whether it was replaced; what somebody else has set meanwhile is encrypted by the writing key. */
async function rotateRow(manager: EntityManager, texts: SealedTexts, id: OrganizationId, sealed: Buffer): Promise<boolean> {
  const place = toWebhookSecretPlace(id);
  const alertWebhookSecret = await texts.seal(await texts.open(sealed, place), place);
  const { affected } = await manager.update(OrganizationEntity, { id, alertWebhookSecret: sealed }, { alertWebhookSecret });
  return affected === 1;
}
