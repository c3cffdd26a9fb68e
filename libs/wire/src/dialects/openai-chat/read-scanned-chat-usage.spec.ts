import { type UsageUnits } from '@weir/kernel';
import { JsonScanner, readChatUsage, readScannedChatUsage } from '@weir/wire';

const scanner = new JsonScanner();

function read(usage: string): UsageUnits | null {
  const bytes = Buffer.from(`data: {"choices":[],"usage":${usage},"x":{}}`);
  expect(scanner.scan(bytes, 6, bytes.length, { strictKeys: false })).toBe(true);
  return readScannedChatUsage(scanner, scanner.findMember('usage'));
}

const VALUES = ['0', '1', '7', '12', '999999999', '1000000000', '1000000001', '9999999999999999999999', '-1', '-0', '1.0', '1.5', '0.0', '1e2', '1E-2', '1e400', '"5"', '""', 'null', 'true', '[]', '[5]', '{}', '{"cached_tokens":1}'];
const NAMES = ['prompt_tokens', 'completion_tokens', 'total_tokens', 'cached_tokens', 'prompt_cache_hit_tokens', 'cache_creation_input_tokens', 'cache_write_tokens', 'queue_time', '__proto__', 'prompt\\u005ftokens', 'prompt_tokens_details', 'completion_tokens_details', '', 'x}'];
const DETAIL_NAMES = ['cached_tokens', 'cache_write_tokens', 'cache_creation_tokens', 'reasoning_tokens', 'audio_tokens', 'cached\\u005ftokens', '__proto__', 'cached_tokens_details', ''];

describe('usage that is read out of its bytes', () => {
  it('is read as servers write it', () => {
    const usage = '{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0}}';
    expect(read(usage)).toMatchObject({ inputTokens: 19, outputTokens: 10, cachedInputTokens: 4, reasoningTokens: 3, requests: 1 });
    expect(read(JSON.stringify(JSON.parse(usage), null, '\t \r\n'))).toEqual(read(usage));
    expect(read('{"prompt_tokens":5,"total_tokens":6}')).toMatchObject({ inputTokens: 5, outputTokens: 1 });
  });

  it.each(['null', '5', '"x"', '[]', '[{"prompt_tokens":5}]', '{}', '{ }', 'true'])('is none where it is no object with counts: %s', (usage) => {
    expect(read(usage)).toEqual(readChatUsage(JSON.parse(usage)));
  });

  it('is what is read of it when it is parsed, whatever stands under any of its names', () => {
    for (const value of VALUES) {
      for (const name of NAMES) {
        for (const usage of [
          `{"${name}":${value}}`,
          `{"prompt_tokens":5,"completion_tokens":3,"${name}":${value}}`,
          `{ "${name}" : ${value} ,\n "prompt_tokens" : 5 , "completion_tokens":3 }`,
        ]) expect([usage, read(usage)]).toEqual([usage, readChatUsage(JSON.parse(usage))]);
      }
      for (const holder of ['prompt_tokens_details', 'completion_tokens_details']) {
        for (const name of DETAIL_NAMES) {
          const usage = `{"prompt_tokens":15,"${holder}":{"audio_tokens":0,"${name}":${value}},"completion_tokens":13,"total_tokens":28}`;
          expect([usage, read(usage)]).toEqual([usage, readChatUsage(JSON.parse(usage))]);
        }
      }
    }
  });

  it.each([
    '{"prompt_tokens":5,"prompt_tokens":6,"completion_tokens":1}',
    '{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4},"prompt_tokens_details":{}}',
    '{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4,"cached_tokens":1}}',
    '{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4},"prompt_tokens_details":null}',
    '{"prompt_tokens":5,"completion_tokens":1,"prompt\\u005ftokens":7}',
  ])('is the last of what is said twice: %s', (usage) => {
    expect(read(usage)).toEqual(readChatUsage(JSON.parse(usage)));
  });
});
