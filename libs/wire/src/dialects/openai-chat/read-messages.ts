import { type AnswerPart, type ContentPart, type ConversationTurn, type TextPart, type ToolCallPart, type UserPart } from '../conversation';
import { isJsonObject, type JsonObject } from '../json-object';
import { findMediaType, readBase64, readMediaUrl } from '../media';
import { parseExactJson } from '../parse-exact-json';
import { readReasoning } from './reasoning-details';

export interface ChatMessages {
  /** Instructions before the first turn. */
  readonly system: readonly TextPart[];
  readonly turns: readonly ConversationTurn[];
}

/**
 * Reads `messages`. Consecutive `tool` messages become one user turn, and a `user` message right
 * behind them joins it: other dialects want all results of a turn at once and before anything else.
 * Empty texts, and messages in which nothing is left, are dropped: other dialects refuse them.
 * Members of a message that are not known are dropped.
 * @throws WeirError invalid_request
 */
export function readChatMessages(messages: readonly JsonObject[]): ChatMessages {
  const system: TextPart[] = [];
  const turns: ConversationTurn[] = [];
  for (const message of messages) {
    switch (message.findChoice('role', ['system', 'developer', 'user', 'assistant', 'tool'])) {
      case 'system':
      case 'developer': {
        const parts = readTexts(message);
        if (turns.length === 0) system.push(...parts);
        else if (parts.length > 0) turns.push({ role: 'system', parts });
        break;
      }
      case 'assistant': {
        const parts = readAssistantParts(message);
        if (parts.length > 0) turns.push({ role: 'assistant', parts });
        break;
      }
      case 'user':
        addUserParts(turns, readContent(message));
        break;
      case 'tool':
        addUserParts(turns, [{ type: 'tool_result', callId: message.getText('tool_call_id'), parts: readTexts(message), isError: false }]);
        break;
      case null:
        throw message.fault('role', 'is required');
    }
  }
  return { system, turns };
}

function addUserParts(turns: ConversationTurn[], parts: readonly UserPart[]): void {
  if (parts.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === 'user' && last.parts.every(({ type }) => type === 'tool_result')) {
    turns[turns.length - 1] = { role: 'user', parts: [...last.parts, ...parts] };
  } else turns.push({ role: 'user', parts });
}

function readTexts(message: JsonObject): readonly TextPart[] {
  return readContent(message).map((part) => {
    if (part.type !== 'text') throw message.fault('content', 'may hold only text');
    return part;
  });
}

function readContent(message: JsonObject): readonly ContentPart[] {
  const content = message.find('content');
  if (content === null) throw message.fault('content', 'is required');
  if (typeof content === 'string') return toTextParts(content);
  return (message.findObjects('content') ?? []).flatMap(readPart);
}

function toTextParts(text: string): readonly TextPart[] {
  return text === '' ? [] : [{ type: 'text', text }];
}

function readPart(part: JsonObject): readonly ContentPart[] {
  switch (part.findText('type')) {
    case 'text':
      return toTextParts(part.getText('text'));
    case 'image_url': {
      const image = part.getObject('image_url');
      const detail = image.findChoice('detail', ['auto', 'low', 'high', 'original']);
      return [{ type: 'image', source: readMediaUrl(image.getText('url'), image.pathOf('url')), detail, field: part.path }];
    }
    case 'file':
      return [readFile(part)];
    default:
      throw part.fault('type', 'cannot be translated for this model');
  }
}

function readFile(part: JsonObject): ContentPart {
  const file = part.getObject('file');
  if (file.has('file_id')) throw file.fault('file_id', 'cannot be translated for this model: an uploaded file is known to its own provider only');
  const data = file.getText('file_data');
  const field = file.pathOf('file_data');
  const name = file.findText('filename');
  if (data.startsWith('data:')) return { type: 'file', source: readMediaUrl(data, field), name, field: part.path };
  const mediaType = findMediaType(data);
  if (mediaType === null) throw file.fault('file_data', 'must be a data URI, which says the type of the file');
  return { type: 'file', source: readBase64(mediaType, data, field), name, field: part.path };
}

function readAssistantParts(message: JsonObject): readonly AnswerPart[] {
  if (message.has('function_call')) throw message.fault('function_call', 'cannot be translated for this model: use tool_calls');
  if (message.has('audio')) throw message.fault('audio', 'cannot be translated for this model');
  const refusal = message.findText('refusal');
  return [
    ...readReasoning(message),
    ...readAssistantContent(message),
    ...(refusal === null || refusal === '' ? [] : [{ type: 'refusal', text: refusal } as const]),
    ...(message.findObjects('tool_calls') ?? []).map(readToolCall),
  ];
}

function readAssistantContent(message: JsonObject): readonly AnswerPart[] {
  const content = message.find('content');
  if (content === null) return [];
  if (typeof content === 'string') return toTextParts(content);
  return (message.findObjects('content') ?? []).flatMap((part): readonly AnswerPart[] => {
    switch (part.findChoice('type', ['text', 'refusal'])) {
      case 'text':
        return toTextParts(part.getText('text'));
      case 'refusal':
        return [{ type: 'refusal', text: part.getText('refusal') }];
      case null:
        throw part.fault('type', 'is required');
    }
  });
}

function readToolCall(call: JsonObject): ToolCallPart {
  const type = call.findText('type');
  if (type !== null && type !== 'function') throw call.fault('type', 'must be function: other kinds of tools cannot be translated for this model');
  const called = call.getObject('function');
  const argumentsJson = called.findText('arguments') ?? '';
  // A model may have written what is no JSON. Here it would be an object in the next provider's request.
  if (argumentsJson.trim() !== '' && !isObjectJson(argumentsJson)) throw called.fault('arguments', 'must be the JSON of an object');
  return { type: 'tool_call', id: call.getText('id'), name: called.getText('name'), argumentsJson: argumentsJson.trim() === '' ? '{}' : argumentsJson };
}

function isObjectJson(json: string): boolean {
  try {
    return isJsonObject(parseExactJson(json));
  } catch {
    return false;
  }
}
