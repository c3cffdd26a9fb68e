import { type ReasoningPart } from '../conversation';

/**
 * Gemini signs parts: a thought, a text, or a call of a function, and wants each signature back on
 * the very part. Other dialects know signed thinking alone. So a signature travels as a reasoning
 * part, marked as Gemini's, with the place that it belongs to:
 * - `thought`: the signature of the thought that carries it
 * - `text`: of the text before it; `part`: of an empty part that came by itself
 * - `call.n`: of the n-th call in the turn
 * The last three have no text, so they are `redactedData`. All dialects keep that for replay.
 */
export interface OwnSignature {
  readonly place: 'thought' | 'text' | 'part' | 'call';
  /** Which call of the turn, from 0; 0 for other places. */
  readonly callNumber: number;
  readonly signature: string;
}

const OWN = /^gemini\.(?:(thought|text|part)|call\.(\d{1,4})):/;

/**
 * What Google takes for a signature where another model made the call: without any, Gemini 3 refuses the
 * request. Gemini's callers are given it with other models' first call, for a later turn that passes.
 */
export const FOREIGN_CALL_SIGNATURE = 'skip_thought_signature_validator';

export function toOwnSignature(place: 'thought' | 'text' | 'part' | number, signature: string): string {
  return `gemini.${typeof place === 'number' ? `call.${place}` : place}:${signature}`;
}

/** Null: another provider's signature. */
export function findOwnSignature({ signature, redactedData }: ReasoningPart): OwnSignature | null {
  return parseOwnSignature(redactedData ?? signature ?? '');
}

export function parseOwnSignature(text: string): OwnSignature | null {
  const match = OWN.exec(text);
  if (match === null) return null;
  const signature = text.slice(match[0].length);
  switch (match[1]) {
    case 'thought':
    case 'text':
    case 'part':
      return { place: match[1], callNumber: 0, signature };
    default:
      return { place: 'call', callNumber: Number(match[2]), signature };
  }
}

/** Whether thinking is signed by Gemini: no other provider takes it back. */
export function isGeminiSigned(part: ReasoningPart): boolean {
  return findOwnSignature(part) !== null;
}

/** A reasoning part that holds nothing but the signature of another part. */
export function toSignaturePart(place: 'text' | 'part' | number, signature: string): ReasoningPart {
  return { type: 'reasoning', text: '', signature: null, redactedData: toOwnSignature(place, signature) };
}

/** Another provider's signed or redacted thinking, as it is sealed into a `thoughtSignature` for a Gemini caller. */
export interface SealedThinking {
  readonly signature?: string;
  readonly redactedData?: string;
  /** The signed text, where the caller is not shown it. */
  readonly text?: string;
  /** How long the signed text is, where it stands in the parts before. */
  readonly textLength?: number;
}

/** How base64 of `{"weir":` begins, in both alphabets: no signature of Google's does. */
const SEAL_BEGINNING = 'eyJ3ZWlyIj';

/** Clients of Google take a signature for bytes in base64, so it must be that. */
export function toSealedSignature(thinking: SealedThinking): string {
  return Buffer.from(JSON.stringify({ weir: thinking })).toString('base64');
}

/** Null: Google's own signature. Some clients write base64 with `-` and `_`; both are read. */
export function openSealedSignature(signature: string): SealedThinking | null {
  if (!signature.startsWith(SEAL_BEGINNING)) return null;
  try {
    const sealed: unknown = JSON.parse(Buffer.from(signature, 'base64').toString('utf8'));
    return readSealed(sealed);
  } catch {
    return null;
  }
}

function readSealed(sealed: unknown): SealedThinking | null {
  if (typeof sealed !== 'object' || sealed === null || !('weir' in sealed)) return null;
  const { weir } = sealed;
  if (typeof weir !== 'object' || weir === null) return null;
  const { signature, redactedData, text, textLength } = weir as Readonly<Record<string, unknown>>;
  return {
    signature: typeof signature === 'string' ? signature : undefined,
    redactedData: typeof redactedData === 'string' ? redactedData : undefined,
    text: typeof text === 'string' ? text : undefined,
    textLength: typeof textLength === 'number' ? textLength : undefined,
  };
}
