import Anthropic from '@anthropic-ai/sdk';
import { type DialectClient, keepHeaders, type Question, type SdkAnswer, type Stop, toGoodEnd, TOOLS } from './told';

const OUTPUT_CAP = 4096;

/** Anthropic's official client. */
export function connectAnthropic(url: string, apiKey: string): DialectClient {
  const kept = keepHeaders();
  const client = new Anthropic({ baseURL: url, apiKey, maxRetries: 0, fetch: kept.fetch });
  return {
    name: 'anthropic',
    async ask(model, question) {
      const request = toRequest(model, question);
      const message = question.isStream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
      return toAnswer(message, kept.last());
    },
  };
}

function toRequest(model: string, question: Question): Anthropic.MessageCreateParamsNonStreaming {
  const { before, image, schema } = question;
  const text = { type: 'text' as const, text: question.text };
  const picture = { type: 'image' as const, source: { type: 'base64' as const, media_type: 'image/png' as const, data: image ?? '' } };
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: image === undefined ? question.text : [text, picture] }];
  if (before !== undefined) {
    messages.push({ role: 'assistant', content: before.answer.replay as Anthropic.ContentBlockParam[] });
    messages.push({ role: 'user', content: before.results.map(({ callId, text: content }) => ({ type: 'tool_result', tool_use_id: callId, content })) });
  }
  return {
    model,
    messages,
    max_tokens: question.outputCap ?? OUTPUT_CAP,
    ...(question.instructions === undefined ? {} : { system: question.instructions }),
    ...(question.hasTools === true ? { tools: TOOLS.map(({ name, description, schema: input }) => ({ name, description, input_schema: input === null ? { type: 'object' as const } : { ...input, type: 'object' as const } })) } : {}),
    ...(question.thinks === true ? { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } } : {}),
    ...(schema === undefined ? {} : { output_config: { format: { type: 'json_schema', schema } } }),
  };
}

function toAnswer(message: Anthropic.Message, headers: Headers): SdkAnswer {
  const { content, usage } = message;
  const calls = content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
  const refusal = message.stop_details?.type === 'refusal' ? (message.stop_details.explanation ?? '') : '';
  return {
    told: {
      text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      thinking: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
      calls: calls.map(({ name, input }) => ({ name, args: input })),
      stop: toStop(message.stop_reason, calls),
      refusal,
      usage: {
        input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
        cached: usage.cache_read_input_tokens ?? 0,
        written: usage.cache_creation_input_tokens ?? 0,
        output: usage.output_tokens,
        reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
      },
    },
    callIds: calls.map(({ id }) => id),
    replay: content,
    headers,
  };
}

function toStop(reason: Anthropic.StopReason | null, calls: readonly unknown[]): Stop {
  if (reason === 'tool_use') return 'tools';
  if (reason === 'refusal') return 'refusal';
  if (reason === 'max_tokens') return 'length';
  // Calls without their own stop reason would not be answered by Anthropic's clients.
  return reason === 'end_turn' && toGoodEnd(calls) === 'end' ? 'end' : `other: ${reason}`;
}
