import { createHash } from 'node:crypto';
import { type ConversationReasoning, type ConversationRequest, type OutputFormat, REASONING_EFFORTS, type ReasoningEffort, type ToolChoice } from '../conversation';
import { toRefusal } from '../json-object';
import { toEffort, toTakenEffort } from '../reasoning-effort';
import { toChatMessages } from './write-messages';

export interface ChatRequestOptions {
  /** The upstream's name of the model. */
  readonly model: string;
  /** `max_tokens` for servers that do not know its successor. Default: `max_completion_tokens`. */
  readonly outputCapMember?: 'max_completion_tokens' | 'max_tokens';
  /** Default: `system`, which OpenAI's models take for `developer`, and all others know. */
  readonly systemRole?: 'system' | 'developer';
  /** The efforts that the model takes; empty: it takes no `reasoning_effort`. Default: all, and `none`. */
  readonly reasoningEfforts?: readonly (ReasoningEffort | 'none')[];
  /** Sends thinking back as `reasoning_details`. OpenAI refuses that member, so the default is no. */
  readonly keepsReasoning?: boolean;
  /** The server takes `top_k` (vLLM and others; OpenAI does not). */
  readonly takesTopK?: boolean;
  /** Members of the request that the server refuses, and can do without: they are left out, `stream_options` among them. */
  readonly refusedMembers?: readonly string[];
}

/** OpenAI's own limits. */
const MOST_STOP_SEQUENCES = 4;
const MOST_TOOL_NAME_CHARACTERS = 64;
const MOST_USER_CHARACTERS = 64;

/**
 * Writes a request for an upstream that speaks OpenAI's chat dialect, as JSON text. Usage in a stream
 * is always asked for, unless the server refuses to be asked.
 * @throws WeirError invalid_request for what the dialect cannot say; it names the caller's field
 */
export function writeChatRequest(request: ConversationRequest, options: ChatRequestOptions): string {
  assertSayable(request);
  const hasTools = request.tools.length > 0;
  const body = {
    model: options.model,
    messages: toChatMessages(request, options),
    // Refused by OpenAI where there are no tools.
    ...(hasTools ? toToolMembers(request) : {}),
    [options.outputCapMember ?? 'max_completion_tokens']: request.outputCap ?? undefined,
    temperature: request.temperature ?? undefined,
    top_p: request.topP ?? undefined,
    top_k: options.takesTopK === true ? (request.topK ?? undefined) : undefined,
    frequency_penalty: request.frequencyPenalty ?? undefined,
    presence_penalty: request.presencePenalty ?? undefined,
    seed: request.seed ?? undefined,
    stop: request.stopSequences.length === 0 ? undefined : request.stopSequences,
    response_format: toResponseFormat(request.outputFormat),
    reasoning_effort: toReasoningEffort(request.reasoning, options.reasoningEfforts ?? ['none', ...REASONING_EFFORTS]),
    user: toUser(request.user),
    metadata: Object.keys(request.metadata).length === 0 ? undefined : request.metadata,
    ...(request.isStream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return JSON.stringify(leaveOut(body, options.refusedMembers ?? []));
}

function leaveOut(body: object, refused: readonly string[]): object {
  return refused.length === 0 ? body : Object.fromEntries(Object.entries(body).filter(([name]) => !refused.includes(name)));
}

function assertSayable(request: ConversationRequest): void {
  const { fields } = request;
  if (request.stopSequences.length > MOST_STOP_SEQUENCES) throw toRefusal(fields.stopSequences, `may hold at most ${MOST_STOP_SEQUENCES} texts for this model`);
  const long = request.tools.findIndex(({ name }) => name.length > MOST_TOOL_NAME_CHARACTERS);
  if (long !== -1) throw toRefusal(fields.toolName(long), `may have at most ${MOST_TOOL_NAME_CHARACTERS} characters for this model`);
  // The model would begin a new message instead of going on with this one.
  if (request.turns.at(-1)?.role === 'assistant') throw toRefusal(fields.messages, 'must not end with the assistant: this model cannot go on with a text that was begun');
}

function toToolMembers({ tools, toolChoice, isParallelToolUse }: ConversationRequest): object {
  return {
    tools: tools.map(({ name, description, schema, isStrict }) => ({
      type: 'function',
      function: { name, description: description ?? undefined, parameters: schema, strict: isStrict ? true : undefined },
    })),
    tool_choice: toToolChoice(toolChoice),
    parallel_tool_calls: isParallelToolUse ?? undefined,
  };
}

function toToolChoice(choice: ToolChoice | null): unknown {
  if (choice === null) return undefined;
  return choice.type === 'tool' ? { type: 'function', function: { name: choice.name } } : choice.type;
}

function toResponseFormat(format: OutputFormat | null): unknown {
  if (format === null || format.type === 'json_object') return format ?? undefined;
  const { name, description, schema, isStrict } = format;
  return { type: 'json_schema', json_schema: { name: name ?? 'answer', description: description ?? undefined, schema, strict: isStrict ? true : undefined } };
}

function toReasoningEffort(reasoning: ConversationReasoning | null, taken: readonly (ReasoningEffort | 'none')[]): string | undefined {
  if (reasoning === null) return undefined;
  if (reasoning.mode === 'off' && taken.includes('none')) return 'none';
  // The nearest to not thinking at all.
  const effort = reasoning.mode === 'off' ? 'minimal' : toEffort(reasoning);
  return effort === null ? undefined : (toTakenEffort(effort, taken.filter((candidate) => candidate !== 'none')) ?? undefined);
}

/** OpenAI refuses long ones, and recommends a hash. */
function toUser(user: string | null): string | undefined {
  if (user === null) return undefined;
  return user.length <= MOST_USER_CHARACTERS ? user : createHash('sha256').update(user).digest('hex');
}
