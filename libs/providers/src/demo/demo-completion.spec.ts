import { parseDemoCompletionRequest, toDemoCompletionAnswer, toDemoCompletionChunks } from '@weir/providers';

const stamp = { id: 'cmpl-1', createdSeconds: 1 };
const ask = (body: object) => parseDemoCompletionRequest({ model: 'demo/echo', ...body });

describe('demo/echo completions', () => {
  it('answer n choices for each prompt, in order', () => {
    const answer = toDemoCompletionAnswer(ask({ prompt: ['a', 'b'], n: 2 }), stamp);
    expect(answer.choices.map(({ index, text }) => [index, text])).toEqual([[0, 'a'], [1, 'a'], [2, 'b'], [3, 'b']]);
    expect(answer.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 4, total_tokens: 6 });
  });

  it('stream the same text and the same usage as they answer', () => {
    const body = { prompt: 'one two three', max_tokens: 2 };
    const answer = toDemoCompletionAnswer(ask(body), stamp);
    const chunks = [...toDemoCompletionChunks(ask({ ...body, stream: true, stream_options: { include_usage: true } }), stamp)];
    expect(chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.text).join('')).toBe(answer.choices[0].text);
    expect(chunks.at(-2)?.choices[0].finish_reason).toBe('length');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: answer.usage });
  });

  it('take token numbers and an empty prompt', () => {
    expect(toDemoCompletionAnswer(ask({ prompt: [7, 8] }), stamp)).toMatchObject({ choices: [{ text: '7 8' }], usage: { prompt_tokens: 2 } });
    expect(toDemoCompletionAnswer(ask({ prompt: '' }), stamp)).toMatchObject({ choices: [{ text: '', finish_reason: 'stop' }] });
  });
});
