import { type ConversationReasoning, type ConversationRequest, type OutputFormat } from '../conversation';
import { type JsonObject, toUnknownMember } from '../json-object';
import { demandsAll, toClosedSchema, toJsonSchema } from './read-schema';
import { findCamelObject, findCamelObjects } from './to-camel-object';

const TRANSLATED = new Set([
  'maxOutputTokens', 'temperature', 'topP', 'topK', 'stopSequences', 'seed', 'frequencyPenalty', 'presencePenalty', 'responseMimeType',
  'responseSchema', 'responseJsonSchema', 'ResponseJsonSchema', 'responseFormat', 'thinkingConfig',
]);

/** How closely pictures and sound are looked at. */
const DROPPED = new Set(['mediaResolution', 'audioTimestamp']);

/** They change the answer and no other dialect has them; let through when they ask for nothing. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  candidateCount: (value) => value === 1,
  responseLogprobs: (value) => value === false,
  logprobs: (value) => value === 0,
  responseModalities: (value) => ['[]', '["TEXT"]', '["MODALITY_UNSPECIFIED"]'].includes(JSON.stringify(value)),
  enableEnhancedCivicAnswers: (value) => value === false,
  enableAffectiveDialog: (value) => value === false,
  speechConfig: () => false,
  imageConfig: () => false,
  audioTranscriptionConfig: () => false,
  translationConfig: () => false,
  routingConfig: () => false,
  modelSelectionConfig: () => false,
};

/** Larger caps are a slip: no model writes so much. */
const MOST_OUTPUT_TOKENS = 100_000_000;

type GenerationConfig = Pick<
  ConversationRequest,
  'outputCap' | 'temperature' | 'topP' | 'topK' | 'seed' | 'stopSequences' | 'frequencyPenalty' | 'presencePenalty' | 'outputFormat' | 'reasoning' | 'wantsThoughts'
>;

const NO_CONFIG: GenerationConfig = {
  outputCap: null, temperature: null, topP: null, topK: null, seed: null, stopSequences: [], frequencyPenalty: null, presencePenalty: null,
  outputFormat: null, reasoning: null, wantsThoughts: false,
};

/**
 * Reads `generationConfig`.
 * @param config in camelCase
 * @throws WeirError invalid_request
 */
export function readGenerationConfig(config: JsonObject | null): GenerationConfig {
  if (config === null) return NO_CONFIG;
  assertTranslatable(config);
  const thinking = findCamelObject(config, 'thinkingConfig');
  return {
    outputCap: config.findInteger('maxOutputTokens', 1, MOST_OUTPUT_TOKENS),
    temperature: config.findNumber('temperature', 0, 2),
    topP: config.findNumber('topP', 0, 1),
    // A number with a fraction in Google's own definition.
    topK: roundUp(config.findNumber('topK', 0, MOST_OUTPUT_TOKENS)),
    seed: config.findInteger('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    stopSequences: config.findTexts('stopSequences') ?? [],
    frequencyPenalty: config.findNumber('frequencyPenalty', -2, 2),
    presencePenalty: config.findNumber('presencePenalty', -2, 2),
    outputFormat: readFormat(config),
    reasoning: thinking === null ? null : readThinking(thinking),
    wantsThoughts: thinking?.findFlag('includeThoughts') ?? false,
  };
}

function assertTranslatable(config: JsonObject): void {
  for (const name of config.names) {
    if (!config.has(name) || TRANSLATED.has(name) || DROPPED.has(name)) continue;
    if (!Object.hasOwn(REFUSED, name)) throw toUnknownMember(name);
    if (!REFUSED[name](config.find(name))) throw config.fault(name, 'cannot be translated for this model');
  }
}

function roundUp(value: number | null): number | null {
  return value === null ? null : Math.ceil(value);
}

function readFormat(config: JsonObject): OutputFormat | null {
  const [format] = findCamelObjects(config, 'responseFormat');
  if (format !== undefined) return readResponseFormat(config);
  const schema = config.findRecord('responseSchema');
  // `_responseJsonSchema` is how it was called at first.
  const jsonSchema = config.findRecord('responseJsonSchema') ?? config.findRecord('ResponseJsonSchema');
  const hasSchema = schema !== null || jsonSchema !== null;
  const type = config.findText('responseMimeType') ?? '';
  if (type === 'text/plain' || type === '') {
    if (hasSchema) throw config.fault('responseMimeType', 'must be application/json beside a schema');
    return null;
  }
  if (type !== 'application/json') throw config.fault('responseMimeType', 'must be text/plain or application/json: others cannot be translated for this model');
  if (jsonSchema !== null) return toFormat(jsonSchema);
  return schema === null ? { type: 'json_object' } : toFormat(toJsonSchema(schema));
}

/** The newer way to say it: `[{text: {mimeType, schema}}]`. */
function readResponseFormat(config: JsonObject): OutputFormat | null {
  const formats = findCamelObjects(config, 'responseFormat');
  const text = formats.length === 1 ? findCamelObject(formats[0], 'text') : null;
  if (text === null) throw config.fault('responseFormat', 'must hold one format, of text: others cannot be translated for this model');
  const type = text.findText('mimeType') ?? '';
  if (/^(|text\/plain|TEXT_PLAIN)$/.test(type)) return null;
  if (!/^(application\/json|APPLICATION_JSON)$/.test(type)) throw text.fault('mimeType', 'must be text/plain or application/json');
  const schema = text.findRecord('schema');
  return schema === null ? { type: 'json_object' } : toFormat(schema);
}

function toFormat(schema: Readonly<Record<string, unknown>>): OutputFormat {
  const closed = toClosedSchema(schema);
  return { type: 'json_schema', name: null, description: null, schema: closed, isStrict: demandsAll(closed) };
}

const LEVELS = { THINKING_LEVEL_UNSPECIFIED: null, MINIMAL: 'minimal', LOW: 'low', MEDIUM: 'medium', HIGH: 'high' } as const;
const LEVEL_NAMES = ['THINKING_LEVEL_UNSPECIFIED', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH', 'minimal', 'low', 'medium', 'high'] as const;

function readThinking(thinking: JsonObject): ConversationReasoning | null {
  // -1: as the model likes.
  const budgetTokens = thinking.findInteger('thinkingBudget', -1, MOST_OUTPUT_TOKENS);
  const name = thinking.findChoice('thinkingLevel', LEVEL_NAMES);
  const effort = name === null ? null : LEVELS[toLevelName(name)];
  if (budgetTokens === 0) return { mode: 'off', effort: null, budgetTokens: null };
  // Only whether thoughts are shown was said.
  if (budgetTokens === null && effort === null) return null;
  return { mode: 'on', effort, budgetTokens: budgetTokens === -1 ? null : budgetTokens };
}

function toLevelName(name: (typeof LEVEL_NAMES)[number]): keyof typeof LEVELS {
  switch (name) {
    case 'minimal':
      return 'MINIMAL';
    case 'low':
      return 'LOW';
    case 'medium':
      return 'MEDIUM';
    case 'high':
      return 'HIGH';
    default:
      return name;
  }
}
