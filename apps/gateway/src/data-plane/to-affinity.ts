import { JsonScanner } from '@weir/wire';
import { type RequestFacts } from './facts/request-facts';

const scanner = new JsonScanner();
/** What callers themselves call the session, or who they are: in this order. */
const SESSION_MEMBERS = ['prompt_cache_key', 'safety_identifier', 'user'];
/** Where a conversation begins. */
const CONVERSATION_MEMBERS = ['system', 'systemInstruction', 'instructions', 'messages', 'contents', 'input', 'prompt'];
/** Of a long beginning, so much tells it from others. */
const MOST_BYTES = 1_024;

/**
 * A number that calls of one session share, so that they come to where their prompt is cached: of the
 * caller's key and its own name for the session, else of how the conversation begins, up to what its
 * user said first. That stays the same while it grows.
 */
export function toAffinity(keyId: string, { body }: Pick<RequestFacts, 'body'>): number {
  const key = Buffer.from(keyId);
  let hash = addBytes(FNV_OFFSET, key, 0, key.length);
  if (!scanner.scan(body, 0, body.length, { strictKeys: false })) return hash;
  const named = SESSION_MEMBERS.map((name) => scanner.findMember(name)).find((member) => member !== -1 && isFilledString(body, scanner.memberValueStart(member)));
  if (named !== undefined) return addBytes(hash, body, scanner.memberValueStart(named), scanner.memberValueEnd(named));
  for (const name of CONVERSATION_MEMBERS) {
    const member = scanner.findMember(name);
    if (member === -1) continue;
    const start = scanner.memberValueStart(member);
    hash = addBytes(hash, body, start, findBeginningEnd(body, start, Math.min(scanner.memberValueEnd(member), start + MOST_BYTES)));
  }
  return hash;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const USER_ROLE = /"role"\s*:\s*"user"/;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function isFilledString(bytes: Buffer, start: number): boolean {
  return bytes[start] === QUOTE && bytes[start + 1] !== QUOTE;
}

/** Behind the first message of the user's, or of all, where messages are a list; else the end. */
function findBeginningEnd(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] !== OPEN_BRACKET) return end;
  let depth = 0;
  let isInText = false;
  let messageStart = start;
  for (let position = start; position < end; position += 1) {
    const byte = bytes[position];
    if (isInText) {
      if (byte === BACKSLASH) position += 1;
      else if (byte === QUOTE) isInText = false;
    } else if (byte === QUOTE) isInText = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
      if (depth === 2) messageStart = position;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 1 && USER_ROLE.test(bytes.toString('latin1', messageStart, position))) return position + 1;
    }
  }
  return end;
}

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
function addBytes(hash: number, bytes: Buffer, start: number, end: number): number {
  for (let position = start; position < end; position += 1) hash = Math.imul(hash ^ bytes[position], FNV_PRIME);
  return hash >>> 0;
}
