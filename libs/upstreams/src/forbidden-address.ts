import { BlockList, isIP } from 'node:net';

/**
 * Addresses that hand out a cloud machine's credentials. Private networks stay allowed, because
 * GPU servers stand there; these never serve a model.
 */
const forbidden = new BlockList();
forbidden.addSubnet('169.254.0.0', 16, 'ipv4');
forbidden.addAddress('100.100.100.200', 'ipv4');
forbidden.addAddress('168.63.129.16', 'ipv4');
forbidden.addAddress('192.0.0.192', 'ipv4');
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addAddress('fd00:ec2::254', 'ipv6');
forbidden.addAddress('fd20:ce::254', 'ipv6');
// The same IPv4 addresses as a NAT64 gateway writes them.
forbidden.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');

const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['metadata', 'metadata.google.internal']);

/** Whether a literal IP address (IPv4, IPv6, IPv4 mapped into IPv6) is one that must not be called. */
export function isForbiddenAddress(address: string): boolean {
  const plain = address.split('%', 1)[0];
  const version = isIP(plain);
  return version !== 0 && forbidden.check(plain, version === 4 ? 'ipv4' : 'ipv6');
}

/** The same for a URL's host name; an IPv6 address may be in brackets. A name's addresses are checked when it is connected to. */
export function isForbiddenHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '').toLowerCase();
  return FORBIDDEN_NAMES.has(bare) || isForbiddenAddress(bare);
}
