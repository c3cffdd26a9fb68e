import { WeirError } from '@weir/kernel';
import { type LedgerFilter } from '@weir/ledger';
import { type AdminPrincipal } from '../access/admin-principal';
import { toScope } from '../access/scope';
import { type LedgerQuery } from './usage.dto';

const DEFAULT_RANGE_MS = 30 * 86_400_000;

/**
 * The rows that a query asks for, narrowed to what the principal may see; null when that is
 * nothing, because another organization was named.
 */
export function toLedgerFilter(principal: AdminPrincipal, query: LedgerQuery, nowMs: number): LedgerFilter | null {
  const scope = toScope(principal);
  if (scope !== null && query.organization_id !== undefined && query.organization_id !== scope) return null;
  const toMs = query.to === undefined ? undefined : Date.parse(query.to);
  const fromMs = query.from === undefined ? (toMs ?? nowMs) - DEFAULT_RANGE_MS : Date.parse(query.from);
  if (toMs !== undefined && fromMs >= toMs) {
    throw new WeirError('invalid_request', { message: 'The field from must be before to.', param: 'from' });
  }
  return {
    organizationId: scope ?? query.organization_id,
    projectId: query.project_id,
    keyId: query.key_id,
    model: query.model,
    upstreamId: query.upstream_id,
    operation: query.operation,
    status: query.status,
    fromMs,
    toMs,
  };
}
