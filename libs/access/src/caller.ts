import { type OrganizationId, type ProjectId, type ProxyKeyId } from '@weir/kernel';

/** Who calls, and what the key allows. One object a key, the same for every request until its row changes. */
export interface Caller {
  readonly keyId: ProxyKeyId;
  /** May be logged. */
  readonly publicId: string;
  readonly organizationId: OrganizationId;
  readonly projectId: ProjectId | null;
  /** Exact names, or prefixes ending in `*`; null allows every model. Ask `mayUseModel`. */
  readonly models: ReadonlySet<string> | null;
  /** Null is the installation's default, 0 no limit. */
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly expiresAtMs: number | null;
}
