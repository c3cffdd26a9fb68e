import { type JsonScanner } from '@weir/wire';
import { type ToldAnswer } from './told-answer';

/** Where the formats say which model answers: OpenAI's and Anthropic's, then Google's. */
const MODEL_NAMES = ['model', 'modelVersion'] as const;
const ID_NAMES = ['id', 'responseId'] as const;
/** What an event holds that tells the beginning of an answer: OpenAI's responses, Anthropic's messages. */
const WRAPPERS = ['response', 'message'] as const;
const QUOTE = 0x22;
const BRACE = 0x7b;

/** What an answer, or an event of one, that was scanned says of itself; null where it names no model. */
export function readToldAnswer(scanner: JsonScanner): ToldAnswer | null {
  const model = findText(scanner, MODEL_NAMES);
  if (model !== null) return { model, id: findText(scanner, ID_NAMES), stopReason: null };
  for (const name of WRAPPERS) {
    const member = scanner.findMember(name);
    if (member !== -1 && scanner.memberFirstByte(member) === BRACE) return toTold(scanner.parseMember(member));
  }
  return null;
}

function findText(scanner: JsonScanner, names: readonly string[]): string | null {
  for (const name of names) {
    const member = scanner.findMember(name);
    if (member === -1 || scanner.memberFirstByte(member) !== QUOTE) continue;
    const text = scanner.stringMember(member);
    // Azure's first event names none.
    if (text !== '') return text;
  }
  return null;
}

function toTold(wrapped: unknown): ToldAnswer | null {
  if (typeof wrapped !== 'object' || wrapped === null) return null;
  const { model, id }: { model?: unknown; id?: unknown } = wrapped;
  return typeof model === 'string' && model !== '' ? { model, id: typeof id === 'string' && id !== '' ? id : null, stopReason: null } : null;
}
