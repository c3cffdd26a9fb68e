import { JsonScanner } from '../json-scanner';
import { type Splice } from '../splice-members';
import { type Dialect } from './conversation';
import { isJsonObject } from './json-object';
import { openSealedSignature, parseOwnSignature } from './gemini/signatures';
import { isWeirsReasoning } from './openai-responses/reasoning-item';
import { parseExactJson } from './parse-exact-json';

type Members = Readonly<Record<string, unknown>>;

/** What a dialect calls the conversation, what in its bytes hints at other providers' thinking, and what is left of a message without that. */
interface DialectRule {
  readonly member: string;
  /** How all hints begin; null where they have nothing in common. Most bodies are told apart by it. */
  readonly beginning: Buffer | null;
  readonly hints: readonly Buffer[];
  /** Null: nothing is left. */
  readonly clean: (message: Members) => Members | null;
}

const RULES: Readonly<Record<Dialect, DialectRule>> = {
  anthropic: { member: 'messages', beginning: null, hints: toBytes('"gemini.', '"signature":""', '"signature": ""'), clean: cleanAnthropic },
  gemini: { member: 'contents', beginning: null, hints: toBytes('"eyJ3ZWlyIj'), clean: cleanGemini },
  'openai-chat': {
    member: 'messages',
    beginning: Buffer.from('"reasoning'),
    hints: toBytes('"reasoning_details"', '"reasoning_content"', '"reasoning":', '"reasoning" :'),
    clean: cleanChat,
  },
  'openai-responses': { member: 'input', beginning: null, hints: toBytes('"weir.'), clean: (item) => (isWeirsReasoning(item) ? null : item) },
};

const THINKING_MEMBERS: readonly string[] = ['reasoning', 'reasoning_content', 'reasoning_details'];
const LENIENT = { strictKeys: false };

// Scans are synchronous, so one scanner serves every body of the process.
const scanner = new JsonScanner();

/**
 * Callers send answers back as they came, and so may send a provider what another one thought, when
 * their conversation moves between the two. Where it is translated, a writer leaves that out; where
 * bytes pass, this does: the provider would refuse the whole conversation from then on, because it
 * cannot verify the signature, or does not know the member. In chat that is all thinking; it is for
 * servers that refuse the members.
 * @returns what is to be written over the body; null where nothing is, as nearly always
 */
export function toForeignThinkingSplice(dialect: Dialect, body: Buffer): Splice | null {
  const { member: name, beginning, hints, clean } = RULES[dialect];
  // Every body that passes is looked through.
  if (beginning !== null && !body.includes(beginning)) return null;
  if (!hints.some((hint) => body.includes(hint)) || !scanner.scan(body, 0, body.length, LENIENT)) return null;
  const member = scanner.findMember(name);
  if (member === -1) return null;
  const [start, end] = [scanner.memberValueStart(member), scanner.memberValueEnd(member)];
  const messages: unknown = parseExactJson(body.toString('utf8', start, end));
  if (!Array.isArray(messages)) return null;
  const cleaned = messages.flatMap((message: unknown) => (isJsonObject(message) ? (clean(message) ?? []) : [message]));
  const isSame = cleaned.length === messages.length && cleaned.every((message, index) => message === messages[index]);
  return isSame ? null : { start, end, text: JSON.stringify(cleaned) };
}

/** A text would be made bytes anew for each body. */
function toBytes(...texts: readonly string[]): readonly Buffer[] {
  return texts.map((text) => Buffer.from(text));
}

function cleanAnthropic(message: Members): Members | null {
  return withoutParts(message, 'content', ({ type, data, signature }) => {
    if (type === 'redacted_thinking') return typeof data === 'string' && parseOwnSignature(data) !== null;
    // Nobody signed it, or Gemini did.
    return type === 'thinking' && (typeof signature !== 'string' || signature === '' || parseOwnSignature(signature) !== null);
  });
}

function cleanGemini(content: Members): Members | null {
  return withoutParts(content, 'parts', ({ thoughtSignature, thought_signature }) => {
    const signature = thoughtSignature ?? thought_signature;
    return typeof signature === 'string' && openSealedSignature(signature) !== null;
  });
}

function cleanChat(message: Members): Members {
  if (THINKING_MEMBERS.every((name) => !Object.hasOwn(message, name))) return message;
  return Object.fromEntries(Object.entries(message).filter(([name]) => !THINKING_MEMBERS.includes(name)));
}

/** The message itself where nothing is taken out of it. */
function withoutParts(message: Members, name: string, isForeign: (part: Members) => boolean): Members | null {
  const parts = message[name];
  if (!Array.isArray(parts)) return message;
  const kept: unknown[] = parts.filter((part: unknown) => !isJsonObject(part) || !isForeign(part));
  if (kept.length === parts.length) return message;
  return kept.length === 0 ? null : { ...message, [name]: kept };
}
