import { type ContentPart, type ConversationTurn, type TextPart, type ToolResultPart, type UserPart } from '../conversation';
import { type JsonObject } from '../json-object';
import { toMadeId } from '../to-portable-id';
import { readGeminiMedia } from './read-media';
import { readModelParts } from './read-model-parts';
import { findCamelObject, findCamelObjects, toCamelObject } from './to-camel-object';

/** `systemInstruction`: a content of texts. */
export function readSystemInstruction(request: JsonObject): readonly TextPart[] {
  const content = findCamelObject(request, 'systemInstruction');
  if (content === null) return [];
  return findCamelObjects(content, 'parts').flatMap((part) => {
    const text = part.getText('text');
    return text === '' ? [] : [{ type: 'text', text }];
  });
}

/**
 * Reads `contents`. Contents of the model that follow each other become one turn, as do results of
 * functions and what the user says right behind them. Empty texts, and contents in which nothing is
 * left, are dropped.
 * @throws WeirError invalid_request
 */
export function readGeminiContents(contents: readonly JsonObject[]): readonly ConversationTurn[] {
  const calls = new OpenCalls();
  const turns: ConversationTurn[] = [];
  for (const [role, parts] of groupByRole(contents.map(toCamelObject))) {
    if (role === 'model') {
      const turn = turns.length;
      const read = readModelParts(parts, { toCallId: (number) => toMadeId(`gemini:${turn}:${number}`), onUnknown: refusePart });
      for (const part of read) if (part.type === 'tool_call') calls.add(part.id, part.name);
      if (read.length > 0) turns.push({ role: 'assistant', parts: read });
    } else addUserParts(turns, parts.flatMap((part) => readUserPart(part, calls)));
  }
  return turns;
}

/** The parts of the model's contents are joined; a user's contents stay as they are. */
function groupByRole(contents: readonly JsonObject[]): [role: 'user' | 'model', parts: JsonObject[]][] {
  const groups: [role: 'user' | 'model', parts: JsonObject[]][] = [];
  for (const content of contents) {
    // `function` is how the role of results was called at first.
    const said = content.findChoice('role', ['user', 'model', 'function']);
    const role = said === 'model' ? 'model' : 'user';
    const parts = findCamelObjects(content, 'parts');
    const last = groups.at(-1);
    if (role === 'model' && last?.[0] === 'model') last[1].push(...parts);
    else groups.push([role, parts]);
  }
  return groups;
}

function addUserParts(turns: ConversationTurn[], parts: readonly UserPart[]): void {
  if (parts.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === 'user' && last.parts.every(({ type }) => type === 'tool_result')) {
    turns[turns.length - 1] = { role: 'user', parts: [...last.parts, ...parts] };
  } else turns.push({ role: 'user', parts });
}

function readUserPart(part: JsonObject, calls: OpenCalls): readonly UserPart[] {
  if (part.has('text')) {
    const text = part.getText('text');
    return text === '' ? [] : [{ type: 'text', text }];
  }
  const media = readGeminiMedia(part);
  if (media !== null) return [media];
  if (part.has('functionResponse')) return [readResult(part, calls)];
  return refusePart(part);
}

/**
 * `{output}` and `{error}` are Google's own words for a result; any other object is the result itself,
 * and told as JSON.
 */
function readResult(part: JsonObject, calls: OpenCalls): ToolResultPart {
  const result = findCamelObject(part, 'functionResponse') ?? part;
  const name = result.getText('name');
  const callId = calls.take(result.findText('id') || null, name);
  if (callId === null) throw result.fault('name', 'must be the name of a function that the model has called, and that was not answered yet');
  const response = result.findRecord('response') ?? {};
  const names = Object.keys(response);
  const isError = names.length === 1 && names[0] === 'error';
  const said: unknown = isError ? response.error : names.length === 1 && names[0] === 'output' ? response.output : response;
  const text = typeof said === 'string' ? said : JSON.stringify(said);
  const media = findCamelObjects(result, 'parts').map((item): ContentPart => readGeminiMedia(item) ?? refusePart(item));
  return { type: 'tool_result', callId, parts: text === '' ? media : [{ type: 'text', text }, ...media], isError };
}

function refusePart(part: JsonObject): never {
  const kind = ['functionCall', 'functionResponse', 'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse', 'inlineData', 'fileData'].find((name) => part.has(name));
  throw part.fault(kind ?? '', 'cannot be translated for this model');
}

/** Calls that wait for their results. Older models of Google's give no ids, so that results go by name, in order. */
class OpenCalls {
  private readonly open: { readonly id: string; readonly name: string }[] = [];

  add(id: string, name: string): void {
    this.open.push({ id, name });
  }

  /** The id of the call that is answered; null where there is none. An id that no call has is believed. */
  take(id: string | null, name: string): string | null {
    const byId = id === null ? -1 : this.open.findIndex((call) => call.id === id);
    const index = byId === -1 ? this.open.findIndex((call) => call.name === name) : byId;
    if (index === -1) return id;
    const [call] = this.open.splice(index, 1);
    return call.id;
  }
}
