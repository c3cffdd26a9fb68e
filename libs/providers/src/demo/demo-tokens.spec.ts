import { countDemoTokens, DEMO_LARGEST_OUTPUT_TOKENS, parseDemoChatRequest, toDemoChatAnswer, toDemoTokens } from '@weir/providers';

describe('demo/echo tokens', () => {
  it.each(['', 'a', 'hello world', '  two  spaces \n\n', 'ünïcödé 😀😀😀😀😀 family 👨‍👩‍👧', '😀'.repeat(9), 'x'.repeat(1000)])(
    'join to the text %j again, and are as many as were counted',
    (text) => {
      const tokens = toDemoTokens(text, Infinity);
      expect(tokens.join('')).toBe(text);
      expect(tokens).toHaveLength(countDemoTokens(text));
      expect(tokens.every((token) => token.isWellFormed())).toBe(true);
    },
  );

  it('never say more than the largest output, whatever the prompt', () => {
    const request = parseDemoChatRequest({ model: 'm', messages: [{ role: 'user', content: 'word '.repeat(10_000) }] });
    const answer = toDemoChatAnswer(request, { id: 'x', createdSeconds: 1 });
    expect(answer.usage.completion_tokens).toBe(DEMO_LARGEST_OUTPUT_TOKENS);
    expect(answer.choices[0].finish_reason).toBe('length');
  });
});
