import { uuidV7 } from './request-id';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type OrganizationId = Branded<'OrganizationId'>;
export type ProjectId = Branded<'ProjectId'>;
export type UserId = Branded<'UserId'>;
export type ProxyKeyId = Branded<'ProxyKeyId'>;
export type UpstreamId = Branded<'UpstreamId'>;
export type UpstreamKeyId = Branded<'UpstreamKeyId'>;
export type ModelId = Branded<'ModelId'>;

export type AnyId =
  | OrganizationId
  | ProjectId
  | UserId
  | ProxyKeyId
  | UpstreamId
  | UpstreamKeyId
  | ModelId;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a lower-case UUID of any version. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/** A new id: UUID version 7, so that rows sort by the time they were made. */
export function newId<Id extends AnyId>(): Id {
  return uuidV7(Date.now()) as Id;
}

/**
 * Takes outside data for an id of the named kind.
 * @throws TypeError when it is not a lower-case UUID.
 */
export function parseId<Id extends AnyId>(value: unknown): Id {
  if (!isUuid(value)) throw new TypeError('not an id');
  return value as Id;
}
