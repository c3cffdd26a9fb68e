import { type OrganizationId, WeirError } from '@weir/kernel';
import { type AdminPrincipal } from './admin-principal';
import { type ObjectLiteral, type SelectQueryBuilder } from 'typeorm';

/** The organization a principal is confined to; null for an owner, who sees all. */
export function toScope(principal: AdminPrincipal): OrganizationId | null {
  if (principal.role === 'owner') return null;
  // The database keeps this from happening; if it ever did, seeing nothing is the safe side.
  if (principal.organizationId === null) throw new WeirError('permission_denied');
  return principal.organizationId;
}

/** Whether a principal may know of an object of this organization (null: of the installation). */
export function isInScope(principal: AdminPrincipal, organizationId: string | null): boolean {
  const scope = toScope(principal);
  return scope === null || scope === organizationId;
}

/**
 * The organization that a new object goes to: the one named, or the principal's own.
 * Another organization does not exist for somebody confined to one.
 */
export function toOrganization(principal: AdminPrincipal, named: string | undefined): string {
  const organizationId = named ?? toScope(principal);
  if (organizationId === null) {
    throw new WeirError('invalid_request', { message: 'The field organization_id is missing.', param: 'organization_id' });
  }
  if (!isInScope(principal, organizationId)) throw unknownOrganization();
  return organizationId;
}

export function unknownOrganization(): WeirError {
  return new WeirError('not_found', { message: 'There is no such organization.', param: 'organization_id' });
}

/** Narrows a query to what a principal may see, and to the one organization asked for. */
export function confine<Entity extends ObjectLiteral>(
  query: SelectQueryBuilder<Entity>,
  principal: AdminPrincipal,
  organizationId: string | undefined,
): SelectQueryBuilder<Entity> {
  const scope = toScope(principal);
  if (scope !== null) query.andWhere(`${query.alias}.organizationId = :scope`, { scope });
  if (organizationId !== undefined) query.andWhere(`${query.alias}.organizationId = :organizationId`, { organizationId });
  return query;
}
