import { WeirError } from '@weir/kernel';
import { type JsonScanner } from '@weir/wire';

/** @throws WeirError invalid_request when the member is absent or starts like none of the wanted kinds */
export function requireMember(body: JsonScanner, name: string, kinds: readonly JsonKind[]): void {
  const member = body.findMember(name);
  if (member === -1) throw new WeirError('invalid_request', { message: `Missing required parameter: '${name}'.`, param: name });
  const kind = toKind(body.memberFirstByte(member));
  if (!kinds.includes(kind)) {
    throw new WeirError('invalid_request', {
      message: `Invalid type for '${name}': expected ${kinds.join(' or ')}, but got ${kind}.`,
      param: name,
    });
  }
  if (kind === 'array' && body.isEmptyMember(member)) {
    throw new WeirError('invalid_request', { message: `Invalid '${name}': the array is empty.`, param: name });
  }
}

export type JsonKind = 'object' | 'array' | 'string' | 'boolean' | 'null' | 'number';

/** The kind of a JSON value by its first byte. */
export function toKind(firstByte: number): JsonKind {
  switch (firstByte) {
    case 0x7b:
      return 'object';
    case 0x5b:
      return 'array';
    case 0x22:
      return 'string';
    case 0x74:
    case 0x66:
      return 'boolean';
    case 0x6e:
      return 'null';
    default:
      return 'number';
  }
}
