import { type ConversationRequest, type ConversationTool, type OutputFormat } from '../conversation';
import { toRefusal } from '../json-object';
import { type GeminiModelTraits, toGeminiModelTraits } from './model-traits';
import { toThinkingConfig } from './to-thinking-config';
import { toGeminiContents } from './write-contents';

export interface GeminiRequestOptions {
  /** The upstream's name of the model: it stands in the path, and tells what the model takes. */
  readonly model: string;
  /** Default: by the model's name. */
  readonly traits?: GeminiModelTraits;
}

/** Google's own limits. */
const MOST_STOP_SEQUENCES = 5;
const TOOL_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/;
const SEED_RANGE = 2 ** 31;

/**
 * Writes a request for Google's `:generateContent` and `:streamGenerateContent?alt=sse`, as JSON text.
 * Model and streaming stand in the path. That calls should not be parallel cannot be said: give
 * `isParallelToolUse` to the reader of the answer.
 * @throws WeirError invalid_request for what the dialect cannot say; it names the caller's field
 */
export function writeGeminiRequest(request: ConversationRequest, options: GeminiRequestOptions): string {
  const traits = options.traits ?? toGeminiModelTraits(options.model);
  assertSayable(request, traits);
  const { system, contents } = toGeminiContents(request, traits);
  if (contents.length === 0) throw toRefusal(request.fields.messages, 'must hold a message of the user for this model');
  const generationConfig = toGenerationConfig(request, traits);
  return JSON.stringify({
    systemInstruction: system.length === 0 ? undefined : { parts: system },
    contents,
    ...(request.tools.length === 0 ? {} : { tools: [{ functionDeclarations: request.tools.map(toDeclaration) }], toolConfig: toToolConfig(request) }),
    generationConfig: Object.values(generationConfig).every((value) => value === undefined) ? undefined : generationConfig,
  });
}

function assertSayable({ fields, stopSequences, tools, turns, frequencyPenalty, presencePenalty }: ConversationRequest, traits: GeminiModelTraits): void {
  if (stopSequences.length > MOST_STOP_SEQUENCES) throw toRefusal(fields.stopSequences, `may hold at most ${MOST_STOP_SEQUENCES} texts for this model`);
  const odd = tools.findIndex(({ name }) => !TOOL_NAME.test(name));
  if (odd !== -1) throw toRefusal(fields.toolName(odd), 'must begin with a letter or _, hold only letters, digits and _ . : -, and at most 128 of them for this model');
  if (!traits.takesPenalties && (frequencyPenalty ?? 0) !== 0) throw toRefusal(fields.frequencyPenalty, 'must be 0 for this model');
  if (!traits.takesPenalties && (presencePenalty ?? 0) !== 0) throw toRefusal(fields.presencePenalty, 'must be 0 for this model');
  if (!traits.takesBegunAnswer && turns.at(-1)?.role === 'assistant') throw toRefusal(fields.messages, 'must not end with the assistant: this model cannot go on with a text that was begun');
}

function toGenerationConfig(request: ConversationRequest, traits: GeminiModelTraits): object {
  return {
    maxOutputTokens: request.outputCap ?? undefined,
    temperature: request.temperature ?? undefined,
    topP: request.topP ?? undefined,
    // -1 is how some servers say "no limit".
    topK: request.topK === null || request.topK <= 0 ? undefined : request.topK,
    seed: request.seed === null ? undefined : request.seed % SEED_RANGE,
    stopSequences: request.stopSequences.length === 0 ? undefined : request.stopSequences,
    frequencyPenalty: request.frequencyPenalty || undefined,
    presencePenalty: request.presencePenalty || undefined,
    ...toFormat(request.outputFormat),
    thinkingConfig: toThinkingConfig(request, traits),
  };
}

/** A schema goes as JSON Schema: Google's own kind says less. */
function toFormat(format: OutputFormat | null): object {
  if (format === null) return {};
  const responseMimeType = 'application/json';
  return format.type === 'json_object' ? { responseMimeType } : { responseMimeType, responseJsonSchema: withoutDialect(format.schema) };
}

function toDeclaration({ name, description, schema }: ConversationTool): object {
  // Google refuses an object's schema that has no properties.
  const hasParameters = Object.keys((schema.properties as object | undefined) ?? {}).length > 0 || Object.keys(schema).some((key) => !['type', 'properties', 'additionalProperties', 'required', '$schema'].includes(key));
  return { name, description: description ?? undefined, parametersJsonSchema: hasParameters ? withoutDialect(schema) : undefined };
}

function withoutDialect({ $schema: _, ...schema }: Readonly<Record<string, unknown>>): object {
  return schema;
}

/** VALIDATED: the model decides, but arguments follow the schema. ANY guarantees that, too. */
function toToolConfig({ tools, toolChoice }: ConversationRequest): object | undefined {
  const toMode = (mode: string, allowedFunctionNames?: readonly string[]): object => ({ functionCallingConfig: { mode, allowedFunctionNames } });
  switch (toolChoice?.type) {
    case 'none':
      return toMode('NONE');
    case 'required':
      return toMode('ANY');
    case 'tool':
      return toMode('ANY', [toolChoice.name]);
    case 'auto':
    case undefined:
      if (tools.some(({ isStrict }) => isStrict)) return toMode('VALIDATED');
      return toolChoice === null ? undefined : toMode('AUTO');
  }
}
