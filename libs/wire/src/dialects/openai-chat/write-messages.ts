import { type AnswerPart, type ContentPart, type ConversationRequest, type ConversationTurn, type ReasoningPart, type TextPart, type ToolResultPart } from '../conversation';
import { toRefusal } from '../json-object';
import { toDataUri } from '../media';
import { toPortableId } from '../to-portable-id';
import { toReasoningDetails } from './reasoning-details';

export interface ChatMessageOptions {
  readonly systemRole?: 'system' | 'developer';
  readonly keepsReasoning?: boolean;
}

/** @throws WeirError invalid_request */
export function toChatMessages({ system, turns }: ConversationRequest, options: ChatMessageOptions): object[] {
  const role = options.systemRole ?? 'system';
  const messages = turns.flatMap((turn) => toMessages(turn, role, options.keepsReasoning ?? false));
  return system.length === 0 ? messages : [{ role, content: toTexts(system) }, ...messages];
}

function toMessages(turn: ConversationTurn, systemRole: string, keepsReasoning: boolean): object[] {
  switch (turn.role) {
    case 'system':
      return [{ role: systemRole, content: toTexts(turn.parts) }];
    case 'user':
      return toUserMessages(turn.parts);
    case 'assistant':
      return toAssistantMessages(turn.parts, keepsReasoning);
  }
}

/** The results first: they must follow the calls at once. What they hold beside text follows in a user message. */
function toUserMessages(parts: readonly (ContentPart | ToolResultPart)[]): object[] {
  const results = parts.filter((part) => part.type === 'tool_result');
  const content = [...results.flatMap(toMovedParts), ...parts.filter((part) => part.type !== 'tool_result')];
  const messages: object[] = results.map(toToolMessage);
  if (content.length > 0) messages.push({ role: 'user', content: toContent(content) });
  return messages;
}

function toToolMessage({ callId, parts }: ToolResultPart): object {
  return { role: 'tool', tool_call_id: toPortableId(callId), content: toTexts(parts.filter((part) => part.type === 'text')) };
}

/** A tool message may hold only text. So that the model knows whose picture it sees, the call is named. */
function toMovedParts({ callId, parts }: ToolResultPart): readonly ContentPart[] {
  const moved = parts.filter((part) => part.type !== 'text');
  return moved.length === 0 ? [] : [{ type: 'text', text: `Result of tool call ${toPortableId(callId)}:` }, ...moved];
}

/** Thinking stays behind the options' door; a turn in which nothing else is left is dropped. */
function toAssistantMessages(parts: readonly AnswerPart[], keepsReasoning: boolean): object[] {
  const texts = parts.filter((part) => part.type === 'text');
  const refusals = parts.filter((part) => part.type === 'refusal');
  const calls = parts.filter((part) => part.type === 'tool_call');
  const reasoning = keepsReasoning ? parts.filter((part): part is ReasoningPart => part.type === 'reasoning') : [];
  if (texts.length + refusals.length + calls.length + reasoning.length === 0) return [];
  return [
    {
      role: 'assistant',
      content: texts.length === 0 ? null : toTexts(texts),
      ...(refusals.length === 0 ? {} : { refusal: refusals.map(({ text }) => text).join('') }),
      ...(reasoning.length === 0 ? {} : { reasoning_details: toReasoningDetails(reasoning) }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map(({ id, name, argumentsJson }) => ({ id: toPortableId(id), type: 'function', function: { name, arguments: argumentsJson } })) }),
    },
  ];
}

/** One text as a string: servers that imitate OpenAI do not all take arrays there. */
function toTexts(parts: readonly TextPart[]): unknown {
  if (parts.length <= 1) return parts[0]?.text ?? '';
  return parts.map(({ text }) => ({ type: 'text', text }));
}

function toContent(parts: readonly ContentPart[]): unknown {
  const [first] = parts;
  return parts.length === 1 && first.type === 'text' ? first.text : parts.map(toPart);
}

function toPart(part: ContentPart): object {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'image': {
      const url = part.source.type === 'url' ? part.source.url : toDataUri(part.source);
      return { type: 'image_url', image_url: { url, detail: part.detail ?? undefined } };
    }
    case 'file':
      if (part.source.type === 'text') return { type: 'text', text: part.source.text };
      if (part.source.type === 'url') throw toRefusal(part.field, 'must hold the file itself: this model takes no URL of a file');
      return { type: 'file', file: { filename: part.name ?? 'file', file_data: toDataUri(part.source) } };
  }
}
