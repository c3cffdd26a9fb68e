import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Role } from '@weir/access';
import { type OrganizationId, type UserId, WeirError } from '@weir/kernel';
import { type Session } from '../session/session-tokens';

/** Who makes a request of the control plane. */
export interface AdminPrincipal {
  /** Null for what no user does: a file that is applied. */
  readonly userId: UserId | null;
  readonly username: string;
  readonly role: Role;
  /** Null exactly for an owner. */
  readonly organizationId: OrganizationId | null;
  readonly remoteAddress: string | null;
  /** Null when an admin key was presented and not a session. */
  readonly session: Session | null;
}

const principals = new WeakMap<object, AdminPrincipal>();

export function setPrincipal(request: object, principal: AdminPrincipal): void {
  principals.set(request, principal);
}

export function findPrincipal(request: object): AdminPrincipal | null {
  return principals.get(request) ?? null;
}

/** A handler's parameter: the authenticated admin. */
export const Principal = createParamDecorator((_: unknown, context: ExecutionContext): AdminPrincipal => {
  const principal = findPrincipal(context.switchToHttp().getRequest<object>());
  if (principal === null) throw new WeirError('invalid_api_key');
  return principal;
});
