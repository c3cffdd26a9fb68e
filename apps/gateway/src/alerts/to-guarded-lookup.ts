import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { type LookupFunction } from 'node:net';

/** Finds all addresses of a name; `dns.lookup` as it stands. */
export type ResolveAll = (hostname: string, callback: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void;

export class ForbiddenAddressError extends Error {
  readonly code = 'address_not_public';

  constructor() {
    super('the name stands for an address that is not public');
    this.name = 'ForbiddenAddressError';
  }
}

/** Asks the system, as every connection does. */
export const resolveAll: ResolveAll = (hostname, callback) => dnsLookup(hostname, { all: true }, callback);

/**
 * A `lookup` for a socket that answers only when every address of the name is allowed. The socket
 * connects to what was checked: a name that answers something else the next time gains nothing.
 */
export function toGuardedLookup(resolve: ResolveAll, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, (error, addresses) => {
      if (error !== null) callback(error, '');
      else if (addresses.length === 0 || !addresses.every(({ address }) => isAllowed(address))) callback(new ForbiddenAddressError(), '');
      else if (options.all === true) callback(null, [...addresses]);
      else callback(null, addresses[0].address, addresses[0].family);
    });
  };
}
