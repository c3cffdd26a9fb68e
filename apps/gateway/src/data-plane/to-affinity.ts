import { JsonScanner } from '@weir/wire';
import { type RequestFacts } from './facts/request-facts';

const scanner = new JsonScanner();
/** What callers themselves call the session, or who they are: in this order. */
const SESSION_MEMBERS = ['prompt_cache_key', 'safety_identifier', 'user'];
/** Where a conversation begins. */
const CONVERSATION_MEMBERS = ['system', 'systemInstruction', 'instructions', 'messages', 'contents', 'input', 'prompt'];
/** The beginning of a conversation stays the same while it grows. */
const MOST_BYTES = 1_024;

/**
 * A number that calls of one session share, so that they come to where their prompt is cached: of the
 * caller's key and its own name for the session, else of how the conversation begins.
 */
export function toAffinity(keyId: string, { body }: RequestFacts): number {
  let hash = addBytes(FNV_OFFSET, Buffer.from(keyId), 0, keyId.length);
  if (!scanner.scan(body, 0, body.length, { strictKeys: false })) return hash;
  const named = SESSION_MEMBERS.map((name) => scanner.findMember(name)).find((member) => member !== -1 && scanner.memberFirstByte(member) === QUOTE);
  const members = named === undefined ? CONVERSATION_MEMBERS.map((name) => scanner.findMember(name)).filter((member) => member !== -1) : [named];
  for (const member of members) {
    const start = scanner.memberValueStart(member);
    hash = addBytes(hash, body, start, Math.min(scanner.memberValueEnd(member), start + MOST_BYTES));
  }
  return hash;
}

const QUOTE = 0x22;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
function addBytes(hash: number, bytes: Buffer, start: number, end: number): number {
  for (let position = start; position < end; position += 1) hash = Math.imul(hash ^ bytes[position], FNV_PRIME);
  return hash >>> 0;
}
