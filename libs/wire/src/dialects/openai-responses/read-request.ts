import { type CallerFields, type ConversationReasoning, type ConversationRequest, type OutputFormat, REASONING_EFFORTS, type TextPart } from '../conversation';
import { JsonObject, toUnknownMember } from '../json-object';
import { readResponsesInput } from './read-input';
import { readResponsesTools } from './read-tools';

export const RESPONSES_FIELDS: CallerFields = {
  dialect: 'openai-responses',
  messages: 'input',
  // Responses has neither penalties nor stop sequences: no writer can refuse them.
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  outputFormat: 'text.format',
  stopSequences: 'stop',
  toolName: (index) => `tools[${index}].name`,
};

const TRANSLATED = new Set([
  'model', 'input', 'instructions', 'tools', 'tool_choice', 'parallel_tool_calls', 'max_output_tokens', 'temperature', 'top_p',
  'reasoning', 'text', 'include', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata',
]);

/**
 * They change where, how fast or how dear an answer is made, not what it says. `max_tool_calls` counts
 * calls of OpenAI's own tools only, and `store` is answered with false: nothing is stored.
 */
const DROPPED = new Set([
  'store', 'service_tier', 'max_tool_calls', 'image', 'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention',
]);

interface Refusal {
  /** Let through, as it asks for nothing. */
  readonly asksNothing: (value: unknown) => boolean;
  readonly what: string;
}

const never = (): boolean => false;
const UNTRANSLATABLE = 'cannot be translated for this model';
const STORED = `${UNTRANSLATABLE}: nothing is stored here, so send the whole conversation as input`;

/** What needs something that OpenAI keeps, or that it alone does. */
const REFUSED: Readonly<Record<string, Refusal>> = {
  previous_response_id: { asksNothing: never, what: STORED },
  conversation: { asksNothing: never, what: STORED },
  prompt: { asksNothing: never, what: `${UNTRANSLATABLE}: a stored prompt is known to OpenAI only` },
  background: { asksNothing: (value) => value === false, what: 'must be false for this model: nothing is stored here that could be fetched later' },
  truncation: { asksNothing: (value) => value === 'disabled', what: 'must be disabled for this model: only OpenAI shortens an input that is too long' },
  context_management: { asksNothing: (value) => JSON.stringify(value) === '[]', what: `${UNTRANSLATABLE}: only OpenAI shortens an input that is too long` },
  access_programs: { asksNothing: (value) => JSON.stringify(value) === '{}', what: UNTRANSLATABLE },
  moderation: { asksNothing: never, what: UNTRANSLATABLE },
  top_logprobs: { asksNothing: (value) => value === 0, what: UNTRANSLATABLE },
};

/** Additions to what OpenAI's own tools answer, which are refused themselves; and what is always there. */
const INCLUDABLE = new Set([
  'reasoning.encrypted_content', 'message.input_image.image_url', 'file_search_call.results', 'web_search_call.results',
  'web_search_call.action.sources', 'computer_call_output.output.image_url', 'code_interpreter_call.outputs',
]);

/** Larger caps are a slip: no model writes so much. */
const MOST_OUTPUT_TOKENS = 100_000_000;

/**
 * Reads a request of OpenAI's `POST /responses`
 * (https://developers.openai.com/api/reference/resources/responses) for translation into another dialect.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError invalid_request, which names the field: wrong, unknown, or without a counterpart elsewhere
 */
export function readResponsesRequest(body: unknown): ConversationRequest {
  const request = JsonObject.of(body, '', 'caller');
  assertTranslatable(request);
  const input = readResponsesInput(request);
  const system = [...readInstructions(request), ...input.system];
  if (system.length === 0 && input.turns.length === 0) throw request.fault('input', 'must hold a message that is not empty');
  request.findObject('stream_options')?.findFlag('include_obfuscation');
  return {
    fields: RESPONSES_FIELDS,
    model: request.getText('model'),
    system,
    turns: input.turns,
    ...readResponsesTools(request),
    isParallelToolUse: request.findFlag('parallel_tool_calls'),
    outputCap: request.findInteger('max_output_tokens', 1, MOST_OUTPUT_TOKENS),
    temperature: request.findNumber('temperature', 0, 2),
    topP: request.findNumber('top_p', 0, 1),
    topK: null,
    frequencyPenalty: null,
    presencePenalty: null,
    seed: null,
    stopSequences: [],
    outputFormat: readTextFormat(request.findObject('text')),
    reasoning: readReasoningConfig(request.findObject('reasoning')),
    isStream: request.findFlag('stream') ?? false,
    // The last event of a stream always tells.
    wantsStreamUsage: true,
    user: request.findText('safety_identifier') ?? request.findText('user'),
    metadata: readMetadata(request.findObject('metadata')),
  };
}

function assertTranslatable(request: JsonObject): void {
  for (const name of request.names) {
    if (!request.has(name) || TRANSLATED.has(name) || DROPPED.has(name)) continue;
    if (!Object.hasOwn(REFUSED, name)) throw toUnknownMember(name);
    const { asksNothing, what } = REFUSED[name];
    if (!asksNothing(request.find(name))) throw request.fault(name, what);
  }
  const refused = (request.findTexts('include') ?? []).findIndex((name) => !INCLUDABLE.has(name));
  if (refused !== -1) throw request.fault(`include[${refused}]`, UNTRANSLATABLE);
}

function readInstructions(request: JsonObject): readonly TextPart[] {
  const text = request.findText('instructions') ?? '';
  return text === '' ? [] : [{ type: 'text', text }];
}

/** `verbosity` is dropped, as the chat dialect's is. */
function readTextFormat(text: JsonObject | null): OutputFormat | null {
  text?.findChoice('verbosity', ['low', 'medium', 'high']);
  const format = text?.findObject('format') ?? null;
  if (format === null) return null;
  const type = format.findChoice('type', ['text', 'json_object', 'json_schema']);
  if (type === 'json_object') return { type };
  if (type !== 'json_schema') return null;
  return {
    type,
    name: format.findText('name'),
    description: format.findText('description'),
    schema: format.getObject('schema').members,
    isStrict: format.findFlag('strict') ?? false,
  };
}

/** `summary` is dropped: what a provider shows of its thinking is always handed on. */
function readReasoningConfig(reasoning: JsonObject | null): ConversationReasoning | null {
  if (reasoning === null) return null;
  reasoning.findChoice('summary', ['auto', 'concise', 'detailed']);
  reasoning.findChoice('mode', ['standard']);
  const effort = reasoning.findChoice('effort', ['none', ...REASONING_EFFORTS]);
  if (effort === null) return null;
  return effort === 'none' ? { mode: 'off', effort: null, budgetTokens: null } : { mode: 'on', effort, budgetTokens: null };
}

function readMetadata(metadata: JsonObject | null): Readonly<Record<string, string>> {
  if (metadata === null) return {};
  return Object.fromEntries(metadata.names.map((name) => [name, metadata.findText(name) ?? '']));
}
