import { Inject, Injectable } from '@nestjs/common';
import { OrganizationEntity } from '@weir/access';
import { Secret, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { SealedTexts } from '@weir/vault';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { toWebhookSecretPlace } from '../../alerts/to-webhook-secret-place';
import { type AdminPrincipal } from '../access/admin-principal';
import { type AuditAction, AuditedTransactions } from '../audit/audited-transactions';
import { SECRET_MARK } from '../audit/to-field-changes';
import { type AlertWebhookView, type NewAlertWebhookView, type SetAlertWebhook } from './alert-webhook.dto';
import { getOrganization } from './get-organization';
import { parseWebhookUrl } from './parse-webhook-url';

const COLLECTION = 'alert_webhooks';
const SECRET_BYTES = 32;

/** Where an organization's alerts go. The secret that signs them is made here, shown once, and kept encrypted. */
@Injectable()
export class AlertWebhooks {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
    private readonly texts: SealedTexts,
  ) {}

  async get(principal: AdminPrincipal, organizationId: string): Promise<AlertWebhookView> {
    return toView(await getOrganization(this.dataSource.manager, principal, organizationId));
  }

  /** Replaces the one before, and its secret: the old secret signs nothing any more. */
  set(principal: AdminPrincipal, organizationId: string, { url: text, allow_private: allowPrivate = false }: SetAlertWebhook): Promise<NewAlertWebhookView> {
    // Whoever belongs to one organization must not reach into the network that Weir stands in.
    if (allowPrivate && principal.role !== 'owner') {
      throw new WeirError('permission_denied', { message: 'Only an owner may set allow_private.', param: 'allow_private' });
    }
    const url = parseWebhookUrl(text, allowPrivate);
    return this.transactions.run(principal, async (manager, audit) => {
      const before = await getOrganization(manager, principal, organizationId, true);
      const secret = new Secret(`whsec_${randomBytes(SECRET_BYTES).toString('base64')}`);
      const sealed = await this.texts.seal(secret, toWebhookSecretPlace(before.id));
      const written = { alertWebhookUrl: url, alertWebhookSecret: sealed, alertWebhookAllowPrivate: allowPrivate };
      await manager.update(OrganizationEntity, { id: before.id }, written);
      const after = await getOrganization(manager, principal, organizationId);
      await audit(toEntry(before.alertWebhookUrl === null ? 'create' : 'update', before, after));
      return { ...toView(after), secret: secret.expose() };
    });
  }

  delete(principal: AdminPrincipal, organizationId: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      const before = await getOrganization(manager, principal, organizationId, true);
      if (before.alertWebhookUrl === null) throw new WeirError('not_found');
      await manager.update(OrganizationEntity, { id: before.id }, { alertWebhookUrl: null, alertWebhookSecret: null, alertWebhookAllowPrivate: false });
      await audit(toEntry('delete', before, await getOrganization(manager, principal, organizationId)));
    });
  }
}

/** @throws WeirError not_found when there is none. */
function toView({ id, alertWebhookUrl, alertWebhookAllowPrivate }: OrganizationEntity): AlertWebhookView {
  if (alertWebhookUrl === null) throw new WeirError('not_found');
  return { object: 'alert_webhook', organization_id: id, url: alertWebhookUrl, allow_private: alertWebhookAllowPrivate };
}

/** Of the URL the audit log tells the host: its path is often a password, and viewers read the log. */
function toEntry(action: AuditAction, before: OrganizationEntity, after: OrganizationEntity) {
  const changes = {
    url: { old: toOrigin(before), new: toOrigin(after) },
    allow_private: { old: before.alertWebhookAllowPrivate, new: after.alertWebhookAllowPrivate },
    secret: { old: toMark(before), new: toMark(after) },
  };
  return { action, collection: COLLECTION, objectId: before.id, organizationId: before.id, changes };
}

function toOrigin({ alertWebhookUrl }: OrganizationEntity): string | null {
  return alertWebhookUrl === null ? null : new URL(alertWebhookUrl).origin;
}

function toMark({ alertWebhookUrl }: OrganizationEntity): string | null {
  return alertWebhookUrl === null ? null : SECRET_MARK;
}
