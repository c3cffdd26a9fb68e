import { type AnswerPart, type ContentPart, type ConversationRequest, type ConversationTurn, type FilePart, type ImagePart, type MediaSource, type TextPart, type UserPart } from '../conversation';
import { isGeminiSigned } from '../gemini/signatures';
import { toRefusal } from '../json-object';
import { parseExactJson } from '../parse-exact-json';
import { toPortableId } from '../to-portable-id';
import { type AnthropicModelTraits } from './model-traits';

const IMAGE_TYPES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);

/**
 * Top-level `system` and `messages`. Instructions in the middle of a conversation stay there where the
 * model takes that, else they join the others at its beginning.
 * @throws WeirError invalid_request
 */
export function toAnthropicMessages({ system, turns }: ConversationRequest, traits: AnthropicModelTraits): { system: object[]; messages: object[] } {
  const moved = traits.takesSystemTurns ? [] : turns.flatMap((turn) => (turn.role === 'system' ? turn.parts : []));
  const staying = traits.takesSystemTurns ? turns : turns.filter(({ role }) => role !== 'system');
  return { system: [...system, ...moved].map(toTextBlock), messages: staying.flatMap(toMessages) };
}

function toMessages(turn: ConversationTurn): object[] {
  const content = toBlocks(turn);
  return content.length === 0 ? [] : [{ role: turn.role, content }];
}

function toBlocks(turn: ConversationTurn): object[] {
  switch (turn.role) {
    case 'system':
      return turn.parts.map(toTextBlock);
    case 'user':
      // Anthropic refuses a turn in which something stands before a tool's result.
      return [...turn.parts.filter(({ type }) => type === 'tool_result'), ...turn.parts.filter(({ type }) => type !== 'tool_result')].map(toUserBlock);
    case 'assistant':
      return turn.parts.flatMap(toAssistantBlocks);
  }
}

function toTextBlock({ text }: TextPart): object {
  return { type: 'text', text };
}

function toUserBlock(part: UserPart): object {
  if (part.type !== 'tool_result') return toContentBlock(part);
  return {
    type: 'tool_result',
    tool_use_id: toPortableId(part.callId),
    content: part.parts.length === 0 ? undefined : part.parts.map(toContentBlock),
    is_error: part.isError ? true : undefined,
  };
}

/** Thinking that is not signed, or signed by Gemini, is dropped: Anthropic refuses what it cannot verify. */
function toAssistantBlocks(part: AnswerPart): object[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return [{ type: 'text', text: part.text }];
    case 'tool_call':
      return [{ type: 'tool_use', id: toPortableId(part.id), name: part.name, input: parseExactJson(part.argumentsJson) }];
    case 'reasoning':
      if (isGeminiSigned(part)) return [];
      if (part.redactedData !== null) return [{ type: 'redacted_thinking', data: part.redactedData }];
      return part.signature === null ? [] : [{ type: 'thinking', thinking: part.text, signature: part.signature }];
  }
}

function toContentBlock(part: ContentPart): object {
  switch (part.type) {
    case 'text':
      return toTextBlock(part);
    case 'image':
      return { type: 'image', source: toImageSource(part) };
    case 'file':
      return { type: 'document', source: toDocumentSource(part), title: part.name ?? undefined };
  }
}

function toImageSource({ source, field }: ImagePart): object {
  if (source.type === 'base64' && !IMAGE_TYPES.has(source.mediaType)) throw toRefusal(field, 'must be JPEG, PNG, GIF or WebP for this model');
  return toSource(source);
}

function toDocumentSource({ source, field }: FilePart): object {
  if (source.type === 'text') return { type: 'text', media_type: 'text/plain', data: source.text };
  if (source.type === 'url' || source.mediaType === 'application/pdf') return toSource(source);
  if (source.mediaType !== 'text/plain') throw toRefusal(field, 'must be a PDF or plain text for this model');
  return { type: 'text', media_type: 'text/plain', data: Buffer.from(source.data, 'base64').toString('utf8') };
}

function toSource(source: MediaSource): object {
  return source.type === 'url' ? { type: 'url', url: source.url } : { type: 'base64', media_type: source.mediaType, data: source.data };
}
