import { type WeirError } from '@weir/kernel';
import { parseDemoChatRequest, toDemoChatAnswer, toDemoChatChunks, toDemoEvents } from '@weir/providers';

const stamp = { id: 'chatcmpl-1', createdSeconds: 1_700_000_000 };
const ask = (body: object) =>
  parseDemoChatRequest({ model: 'demo/echo', messages: [{ role: 'user', content: 'one two three' }], ...body });
const chunksOf = (body: object) => [...toDemoChatChunks(ask({ stream: true, ...body }), stamp)];
const textOf = (chunks: ReturnType<typeof chunksOf>, index = 0) =>
  chunks.flatMap((chunk) => chunk.choices.filter((choice) => choice.index === index)).map((choice) => choice.delta.content ?? '').join('');

describe('demo/echo chat', () => {
  it('says the last user message back, with text parts joined and others left out', () => {
    const answer = toDemoChatAnswer(
      ask({
        messages: [
          { role: 'user', content: 'first' },
          { role: 'assistant', content: null, tool_calls: [] },
          { role: 'user', content: [{ type: 'text', text: 'hel' }, { type: 'image_url', image_url: { url: 'x' } }, { type: 'text', text: 'lo' }] },
          { role: 'system', content: 'last' },
        ],
        tools: [{ type: 'function', function: { name: 'f' } }],
      }),
      stamp,
    );
    expect(answer.choices).toEqual([
      { index: 0, message: { role: 'assistant', content: 'hello', refusal: null, annotations: [] }, logprobs: null, finish_reason: 'stop' },
    ]);
    // first 2, hello 2, last 1; said: hello 2.
    expect(answer.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 });
  });

  it('stops at the smaller of both output limits and says so', () => {
    const answer = toDemoChatAnswer(ask({ max_tokens: 9, max_completion_tokens: 2 }), stamp);
    expect(answer.choices[0]).toMatchObject({ message: { content: 'one two' }, finish_reason: 'length' });
    expect(answer.usage.completion_tokens).toBe(2);
  });

  it('finishes with "stop" when the limit is exactly what it says', () => {
    const whole = toDemoChatAnswer(ask({}), stamp).usage.completion_tokens;
    expect(toDemoChatAnswer(ask({ max_tokens: whole }), stamp).choices[0].finish_reason).toBe('stop');
  });

  it('ends before the first stop sequence that occurs', () => {
    const answer = toDemoChatAnswer(ask({ stop: ['three', ' two'] }), stamp);
    expect(answer.choices[0]).toMatchObject({ message: { content: 'one' }, finish_reason: 'stop' });
  });

  it('answers n choices and charges for each', () => {
    const answer = toDemoChatAnswer(ask({ n: 3 }), stamp);
    expect(answer.choices.map((choice) => choice.index)).toEqual([0, 1, 2]);
    expect(answer.usage.completion_tokens).toBe(3 * toDemoChatAnswer(ask({}), stamp).usage.completion_tokens);
  });

  it('streams a role chunk, the text, the reason, and no usage unless asked', () => {
    const chunks = chunksOf({});
    expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: '', refusal: null });
    expect(textOf(chunks)).toBe('one two three');
    expect(chunks.at(-1)?.choices).toEqual([{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }]);
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  it('carries usage null on every chunk and the numbers on one more without choices, when asked', () => {
    const chunks = chunksOf({ stream_options: { include_usage: true }, n: 2 });
    const last = chunks.at(-1);
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(last?.choices).toEqual([]);
    expect(last?.usage).toEqual(toDemoChatAnswer(ask({ n: 2 }), stamp).usage);
    expect(textOf(chunks, 1)).toBe('one two three');
  });

  it('ends its events with [DONE]', () => {
    const events = [...toDemoEvents(chunksOf({}))];
    expect(events.at(-1)).toBe('data: [DONE]\n\n');
    expect(events.every((event) => /^data: [^\n]+\n\n$/.test(event))).toBe(true);
  });

  it.each([
    [{ messages: [] }, 'messages'],
    [{ messages: ['hi'] }, 'messages[0]'],
    [{ messages: [{ role: 'user', content: 1 }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_completion_tokens: 1.5 }, 'max_completion_tokens'],
    [{ n: 129 }, 'n'],
    [{ stop: [1] }, 'stop'],
    [{ model: '' }, 'model'],
    [{ stream_options: { include_usage: true } }, 'stream_options'],
  ])('refuses %j and names %s', (body, param) => {
    let thrown: unknown;
    try {
      ask(body);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'invalid_request', param } satisfies Partial<WeirError>);
  });
});
