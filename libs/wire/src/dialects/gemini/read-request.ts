import { type CallerFields, type ConversationRequest } from '../conversation';
import { JsonObject, toUnknownMember } from '../json-object';
import { readGenerationConfig } from './read-config';
import { readGeminiContents, readSystemInstruction } from './read-contents';
import { readGeminiTools } from './read-tools';
import { findCamelObject, toCamelName, toCamelObject } from './to-camel-object';

export interface GeminiReadOptions {
  /** The name by which the caller asks for the model: it stands in the path. */
  readonly model: string;
  /** `:streamGenerateContent`. */
  readonly isStream: boolean;
}

const TRANSLATED = new Set(['contents', 'systemInstruction', 'tools', 'toolConfig', 'generationConfig', 'labels']);

/** They change where, how fast or how dear an answer is made, or how it is filtered. The model stands in the path. */
const DROPPED = new Set(['model', 'safetySettings', 'serviceTier', 'store']);

/** They stand for a part of the conversation that only Google has. */
const REFUSED = new Set(['cachedContent', 'continuationToken']);

/**
 * Reads a request of Google's `POST /v1beta/models/{model}:generateContent` or
 * `:streamGenerateContent` (https://ai.google.dev/api/generate-content) for translation into another
 * dialect. Names may be in camelCase or snake_case; refusals name the camelCase.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError invalid_request, which names the field: wrong, unknown, or without a counterpart elsewhere
 */
export function readGeminiRequest(body: unknown, { model, isStream }: GeminiReadOptions): ConversationRequest {
  const said = JsonObject.of(body, '', 'caller');
  assertTranslatable(said);
  const request = toCamelObject(said);
  const turns = readGeminiContents(request.findObjects('contents') ?? []);
  if (turns.length === 0) throw request.fault('contents', 'must hold a content that is not empty');
  const { tools, nameFields, toolChoice } = readGeminiTools(request);
  const labels = request.findObject('labels');
  return {
    fields: toFields(nameFields),
    model,
    system: readSystemInstruction(request),
    turns,
    tools,
    toolChoice,
    isParallelToolUse: null,
    ...readGenerationConfig(findCamelObject(request, 'generationConfig')),
    isStream,
    // Gemini's streams always tell.
    wantsStreamUsage: true,
    user: null,
    metadata: labels === null ? {} : Object.fromEntries(labels.names.map((name) => [name, labels.findText(name) ?? ''])),
  };
}

function assertTranslatable(request: JsonObject): void {
  for (const name of request.names) {
    const camel = toCamelName(name);
    if (!request.has(name) || TRANSLATED.has(camel) || DROPPED.has(camel)) continue;
    if (REFUSED.has(camel)) throw request.fault(name, 'cannot be translated for this model');
    throw toUnknownMember(name);
  }
}

function toFields(nameFields: readonly string[]): CallerFields {
  return {
    dialect: 'gemini',
    messages: 'contents',
    frequencyPenalty: 'generationConfig.frequencyPenalty',
    presencePenalty: 'generationConfig.presencePenalty',
    outputFormat: 'generationConfig.responseSchema',
    stopSequences: 'generationConfig.stopSequences',
    toolName: (index) => nameFields[index] ?? 'tools',
  };
}
