import OpenAI from 'openai';
import { type DialectClient, keepHeaders, type Question, type SdkAnswer, type Stop, toGoodEnd, TOOLS, type ToldUsage } from './told';

/** Thinking has no place in OpenAI's types: Weir, vLLM and OpenRouter write these members. */
type Thinking = { reasoning?: string; reasoning_details?: readonly Readonly<Record<string, unknown>>[] };
type Message = OpenAI.ChatCompletionMessage & Thinking;

/** OpenAI's official client on chat completions. */
export function connectChat(url: string, apiKey: string): DialectClient {
  const kept = keepHeaders();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, fetch: kept.fetch });
  return {
    name: 'chat',
    async ask(model, question) {
      const request = toRequest(model, question);
      const whole = question.isStream ? await collect(client, request) : await client.chat.completions.create(request);
      const [choice] = whole.choices;
      return toAnswer(choice.message, choice.finish_reason, whole.usage, kept.last());
    },
  };
}

function toRequest(model: string, question: Question): OpenAI.ChatCompletionCreateParamsNonStreaming {
  const { before, image, schema } = question;
  const messages: OpenAI.ChatCompletionMessageParam[] = [];
  if (question.instructions !== undefined) messages.push({ role: 'system', content: question.instructions });
  const text = { type: 'text' as const, text: question.text };
  messages.push({ role: 'user', content: image === undefined ? question.text : [text, { type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } }] });
  if (before !== undefined) {
    messages.push(before.answer.replay as Message);
    for (const { callId, text: content } of before.results) messages.push({ role: 'tool', tool_call_id: callId, content });
  }
  return {
    model,
    messages,
    ...(question.hasTools === true ? { tools: TOOLS.map(({ name, description, schema: parameters }) => ({ type: 'function' as const, function: { name, description, ...(parameters === null ? {} : { parameters }) } })) } : {}),
    ...(question.thinks === true ? { reasoning_effort: 'high' } : {}),
    ...(schema === undefined ? {} : { response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } } }),
    ...(question.outputCap === undefined ? {} : { max_completion_tokens: question.outputCap }),
  };
}

/** As the client's own accumulator does; what is not OpenAI's is collected piece by piece, as its users do. */
async function collect(client: OpenAI, request: OpenAI.ChatCompletionCreateParamsNonStreaming): Promise<OpenAI.ChatCompletion> {
  const stream = client.chat.completions.stream({ ...request, stream: true, stream_options: { include_usage: true } });
  let reasoning = '';
  const details: Readonly<Record<string, unknown>>[] = [];
  stream.on('chunk', (chunk) => {
    const delta = chunk.choices[0]?.delta as Thinking | undefined;
    reasoning += delta?.reasoning ?? '';
    details.push(...(delta?.reasoning_details ?? []));
  });
  const whole = await stream.finalChatCompletion();
  const [choice] = whole.choices;
  const { reasoning: _last, reasoning_details: _pieces, parsed: _parsed, ...message } = choice.message as Message & { parsed?: unknown };
  const thinking: Thinking = { ...(reasoning === '' ? {} : { reasoning }), ...(details.length === 0 ? {} : { reasoning_details: details }) };
  return { ...whole, choices: [{ ...choice, message: { ...message, ...thinking } }] };
}

function toAnswer(message: Message, reason: string, usage: OpenAI.CompletionUsage | undefined, headers: Headers): SdkAnswer {
  const calls = (message.tool_calls ?? []).flatMap((call) => (call.type === 'function' ? [call] : []));
  return {
    told: {
      text: message.content ?? '',
      thinking: message.reasoning ?? '',
      calls: calls.map(({ function: { name, arguments: json } }) => ({ name, args: JSON.parse(json === '' ? '{}' : json) as unknown })),
      stop: toStop(reason, message.refusal, calls),
      refusal: message.refusal ?? '',
      usage: toUsage(usage),
    },
    callIds: calls.map(({ id }) => id),
    replay: message,
    headers,
  };
}

function toStop(reason: string, refusal: string | null, calls: readonly unknown[]): Stop {
  // A model that refuses in words of its own ends well.
  if (reason === 'content_filter' || (reason === 'stop' && (refusal ?? '') !== '')) return 'refusal';
  if (reason === 'length') return 'length';
  return reason === 'stop' || reason === 'tool_calls' ? toGoodEnd(calls) : `other: ${reason}`;
}

function toUsage(usage: OpenAI.CompletionUsage | undefined): ToldUsage {
  if (usage === undefined) throw new Error('the answer has no usage');
  return {
    input: usage.prompt_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    written: toCount(usage.prompt_tokens_details, 'cache_write_tokens'),
    output: usage.completion_tokens,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  };
}

/** A count that OpenAI sends and its types do not all have. */
function toCount(details: object | null | undefined, name: string): number {
  return Number(details == null ? 0 : (Reflect.get(details, name) ?? 0));
}
