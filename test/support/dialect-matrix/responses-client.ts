import OpenAI from 'openai';
import { type Response, type ResponseCreateParamsNonStreaming, type ResponseInputItem } from 'openai/resources/responses/responses';
import { type DialectClient, keepHeaders, type Question, type SdkAnswer, type Stop, toGoodEnd, TOOLS } from './told';

/** OpenAI's official client on responses. */
export function connectResponses(url: string, apiKey: string): DialectClient {
  const kept = keepHeaders();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, fetch: kept.fetch });
  return {
    name: 'responses',
    async ask(model, question) {
      const request = toRequest(model, question);
      const response = question.isStream ? await client.responses.stream({ ...request, stream: true }).finalResponse() : await client.responses.create(request);
      return toAnswer(response, kept.last());
    },
  };
}

function toRequest(model: string, question: Question): ResponseCreateParamsNonStreaming {
  const { before, image, schema } = question;
  const input: ResponseInputItem[] = [{ role: 'user', content: question.text }];
  if (image !== undefined) {
    const picture = { type: 'input_image' as const, image_url: `data:image/png;base64,${image}`, detail: 'auto' as const };
    input[0] = { role: 'user', content: [{ type: 'input_text', text: question.text }, picture] };
  }
  if (before !== undefined) {
    input.push(...(before.answer.replay as ResponseInputItem[]));
    for (const { callId, text: output } of before.results) input.push({ type: 'function_call_output', call_id: callId, output });
  }
  return {
    model,
    input,
    store: false,
    ...(question.instructions === undefined ? {} : { instructions: question.instructions }),
    ...(question.hasTools === true ? { tools: TOOLS.map(({ name, description, schema: parameters }) => ({ type: 'function' as const, name, description, parameters, strict: false })) } : {}),
    ...(question.thinks === true ? { reasoning: { effort: 'high', summary: 'auto' }, include: ['reasoning.encrypted_content'] } : {}),
    ...(schema === undefined ? {} : { text: { format: { type: 'json_schema', name: 'answer', strict: true, schema } } }),
    ...(question.outputCap === undefined ? {} : { max_output_tokens: question.outputCap }),
  };
}

function toAnswer(response: Response, headers: Headers): SdkAnswer {
  if (response.error !== null && response.error !== undefined) throw new Error(`${response.error.code}: ${response.error.message}`);
  const { output, usage } = response;
  if (usage === undefined) throw new Error('the answer has no usage');
  const calls = output.flatMap((item) => (item.type === 'function_call' ? [item] : []));
  const contents = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const refusal = contents.map((content) => (content.type === 'refusal' ? content.refusal : '')).join('');
  return {
    told: {
      text: response.output_text,
      thinking: output.flatMap((item) => (item.type === 'reasoning' ? item.summary : [])).map(({ text }) => text).join(''),
      calls: calls.map(({ name, arguments: json }) => ({ name, args: JSON.parse(json) as unknown })),
      stop: toStop(response, refusal, calls),
      refusal,
      usage: {
        input: usage.input_tokens,
        cached: usage.input_tokens_details.cached_tokens,
        written: Number(Reflect.get(usage.input_tokens_details, 'cache_write_tokens') ?? 0),
        output: usage.output_tokens,
        reasoning: usage.output_tokens_details.reasoning_tokens,
      },
    },
    callIds: calls.map(({ call_id }) => call_id),
    replay: output,
    headers,
  };
}

function toStop({ status, incomplete_details }: Response, refusal: string, calls: readonly unknown[]): Stop {
  if (incomplete_details?.reason === 'content_filter' || (status === 'completed' && refusal !== '')) return 'refusal';
  if (status === 'incomplete' && incomplete_details?.reason === 'max_output_tokens') return 'length';
  return status === 'completed' ? toGoodEnd(calls) : `other: ${status} ${incomplete_details?.reason}`;
}
