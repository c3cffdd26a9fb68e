import { type ConversationRequest, type ConversationTool, type OutputFormat, type ToolChoice } from '../conversation';
import { toRefusal } from '../json-object';
import { type AnthropicModelTraits, toAnthropicModelTraits } from './model-traits';
import { toThinking } from './to-thinking';
import { toAnthropicMessages } from './write-messages';

export interface AnthropicRequestOptions {
  /** The upstream's name of the model. */
  readonly model: string;
  /** `max_tokens` for callers that set no cap: Anthropic demands one. The model table's largest output. */
  readonly defaultOutputCap: number;
  /** Default: by the model's name. */
  readonly traits?: AnthropicModelTraits;
}

/**
 * Writes a request for Anthropic's `POST /v1/messages`, as JSON text.
 * @throws WeirError invalid_request for what the dialect cannot say; it names the caller's field
 */
export function writeAnthropicRequest(request: ConversationRequest, options: AnthropicRequestOptions): string {
  assertSayable(request);
  const traits = options.traits ?? toAnthropicModelTraits(options.model);
  const outputCap = request.outputCap ?? options.defaultOutputCap;
  const { thinking, effort } = toThinking(request, traits, outputCap);
  const { system, messages } = toAnthropicMessages(request, traits);
  if (messages.length === 0) throw toRefusal(request.fields.messages, 'must hold a message of the user for this model');
  const format = toFormat(request.outputFormat);
  const hasTools = request.tools.length > 0;
  return JSON.stringify({
    model: options.model,
    max_tokens: outputCap,
    system: system.length === 0 ? undefined : system,
    messages,
    ...(hasTools ? { tools: request.tools.map(toTool), tool_choice: toToolChoice(request.toolChoice, request.isParallelToolUse) } : {}),
    ...(traits.takesSampling ? toSampling(request, thinking !== undefined) : {}),
    stop_sequences: request.stopSequences.length === 0 ? undefined : request.stopSequences,
    thinking,
    output_config: effort === undefined && format === undefined ? undefined : { effort, format },
    metadata: request.user === null ? undefined : { user_id: request.user },
    stream: request.isStream ? true : undefined,
  });
}

function assertSayable({ fields, frequencyPenalty, presencePenalty, outputFormat, stopSequences }: ConversationRequest): void {
  if ((frequencyPenalty ?? 0) !== 0) throw toRefusal(fields.frequencyPenalty, 'must be 0 for this model');
  if ((presencePenalty ?? 0) !== 0) throw toRefusal(fields.presencePenalty, 'must be 0 for this model');
  if (outputFormat?.type === 'json_object') throw toRefusal(fields.outputFormat, 'must be a JSON schema for this model: it has no mode for any JSON');
  if (stopSequences.some((text) => text.trim() === '')) throw toRefusal(fields.stopSequences, 'must hold more than white space for this model');
}

function toTool({ name, description, schema, isStrict }: ConversationTool): object {
  return { name, description: description ?? undefined, input_schema: schema, strict: isStrict ? true : undefined };
}

function toToolChoice(choice: ToolChoice | null, isParallelToolUse: boolean | null): object | undefined {
  // Parallel use is a member of the choice, so that there must be one; `none` has no such member.
  const disabling = isParallelToolUse === null ? {} : { disable_parallel_tool_use: !isParallelToolUse };
  if (choice === null) return isParallelToolUse === null ? undefined : { type: 'auto', ...disabling };
  switch (choice.type) {
    case 'none':
      return { type: 'none' };
    case 'auto':
      return { type: 'auto', ...disabling };
    case 'required':
      return { type: 'any', ...disabling };
    case 'tool':
      return { type: 'tool', name: choice.name, ...disabling };
  }
}

/** Beside thinking none of them may be set; temperature and top_p not both; a temperature above 1 becomes 1. */
function toSampling({ temperature, topP, topK }: ConversationRequest, isThinking: boolean): object {
  if (isThinking) return {};
  return {
    temperature: temperature === null ? undefined : Math.min(temperature, 1),
    top_p: temperature === null ? (topP ?? undefined) : undefined,
    // -1 is how some servers say "no limit".
    top_k: topK === null || topK <= 0 ? undefined : topK,
  };
}

function toFormat(format: OutputFormat | null): object | undefined {
  return format?.type === 'json_schema' ? { type: 'json_schema', schema: format.schema } : undefined;
}
