import {
  type CallerFields,
  type ConversationReasoning,
  type ConversationRequest,
  type ConversationTool,
  type OutputFormat,
  REASONING_EFFORTS,
  type ToolChoice,
} from '../conversation';
import { JsonObject, toUnknownMember } from '../json-object';
import { readChatMessages } from './read-messages';

export const CHAT_FIELDS: CallerFields = {
  dialect: 'openai-chat',
  messages: 'messages',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  outputFormat: 'response_format',
  stopSequences: 'stop',
  toolName: (index) => `tools[${index}].function.name`,
};

const TRANSLATED = new Set([
  'model', 'messages', 'tools', 'tool_choice', 'parallel_tool_calls', 'max_completion_tokens', 'max_tokens',
  'temperature', 'top_p', 'top_k', 'frequency_penalty', 'presence_penalty', 'seed', 'stop', 'response_format',
  'reasoning_effort', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata',
]);

/** They change where, how fast or how dear an answer is made, not what it says. */
const DROPPED = new Set([
  'store', 'service_tier', 'verbosity', 'prediction', 'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention',
]);

/** They change the answer and no other dialect has them; let through when they ask for nothing. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  logit_bias: (value) => JSON.stringify(value) === '{}',
  modalities: (value) => JSON.stringify(value) === '["text"]',
  audio: () => false,
  web_search_options: () => false,
  moderation: () => false,
  functions: () => false,
  function_call: () => false,
};

/** Larger caps are a slip: no model writes so much. */
const MOST_OUTPUT_TOKENS = 100_000_000;

/**
 * Reads a request of OpenAI's `POST /chat/completions`
 * (https://platform.openai.com/docs/api-reference/chat/create) for translation into another dialect.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError invalid_request, which names the field: wrong, unknown, or without a counterpart elsewhere
 */
export function readChatRequest(body: unknown): ConversationRequest {
  const request = JsonObject.of(body, '', 'caller');
  assertTranslatable(request);
  const { system, turns } = readChatMessages(request.findObjects('messages') ?? []);
  if (system.length === 0 && turns.length === 0) throw request.fault('messages', 'must hold a message that is not empty');
  const streamOptions = request.findObject('stream_options');
  return {
    fields: CHAT_FIELDS,
    model: request.getText('model'),
    system,
    turns,
    ...readTools(request),
    isParallelToolUse: request.findFlag('parallel_tool_calls'),
    outputCap: request.findInteger('max_completion_tokens', 1, MOST_OUTPUT_TOKENS) ?? request.findInteger('max_tokens', 1, MOST_OUTPUT_TOKENS),
    temperature: request.findNumber('temperature', 0, 2),
    topP: request.findNumber('top_p', 0, 1),
    topK: request.findInteger('top_k', -1, MOST_OUTPUT_TOKENS),
    frequencyPenalty: request.findNumber('frequency_penalty', -2, 2),
    presencePenalty: request.findNumber('presence_penalty', -2, 2),
    seed: readSeed(request),
    stopSequences: readStop(request),
    outputFormat: readResponseFormat(request.findObject('response_format')),
    reasoning: readReasoningEffort(request),
    isStream: request.findFlag('stream') ?? false,
    wantsStreamUsage: streamOptions?.findFlag('include_usage') ?? false,
    user: request.findText('safety_identifier') ?? request.findText('user'),
    metadata: readMetadata(request.findObject('metadata')),
  };
}

function assertTranslatable(request: JsonObject): void {
  for (const name of request.names) {
    if (!request.has(name) || TRANSLATED.has(name) || DROPPED.has(name)) continue;
    if (!Object.hasOwn(REFUSED, name)) throw toUnknownMember(name);
    if (!REFUSED[name](request.find(name))) throw request.fault(name, 'cannot be translated for this model');
  }
}

/** Best effort by its own reference: one that is beyond JavaScript's numbers is as good as none. */
function readSeed(request: JsonObject): number | null {
  return JSON.isRawJSON(request.find('seed')) ? null : request.findInteger('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

function readStop(request: JsonObject): readonly string[] {
  const stop = request.find('stop');
  if (typeof stop === 'string') return [stop];
  return request.findTexts('stop') ?? [];
}

function readReasoningEffort(request: JsonObject): ConversationReasoning | null {
  const effort = request.findChoice('reasoning_effort', ['none', ...REASONING_EFFORTS]);
  if (effort === null) return null;
  return effort === 'none' ? { mode: 'off', effort: null, budgetTokens: null } : { mode: 'on', effort, budgetTokens: null };
}

function readResponseFormat(format: JsonObject | null): OutputFormat | null {
  if (format === null) return null;
  const type = format.findChoice('type', ['text', 'json_object', 'json_schema']);
  if (type === 'json_object') return { type };
  if (type !== 'json_schema') return null;
  const details = format.getObject('json_schema');
  const schema = details.findRecord('schema');
  if (schema === null) throw details.fault('schema', 'is required');
  return { type, name: details.findText('name'), description: details.findText('description'), schema, isStrict: details.findFlag('strict') ?? false };
}

function readMetadata(metadata: JsonObject | null): Readonly<Record<string, string>> {
  if (metadata === null) return {};
  return Object.fromEntries(metadata.names.map((name) => [name, metadata.findText(name) ?? '']));
}

function readTools(request: JsonObject): { tools: readonly ConversationTool[]; toolChoice: ToolChoice | null } {
  const tools = (request.findObjects('tools') ?? []).map(readTool);
  const choice = request.find('tool_choice');
  if (choice === null || typeof choice === 'string') {
    const type = request.findChoice('tool_choice', ['auto', 'none', 'required']);
    return { tools, toolChoice: type === null ? null : { type } };
  }
  const chosen = request.getObject('tool_choice');
  const type = chosen.findChoice('type', ['function', 'allowed_tools']);
  if (type === 'function') return { tools, toolChoice: { type: 'tool', name: chosen.getObject('function').getText('name') } };
  // No other dialect has a list beside the list: the tools that are not allowed are left out.
  const allowed = chosen.getObject('allowed_tools');
  const names = new Set((allowed.findObjects('tools') ?? []).map((tool) => tool.getObject('function').getText('name')));
  const mode = allowed.findChoice('mode', ['auto', 'required']) ?? 'auto';
  return { tools: tools.filter(({ name }) => names.has(name)), toolChoice: { type: mode } };
}

function readTool(tool: JsonObject): ConversationTool {
  if (tool.findText('type') !== 'function') throw tool.fault('type', 'must be function: other kinds of tools cannot be translated for this model');
  const definition = tool.getObject('function');
  return {
    name: definition.getText('name'),
    description: definition.findText('description'),
    schema: { type: 'object', ...(definition.findRecord('parameters') ?? { properties: {} }) },
    isStrict: definition.findFlag('strict') ?? false,
  };
}
