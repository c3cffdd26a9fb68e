import { type CallerFields, type ConversationReasoning, type ConversationRequest, type ConversationTool, type OutputFormat, REASONING_EFFORTS, type ToolChoice } from '../conversation';
import { JsonObject, toUnknownMember } from '../json-object';
import { readAnthropicMessages, readSystem } from './read-messages';

export const ANTHROPIC_FIELDS: CallerFields = {
  dialect: 'anthropic',
  messages: 'messages',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  outputFormat: 'output_config.format',
  stopSequences: 'stop_sequences',
  toolName: (index) => `tools[${index}].name`,
};

const TRANSLATED = new Set([
  'model', 'messages', 'system', 'max_tokens', 'tools', 'tool_choice', 'temperature', 'top_p', 'top_k', 'stop_sequences',
  'output_config', 'output_format', 'thinking', 'stream', 'metadata',
]);

/** They change where, how fast or how dear an answer is made, or shorten the context; not what is asked. */
const DROPPED = new Set(['cache_control', 'service_tier', 'speed', 'diagnostics', 'context_management']);

/** Work that only Anthropic's own servers do, or a promise that another provider cannot keep. */
const REFUSED = new Set(['container', 'inference_geo', 'mcp_servers', 'thread', 'fallbacks']);

const MOST_OUTPUT_TOKENS = 100_000_000;

export interface AnthropicReadOptions {
  /** `/v1/messages/count_tokens` asks for no output, so it has no cap. Default: yes. */
  readonly needsOutputCap?: boolean;
}

/**
 * Reads a request of Anthropic's `POST /v1/messages` (https://docs.claude.com/en/api/messages) for
 * translation into another dialect.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError invalid_request, which names the field: wrong, unknown, or without a counterpart elsewhere
 */
export function readAnthropicRequest(body: unknown, { needsOutputCap = true }: AnthropicReadOptions = {}): ConversationRequest {
  const request = JsonObject.of(body, '', 'caller');
  assertTranslatable(request);
  const turns = readAnthropicMessages(request.findObjects('messages') ?? []);
  if (turns.length === 0) throw request.fault('messages', 'must hold a message that is not empty');
  const outputCap = request.findInteger('max_tokens', 1, MOST_OUTPUT_TOKENS);
  if (outputCap === null && needsOutputCap) throw request.fault('max_tokens', 'is required');
  const config = request.findObject('output_config');
  return {
    fields: ANTHROPIC_FIELDS,
    model: request.getText('model'),
    system: readSystem(request),
    turns,
    tools: (request.findObjects('tools') ?? []).map(readTool),
    ...readToolChoice(request.findObject('tool_choice')),
    outputCap,
    temperature: request.findNumber('temperature', 0, 1),
    topP: request.findNumber('top_p', 0, 1),
    topK: request.findInteger('top_k', 0, MOST_OUTPUT_TOKENS),
    frequencyPenalty: null,
    presencePenalty: null,
    seed: null,
    stopSequences: request.findTexts('stop_sequences') ?? [],
    // output_format is how the beta called it.
    outputFormat: readFormat(config?.findObject('format') ?? request.findObject('output_format')),
    reasoning: readThinking(request.findObject('thinking'), config),
    isStream: request.findFlag('stream') ?? false,
    // Anthropic's streams always tell.
    wantsStreamUsage: true,
    user: request.findObject('metadata')?.findText('user_id') ?? null,
    metadata: {},
  };
}

function assertTranslatable(request: JsonObject): void {
  for (const name of request.names) {
    if (!request.has(name) || TRANSLATED.has(name) || DROPPED.has(name)) continue;
    if (REFUSED.has(name)) throw request.fault(name, 'cannot be translated for this model');
    throw toUnknownMember(name);
  }
}

function readTool(tool: JsonObject): ConversationTool {
  if ((tool.findText('type') ?? 'custom') !== 'custom') throw tool.fault('type', "must be custom: Anthropic's own tools cannot be translated for this model");
  return {
    name: tool.getText('name'),
    description: tool.findText('description'),
    schema: { type: 'object', ...tool.getObject('input_schema').members },
    isStrict: tool.findFlag('strict') ?? false,
  };
}

function readToolChoice(choice: JsonObject | null): { toolChoice: ToolChoice | null; isParallelToolUse: boolean | null } {
  if (choice === null) return { toolChoice: null, isParallelToolUse: null };
  const isDisabled = choice.findFlag('disable_parallel_tool_use');
  return { toolChoice: readChoice(choice), isParallelToolUse: isDisabled === null ? null : !isDisabled };
}

function readChoice(choice: JsonObject): ToolChoice {
  switch (choice.findChoice('type', ['auto', 'any', 'tool', 'none'])) {
    case 'auto':
      return { type: 'auto' };
    case 'any':
      return { type: 'required' };
    case 'none':
      return { type: 'none' };
    case 'tool':
      return { type: 'tool', name: choice.getText('name') };
    case null:
      throw choice.fault('type', 'is required');
  }
}

/** Always strict: Anthropic guarantees the schema, where OpenAI does so on demand. */
function readFormat(format: JsonObject | null): OutputFormat | null {
  if (format === null) return null;
  format.findChoice('type', ['json_schema']);
  return { type: 'json_schema', name: null, description: null, schema: format.getObject('schema').members, isStrict: true };
}

function readThinking(thinking: JsonObject | null, config: JsonObject | null): ConversationReasoning | null {
  const effort = config?.findChoice('effort', REASONING_EFFORTS) ?? null;
  if (thinking === null) return effort === null ? null : { mode: null, effort, budgetTokens: null };
  switch (thinking.findChoice('type', ['enabled', 'adaptive', 'between_tools', 'disabled'])) {
    case 'enabled':
      return { mode: 'on', effort, budgetTokens: thinking.findInteger('budget_tokens', 1, MOST_OUTPUT_TOKENS) };
    case 'adaptive':
    case 'between_tools':
      return { mode: 'on', effort, budgetTokens: null };
    case 'disabled':
      return { mode: 'off', effort, budgetTokens: null };
    case null:
      throw thinking.fault('type', 'is required');
  }
}
