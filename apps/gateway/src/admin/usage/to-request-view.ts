import { type LedgerRow, toRequestView as toLedgerView } from '@weir/ledger';
import { type RequestView } from './usage.dto';

/** Upstreams and their keys are the installation's: only an owner sees which key was used. */
export function toRequestView(row: LedgerRow, isOwner: boolean): RequestView {
  const { upstream_id, upstream_key_id, ...view } = toLedgerView(row);
  const shown: RequestView = { object: 'request', ...view, upstream: row.upstreamName };
  return isOwner ? { ...shown, upstream: view.upstream, upstream_id, upstream_key_id } : shown;
}
