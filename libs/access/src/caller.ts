import { type OrganizationId, type ProjectId, type ProxyKeyId } from '@weir/kernel';
import { type LimitedScope } from './limited-scope';

/**
 * Who calls, and what the key allows. One object a key, the same for every request until its row, or
 * the limits or budgets of its project or organization, change: what is worked out for a caller can
 * be kept by this object.
 */
export interface Caller {
  readonly keyId: ProxyKeyId;
  /** May be logged. */
  readonly publicId: string;
  readonly organizationId: OrganizationId;
  readonly projectId: ProjectId | null;
  /** Exact names, or prefixes ending in `*`; null allows every model. Ask `mayUseModel`. */
  readonly models: ReadonlySet<string> | null;
  /** A null limit of a key is the installation's default, 0 no limit. */
  readonly key: LimitedScope<ProxyKeyId>;
  readonly project: LimitedScope<ProjectId> | null;
  readonly organization: LimitedScope<OrganizationId>;
  readonly expiresAtMs: number | null;
}
