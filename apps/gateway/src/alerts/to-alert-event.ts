import { toUsdString } from '@weir/kernel';
import { type DueAlert } from './alert-store';

/** What a webhook is sent: the same bytes at every attempt. */
export function toAlertEvent(alert: DueAlert): string {
  return JSON.stringify({
    id: alert.id,
    type: 'budget.alert',
    timestamp: alert.at.toISOString(),
    data: {
      organization_id: alert.organizationId,
      scope: alert.scope,
      subject_id: alert.subjectId,
      model: alert.model,
      period: alert.period,
      percent: alert.percent,
      amount_usd: toUsdString(alert.amountNanos),
      spent_usd: toUsdString(alert.spentNanos),
      held_usd: toUsdString(alert.heldNanos),
      span_from: alert.spanFrom.toISOString(),
      span_to: alert.spanTo?.toISOString() ?? null,
    },
  });
}
