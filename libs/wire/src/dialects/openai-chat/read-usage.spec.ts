import { zeroUsage } from '@weir/kernel';
import { readChatUsage as read } from './read-usage';

describe("usage in OpenAI's words", () => {
  it('reads chat, completion and embedding usage', () => {
    expect(
      read({
        prompt_tokens: 9,
        completion_tokens: 12,
        total_tokens: 21,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 3, audio_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 5, audio_tokens: 1 },
      }),
    ).toEqual({ ...zeroUsage(), inputTokens: 9, cachedInputTokens: 4, cacheWriteTokens: 3, outputTokens: 12, reasoningTokens: 5, requests: 1 });
    expect(read({ prompt_tokens: 5, total_tokens: 5 })).toEqual({ ...zeroUsage(), inputTokens: 5, requests: 1 });
    expect(read({ prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: null })).toMatchObject({ inputTokens: 5, outputTokens: 1 });
    expect(read({ prompt_tokens: 5, completion_tokens: null, prompt_tokens_details: { cached_tokens: null } })).toMatchObject({ inputTokens: 5, cachedInputTokens: 0 });
    expect(read({ prompt_tokens: 0, completion_tokens: 0 })).toMatchObject({ inputTokens: 0, outputTokens: 0, requests: 1 });
  });

  it('has every unit in the order of all others, so that the road sees one shape', () => {
    expect(Object.keys(read({ prompt_tokens: 1, completion_tokens: 2 }) ?? {})).toEqual(Object.keys(zeroUsage()));
  });

  it.each([
    [{ cache_write_tokens: 7 }, {}, 7],
    [{ cache_creation_tokens: 7 }, {}, 7],
    [{}, { cache_creation_input_tokens: 7 }, 7],
    [{ cache_write_tokens: 7 }, { cache_creation_input_tokens: 1 }, 7],
    [{ cache_write_tokens: 500 }, {}, 8],
    [{ cache_write_tokens: null }, {}, 0],
  ])('reads cache writes however they are named, up to what the input leaves: %j %j', (details, more, expected) => {
    expect(read({ prompt_tokens: 10, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2, ...details }, ...more })).toMatchObject({
      inputTokens: 10,
      cachedInputTokens: 2,
      cacheWriteTokens: expected,
    });
  });

  it.each([[{ cached_tokens: 3 }], [{ prompt_cache_hit_tokens: 3 }], [{ prompt_tokens_details: { cached_tokens: 3 }, prompt_cache_hit_tokens: 9 }]])(
    'reads cached tokens however they are named: %j',
    (more) => {
      expect(read({ prompt_tokens: 10, completion_tokens: 1, ...more })).toMatchObject({ cachedInputTokens: 3 });
    },
  );

  it('counts thinking that only the total has as output', () => {
    // xAI names it, Gemini does not.
    expect(read({ prompt_tokens: 5, completion_tokens: 1, total_tokens: 306, completion_tokens_details: { reasoning_tokens: 300 } })).toMatchObject({ outputTokens: 301, reasoningTokens: 300 });
    expect(read({ prompt_tokens: 5, completion_tokens: 1, total_tokens: 306 })).toMatchObject({ outputTokens: 301, reasoningTokens: 300 });
  });

  it.each([3, 6, -1, 6.5, 1e300, '9', null, undefined, {}])('takes no notice of a total that says nothing: %j', (total) => {
    expect(read({ prompt_tokens: 5, completion_tokens: 1, total_tokens: total })).toMatchObject({ inputTokens: 5, outputTokens: 1, reasoningTokens: 0 });
  });

  it.each([
    null,
    undefined,
    'x',
    [],
    {},
    { completion_tokens: 1 },
    { prompt_tokens: -1, completion_tokens: 1 },
    { prompt_tokens: 1.5, completion_tokens: 1 },
    { prompt_tokens: 1e300, completion_tokens: 1 },
    { prompt_tokens: 1_000_000_001, completion_tokens: 1 },
    { prompt_tokens: '5', completion_tokens: 1 },
    { prompt_tokens: 5, completion_tokens: -1 },
    { prompt_tokens: 5, completion_tokens: '1' },
    { prompt_tokens: 5, completion_tokens: 2 ** 63 },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 6 } },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -1 } },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cache_write_tokens: -1 } },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cache_write_tokens: '1' } },
    { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 2 } },
    { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 0.5 } },
  ])('believes no lie: %j', (usage) => {
    expect(read(usage)).toBeNull();
  });
});
