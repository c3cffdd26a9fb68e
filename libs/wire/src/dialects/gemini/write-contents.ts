import { type AnswerPart, type ContentPart, type ConversationRequest, type FilePart, type ImagePart, type ToolResultPart, type UserPart } from '../conversation';
import { toRefusal } from '../json-object';
import { type GeminiModelTraits } from './model-traits';
import { findOwnSignature, FOREIGN_CALL_SIGNATURE, type OwnSignature } from './signatures';
import { type GeminiPart, toArguments } from './write-parts';

interface GeminiContent {
  readonly role: 'user' | 'model';
  readonly parts: readonly GeminiPart[];
}

const IMAGE_TYPES = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif']);
const TYPES_BY_ENDING: Readonly<Record<string, string>> = {
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', webp: 'image/webp', heic: 'image/heic', heif: 'image/heif', pdf: 'application/pdf',
};

/**
 * `systemInstruction` and `contents`. Instructions in the middle of a conversation join the others at
 * its beginning: Gemini has no role for them.
 * @throws WeirError invalid_request
 */
export function toGeminiContents({ fields, system, turns }: ConversationRequest, traits: GeminiModelTraits): { system: GeminiPart[]; contents: GeminiContent[] } {
  const instructions = [...system, ...turns.flatMap((turn) => (turn.role === 'system' ? turn.parts : []))];
  const names = new Map<string, string>();
  const contents: GeminiContent[] = [];
  for (const turn of turns) {
    if (turn.role === 'user') contents.push(...toUserContents(turn.parts, { names, messages: fields.messages, traits }));
    if (turn.role !== 'assistant') continue;
    for (const part of turn.parts) if (part.type === 'tool_call') names.set(part.id, part.name);
    const parts = toModelParts(turn.parts, traits.needsSignatures);
    if (parts.length > 0) contents.push({ role: 'model', parts });
  }
  return { system: instructions.map(({ text }) => ({ text })), contents };
}

interface ResultContext {
  /** The names of the functions that were called, by the calls' ids: a result must say it. */
  readonly names: ReadonlyMap<string, string>;
  readonly messages: string;
  readonly traits: GeminiModelTraits;
}

/** Results in a content of their own, right behind the calls: as many as there were calls. */
function toUserContents(parts: readonly UserPart[], context: ResultContext): GeminiContent[] {
  const results = parts.filter((part) => part.type === 'tool_result');
  const others = parts.filter((part) => part.type !== 'tool_result');
  const behind = [...results.flatMap((result) => toMovedParts(result, context.traits)), ...others].map(toContentPart);
  return [results.map((result) => toResultPart(result, context)), behind].flatMap((list) => (list.length === 0 ? [] : [{ role: 'user', parts: list }]));
}

function toResultPart({ callId, parts, isError }: ToolResultPart, { names, messages, traits }: ResultContext): GeminiPart {
  const name = names.get(callId);
  if (name === undefined) throw toRefusal(messages, 'must hold the call of every tool result: this model goes by the name of the function');
  const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  const media = parts.filter((part) => part.type !== 'text' && isKeptInResult(part, traits)).map(toContentPart);
  return { functionResponse: { id: callId, name, response: isError ? { error: text } : { output: text }, ...(media.length === 0 ? {} : { parts: media }) } };
}

function isKeptInResult({ source }: ImagePart | FilePart, traits: GeminiModelTraits): boolean {
  return traits.takesMediaInResults && source.type === 'base64';
}

/** What a result may not hold follows behind it. So that the model knows whose picture it sees, the call is named. */
function toMovedParts({ callId, parts }: ToolResultPart, traits: GeminiModelTraits): readonly ContentPart[] {
  const moved = parts.filter((part) => part.type !== 'text' && !isKeptInResult(part, traits));
  return moved.length === 0 ? [] : [{ type: 'text', text: `Result of tool call ${callId}:` }, ...moved];
}

function toContentPart(part: ContentPart): GeminiPart {
  switch (part.type) {
    case 'text':
      return { text: part.text };
    case 'image':
      if (part.source.type === 'base64' && !IMAGE_TYPES.has(part.source.mediaType)) throw toRefusal(part.field, 'must be PNG, JPEG, WebP, HEIC or HEIF for this model');
      return toMediaPart(part.source);
    case 'file':
      if (part.source.type === 'text') return { text: part.source.text };
      if (part.source.type === 'base64' && part.source.mediaType !== 'application/pdf' && !part.source.mediaType.startsWith('text/')) {
        throw toRefusal(part.field, 'must be a PDF or a text for this model');
      }
      return toMediaPart(part.source);
  }
}

function toMediaPart(source: ImagePart['source']): GeminiPart {
  if (source.type === 'base64') return { inlineData: { mimeType: source.mediaType, data: source.data } };
  const mimeType = findTypeOfName(source.url);
  return { fileData: { ...(mimeType === null ? {} : { mimeType }), fileUri: source.url } };
}

/** Other dialects do not say of what type a URL's picture is; where the name does not either, Google looks for itself. */
function findTypeOfName(url: string): string | null {
  const ending = /\.([a-z]{3,4})$/i.exec(url.split(/[?#]/)[0])?.[1].toLowerCase();
  return ending !== undefined && Object.hasOwn(TYPES_BY_ENDING, ending) ? TYPES_BY_ENDING[ending] : null;
}

/**
 * A turn of the model, with each of Gemini's signatures at its place. Thinking that Gemini did not
 * sign is dropped. A dialect that puts thinking first tells a text's signature before the text: it
 * then goes to the last text.
 */
export function toModelParts(parts: readonly AnswerPart[], needsSignatures: boolean): GeminiPart[] {
  const written: GeminiPart[] = [];
  const calls: GeminiPart[] = [];
  const callSignatures = new Map<number, string>();
  const early: OwnSignature[] = [];
  for (const part of parts) {
    if (part.type === 'text' || part.type === 'refusal') written.push({ text: part.text });
    else if (part.type === 'tool_call') {
      const call: GeminiPart = { functionCall: { id: part.id, name: part.name, args: toArguments(part.argumentsJson) } };
      calls.push(call);
      written.push(call);
    } else {
      const own = findOwnSignature(part);
      if (own === null) continue;
      if (own.place === 'thought') written.push({ text: part.text, thought: true, thoughtSignature: own.signature });
      else if (own.place === 'call') callSignatures.set(own.callNumber, own.signature);
      else if (findLastText(written) === -1) early.push(own);
      else addTextSignature(written, own, written.length);
    }
  }
  for (const own of early) addTextSignature(written, own, findLastText(written) + 1);
  calls.forEach((call, number) => {
    call.thoughtSignature = callSignatures.get(number) ?? (needsSignatures && number === 0 ? FOREIGN_CALL_SIGNATURE : undefined);
  });
  return written;
}

function findLastText(written: readonly GeminiPart[]): number {
  return written.findLastIndex(({ text, thought }) => text !== undefined && thought === undefined);
}

/** Signs the last text, or puts an empty signed part where it belongs. */
function addTextSignature(written: GeminiPart[], { place, signature }: OwnSignature, emptyIndex: number): void {
  const index = findLastText(written);
  if (place === 'text' && index !== -1 && written[index].thoughtSignature === undefined) written[index].thoughtSignature = signature;
  else written.splice(emptyIndex, 0, { text: '', thoughtSignature: signature });
}
