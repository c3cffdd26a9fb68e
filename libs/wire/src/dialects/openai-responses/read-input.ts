import { type AnswerPart, type ContentPart, type ConversationTurn, type TextPart, type ToolCallPart, type UserPart } from '../conversation';
import { isJsonObject, type JsonObject } from '../json-object';
import { parseExactJson } from '../parse-exact-json';
import { readContent } from './read-content';
import { readReasoningItem } from './reasoning-item';

export interface ResponsesInput {
  /** Instructions before the first turn. */
  readonly system: readonly TextPart[];
  readonly turns: readonly ConversationTurn[];
}

/**
 * Reads `input`: a text, or items. What is one turn elsewhere is several items here: thinking, message
 * and calls of the assistant that stand next to each other become one turn, and so do results of calls
 * and the user's message right behind them. Empty texts, and turns in which nothing is left, are
 * dropped. Members of an item that are not known (`phase`, `status`, `id`) are dropped; items that are
 * not known are refused.
 * @throws WeirError invalid_request
 */
export function readResponsesInput(request: JsonObject): ResponsesInput {
  const input = request.find('input');
  if (input === null) throw request.fault('input', 'is required');
  if (typeof input === 'string') return { system: [], turns: input === '' ? [] : [{ role: 'user', parts: [{ type: 'text', text: input }] }] };
  const system: TextPart[] = [];
  const turns: ConversationTurn[] = [];
  for (const item of request.findObjects('input') ?? []) readItem(item, system, turns);
  return { system, turns };
}

function readItem(item: JsonObject, system: TextPart[], turns: ConversationTurn[]): void {
  switch (toItemType(item)) {
    case 'message':
      readMessage(item, system, turns);
      break;
    case 'reasoning':
      addAssistantParts(turns, readReasoningItem(item));
      break;
    case 'function_call':
      addAssistantParts(turns, [readToolCall(item)]);
      break;
    case 'function_call_output':
      addUserParts(turns, [{ type: 'tool_result', callId: item.getText('call_id'), parts: readContent(item, 'output'), isError: false }]);
      break;
    case 'item_reference':
      throw item.fault('type', 'cannot be translated for this model: nothing is stored here, so send the item itself (clients do with store: false)');
    default:
      throw item.fault('type', 'cannot be translated for this model');
  }
}

/** Messages may leave their type out, and references, too. */
function toItemType(item: JsonObject): string {
  const type = item.findText('type');
  if (type !== null) return type;
  if (item.has('role')) return 'message';
  if (item.has('id')) return 'item_reference';
  throw item.fault('type', 'is required');
}

function readMessage(item: JsonObject, system: TextPart[], turns: ConversationTurn[]): void {
  switch (item.findChoice('role', ['user', 'assistant', 'system', 'developer'])) {
    case 'user':
      addUserParts(turns, readContent(item, 'content'));
      break;
    case 'assistant':
      addAssistantParts(turns, readAnswerContent(item));
      break;
    case 'system':
    case 'developer': {
      const parts = readContent(item, 'content').map((part) => toTextPart(part, item));
      if (turns.length === 0) system.push(...parts);
      else if (parts.length > 0) turns.push({ role: 'system', parts });
      break;
    }
    case null:
      throw item.fault('role', 'is required');
  }
}

function toTextPart(part: ContentPart, item: JsonObject): TextPart {
  if (part.type !== 'text') throw item.fault('content', 'may hold only text');
  return part;
}

function addAssistantParts(turns: ConversationTurn[], parts: readonly AnswerPart[]): void {
  if (parts.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === 'assistant') turns[turns.length - 1] = { role: 'assistant', parts: [...last.parts, ...parts] };
  else turns.push({ role: 'assistant', parts });
}

/** Other dialects want all results of a turn at once and before anything else. */
function addUserParts(turns: ConversationTurn[], parts: readonly UserPart[]): void {
  if (parts.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === 'user' && last.parts.every(({ type }) => type === 'tool_result')) {
    turns[turns.length - 1] = { role: 'user', parts: [...last.parts, ...parts] };
  } else turns.push({ role: 'user', parts });
}

function readAnswerContent(item: JsonObject): readonly AnswerPart[] {
  const content = item.find('content');
  if (content === null) throw item.fault('content', 'is required');
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  return (item.findObjects('content') ?? []).map(readAnswerPart).filter(({ text }) => text !== '');
}

/** Some clients write an assistant's text as `input_text`. */
function readAnswerPart(part: JsonObject): AnswerPart & { readonly text: string } {
  switch (part.findText('type')) {
    case 'output_text':
    case 'input_text':
      return { type: 'text', text: part.getText('text') };
    case 'refusal':
      return { type: 'refusal', text: part.getText('refusal') };
    default:
      throw part.fault('type', 'must be output_text or refusal');
  }
}

function readToolCall(item: JsonObject): ToolCallPart {
  const argumentsJson = item.findText('arguments') ?? '';
  // A model may have written what is no JSON. Here it would be an object in the next provider's request.
  if (argumentsJson.trim() !== '' && !isObjectJson(argumentsJson)) throw item.fault('arguments', 'must be the JSON of an object');
  return { type: 'tool_call', id: item.getText('call_id'), name: item.getText('name'), argumentsJson: argumentsJson.trim() === '' ? '{}' : argumentsJson };
}

function isObjectJson(json: string): boolean {
  try {
    return isJsonObject(parseExactJson(json));
  } catch {
    return false;
  }
}
