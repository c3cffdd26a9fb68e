import { OrganizationEntity } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { isInScope } from '../access/scope';

/**
 * @param toChange locks the row until the transaction ends
 * @throws WeirError not_found, for another's organization too.
 */
export async function getOrganization(manager: EntityManager, principal: AdminPrincipal, id: string, toChange = false): Promise<OrganizationEntity> {
  const query = manager.createQueryBuilder(OrganizationEntity, 'organization').where('organization.id = :id', { id });
  if (toChange) query.setLock('pessimistic_write');
  const organization = await query.getOne();
  if (organization === null || !isInScope(principal, organization.id)) throw new WeirError('not_found');
  return organization;
}
