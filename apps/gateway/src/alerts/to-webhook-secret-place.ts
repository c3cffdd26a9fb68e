/** What the sealed secret of an organization's webhook is bound to; moved to another row it does not open. */
export function toWebhookSecretPlace(organizationId: string): string {
  return `weir/alert-webhook-secret/v1|${organizationId}`;
}
