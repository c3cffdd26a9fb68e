import { type Role } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { type AdminPrincipal } from '../access/admin-principal';

/** From the widest to the narrowest. */
const RANKS: Readonly<Record<Role, number>> = { owner: 2, admin: 1, viewer: 0 };

/**
 * A grant never exceeds the grantor's own.
 * @throws WeirError permission_denied naming `role`.
 */
export function refuseExcessGrant(principal: AdminPrincipal, role: Role): void {
  if (RANKS[role] <= RANKS[principal.role]) return;
  throw new WeirError('permission_denied', { message: `The role ${principal.role} cannot grant the role ${role}.`, param: 'role' });
}

/** @throws WeirError invalid_request naming `organization_id` when it does not fit the role. */
export function refuseMisplacedRole(role: Role, organizationId: string | null): void {
  if ((role === 'owner') === (organizationId === null)) return;
  const message =
    role === 'owner'
      ? 'The field organization_id must be null for an owner, who belongs to the installation.'
      : `The field organization_id is missing: the role ${role} belongs to an organization.`;
  throw new WeirError('invalid_request', { message, param: 'organization_id' });
}
