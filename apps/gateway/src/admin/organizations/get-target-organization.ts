import { OrganizationEntity } from '@weir/access';
import { type OrganizationId, parseId } from '@weir/kernel';
import { type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { toOrganization, unknownOrganization } from '../access/scope';

/**
 * The organization a new object goes to. Kept from being deleted until the transaction ends.
 * @throws WeirError not_found naming `organization_id`, for another's organization too.
 */
export async function getTargetOrganization(manager: EntityManager, principal: AdminPrincipal, named: string | undefined): Promise<OrganizationId> {
  const id = toOrganization(principal, named);
  const found = await manager
    .createQueryBuilder(OrganizationEntity, 'organization')
    .setLock('pessimistic_read')
    .where('organization.id = :id', { id })
    .getOne();
  if (found === null) throw unknownOrganization();
  return parseId<OrganizationId>(found.id);
}
