import { type SimulatorCall } from './simulator-call';
import { isOpenServer, type SpokenFormat } from './provider-scenes';

// What the providers refuse a request for, as far as a gateway may get it wrong. Bodies are read
// loosely: a test's own provider reads them, and nothing is decided by it but the test.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Loose = any;

/** Why the provider would refuse the request; null where it would not. */
export function findRequestFault(format: SpokenFormat, call: SimulatorCall): string | null {
  const body: Loose = call.json;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'the body is no JSON object';
  switch (format) {
    case 'anthropic':
      return findUnknown(body, ANTHROPIC_MEMBERS) ?? findAnthropicFault(call, body);
    case 'gemini':
      return findUnknown(body, GEMINI_MEMBERS) ?? findGeminiFault(body);
    case 'openai-chat':
      return findUnknown(body, CHAT_MEMBERS) ?? findChatFault(body);
    case 'openai-responses':
      return body.input === undefined ? 'input: missing' : null;
  }
}

const ANTHROPIC_MEMBERS =
  'model messages max_tokens system tools tool_choice stream temperature top_p top_k stop_sequences metadata thinking output_config service_tier cache_control context_management container mcp_servers inference_geo speed';
const GEMINI_MEMBERS = 'contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels';
const CHAT_MEMBERS =
  'model messages tools tool_choice parallel_tool_calls max_completion_tokens max_tokens temperature top_p top_k frequency_penalty presence_penalty seed stop response_format reasoning_effort user metadata stream stream_options n logprobs store service_tier safety_identifier verbosity';

function findUnknown(body: Loose, known: string): string | null {
  const unknown = Object.keys(body).find((name) => !known.split(' ').includes(name));
  return unknown === undefined ? null : `${unknown}: Extra inputs are not permitted`;
}

function findAnthropicFault(call: SimulatorCall, body: Loose): string | null {
  if (call.headers['anthropic-version'] === undefined) return 'anthropic-version: header is required';
  if (!Number.isInteger(body.max_tokens) || body.max_tokens < 1) return 'max_tokens: Field required';
  for (const name of ['temperature', 'top_p', 'top_k']) if (body[name] !== undefined) return `${name} is not taken by this model`;
  if (body.messages[0]?.role !== 'user') return 'messages: first message must use the "user" role';
  let pending: string[] = [];
  for (const [index, { role, content }] of body.messages.entries()) {
    const blocks: Loose[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    const fault = blocks.map((block) => findBlockFault(role, block)).find((found) => found !== null);
    if (fault !== undefined || blocks.length === 0) return `messages.${index}: ${fault ?? 'must have non-empty content'}`;
    const results = blocks.filter(({ type }) => type === 'tool_result').map(({ tool_use_id }) => tool_use_id);
    if (pending.join() !== results.join() || blocks.slice(0, results.length).some(({ type }) => type !== 'tool_result')) {
      return `messages.${index}: tool_use ids were found without tool_result blocks immediately after: ${pending.join()}`;
    }
    pending = blocks.filter(({ type }) => type === 'tool_use').map(({ id }) => id);
  }
  return null;
}

const ANTHROPIC_BLOCKS: Readonly<Record<string, readonly string[]>> = {
  user: ['text', 'image', 'document', 'tool_result'],
  assistant: ['text', 'thinking', 'redacted_thinking', 'tool_use'],
  system: ['text'],
};

function findBlockFault(role: string, block: Loose): string | null {
  if (ANTHROPIC_BLOCKS[role]?.includes(block.type) !== true) return `a block of type ${block.type} in a message of ${role}`;
  switch (block.type) {
    case 'text':
      return typeof block.text === 'string' && block.text !== '' ? null : 'text content blocks must be non-empty';
    case 'thinking':
      return /^Eq/.test(block.signature ?? '') ? null : 'Invalid `signature` in `thinking` block';
    case 'redacted_thinking':
      return /^Em/.test(block.data ?? '') ? null : 'Invalid `data` in `redacted_thinking` block';
    case 'tool_use':
      return /^[\w-]+$/.test(block.id) && isObject(block.input) ? null : 'tool_use: input: Input should be a valid dictionary';
    default:
      return null;
  }
}

function findGeminiFault({ contents }: Loose): string | null {
  let calls = 0;
  for (const [index, { role, parts }] of contents.entries()) {
    if (!['user', 'model', undefined].includes(role)) return `contents[${index}].role: Please use a valid role: user, model.`;
    if (!Array.isArray(parts) || parts.length === 0) return `contents[${index}].parts: must include at least one parts field`;
    const fault = parts.map(findPartFault).find((found: string | null) => found !== null);
    if (fault !== undefined) return `contents[${index}]: ${fault}`;
    const results = parts.filter(({ functionResponse }: Loose) => functionResponse !== undefined).length;
    if (results !== calls) return 'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.';
    const called: Loose[] = parts.filter(({ functionCall }: Loose) => functionCall !== undefined);
    if (called.length > 0 && called[0].thoughtSignature === undefined) return `Function call \`${called[0].functionCall.name}\` is missing a thought_signature`;
    calls = called.length;
  }
  return null;
}

const PART_KINDS = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse'];

function findPartFault(part: Loose): string | null {
  const kinds = PART_KINDS.filter((kind) => part[kind] !== undefined);
  if (kinds.length > 1) return 'oneof field `data` is already set';
  if (part.functionCall !== undefined && !isObject(part.functionCall.args ?? {})) return 'functionCall.args: Proto field is not repeating';
  if (part.functionResponse !== undefined && !isObject(part.functionResponse.response)) return 'functionResponse.response: required';
  if (part.thoughtSignature !== undefined && !/^[\w+/-]+=*$/.test(part.thoughtSignature)) return 'thoughtSignature: Base64 decoding failed';
  return null;
}

const THINKING_MEMBERS = ['reasoning', 'reasoning_content', 'reasoning_details'];

function findChatFault({ model, messages, stream, stream_options }: Loose): string | null {
  if (stream !== true && stream_options !== undefined) return "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
  const pending = new Set<string>();
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (!pending.delete(message.tool_call_id)) return `messages[${index}]: 'tool' must be a response to a preceding message with 'tool_calls'.`;
      continue;
    }
    if (pending.size > 0) return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.`;
    if (!['system', 'developer', 'user', 'assistant'].includes(message.role)) return `messages[${index}].role: Invalid value`;
    if (message.role === 'user' && (message.content === null || message.content.length === 0)) return `messages[${index}].content: expected a string`;
    const thinking = THINKING_MEMBERS.find((name) => message[name] !== undefined);
    // Servers of open models take back what they have written.
    if (thinking !== undefined && !isOpenServer(String(model))) return `messages[${index}].${thinking}: Unrecognized`;
    for (const { id, function: called } of message.tool_calls ?? []) {
      if (typeof called.arguments !== 'string') return `messages[${index}].tool_calls: arguments must be a string`;
      pending.add(id);
    }
  }
  return pending.size > 0 ? 'tool messages are missing' : null;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
