import { type Role } from '@weir/access';

/**
 * What each role may do: the one table of it. An owner acts on the whole installation; everybody
 * else only inside their own organization, whatever stands here (see `Scope`).
 */
export const PERMISSIONS = {
  'session.read': ['owner', 'admin', 'viewer'],
  'session.renew': ['owner', 'admin', 'viewer'],
  'session.end': ['owner', 'admin', 'viewer'],
  'organizations.read': ['owner', 'admin', 'viewer'],
  'organizations.write': ['owner'],
  'alert_webhooks.read': ['owner', 'admin'],
  'alert_webhooks.write': ['owner', 'admin'],
  'projects.read': ['owner', 'admin', 'viewer'],
  'projects.write': ['owner', 'admin'],
  'users.read': ['owner', 'admin', 'viewer'],
  'users.write': ['owner', 'admin'],
  'admin_keys.read': ['owner', 'admin'],
  'admin_keys.write': ['owner', 'admin'],
  'keys.read': ['owner', 'admin', 'viewer'],
  'keys.write': ['owner', 'admin'],
  'upstreams.read': ['owner'],
  'upstreams.write': ['owner'],
  'models.read': ['owner', 'admin', 'viewer'],
  'models.write': ['owner'],
  'limits.read': ['owner', 'admin', 'viewer'],
  'usage.read': ['owner', 'admin', 'viewer'],
  'requests.read': ['owner', 'admin', 'viewer'],
  'audit.read': ['owner', 'admin', 'viewer'],
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof PERMISSIONS;

export function isPermitted(role: Role, permission: Permission): boolean {
  const roles: readonly Role[] = PERMISSIONS[permission];
  return roles.includes(role);
}
