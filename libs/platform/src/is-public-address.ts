import { BlockList, isIP } from 'node:net';

/**
 * What stands on the public Internet is anything but these (IANA's special-purpose registries):
 * this network, private, carrier-grade NAT, loopback, link-local and metadata, protocol assignments,
 * documentation, 6to4 relays, benchmarks, multicast, reserved and broadcast.
 */
const notPublicV4 = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  notPublicV4.addSubnet(network, bits, 'ipv4');
}
// Azure's agent of the host: its number is public, but every virtual machine there reaches its own.
notPublicV4.addAddress('168.63.129.16', 'ipv4');

/**
 * Of IPv6 only global unicast is public. That leaves out loopback, unique-local, link-local,
 * multicast, and the forms that hold an IPv4 address: mapped (::ffff:0:0/96), compatible (::/96),
 * translated and NAT64 (64:ff9b::/96, 64:ff9b:1::/48).
 */
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** Inside it: protocol assignments with Teredo, documentation, and 6to4, which holds an IPv4 address too. */
const notPublicV6 = new BlockList();
notPublicV6.addSubnet('2001::', 23, 'ipv6');
notPublicV6.addSubnet('2001:db8::', 32, 'ipv6');
notPublicV6.addSubnet('2002::', 16, 'ipv6');
notPublicV6.addSubnet('3fff::', 20, 'ipv6');

/**
 * Whether an IP address, written as `dns.lookup` writes it, is one of the public Internet. Anything
 * else is not: names, brackets, zones, and numbers in octal, in hexadecimal or with fewer parts, which
 * some resolvers read as an address. An IPv4 address inside IPv6 is refused, public or not.
 */
export function isPublicAddress(address: string): boolean {
  if (address.includes('%')) return false;
  switch (isIP(address)) {
    case 4:
      return !notPublicV4.check(address, 'ipv4');
    case 6:
      return globalUnicast.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
    default:
      return false;
  }
}
