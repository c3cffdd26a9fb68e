import { parseRefusalWait, parseRetryAfter } from './retry-after';

const NOW_MS = Date.parse('2026-11-20T10:00:00Z');

describe('the wait that an answer asks for', () => {
  it.each([
    [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
    [{ 'retry-after': '2' }, 2000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Fri, 20 Nov 2026 10:00:07 GMT' }, 7000],
    [{ 'retry-after': 'Fri, 20 Nov 2020 10:00:07 GMT' }, 0],
    [{ 'retry-after': '-5' }, 0],
    [{ 'retry-after': '99999999999' }, 86_400_000],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '' }, null],
    [{ 'retry-after-ms': 'x', 'retry-after': ['3', '4'] }, 3000],
    [{}, null],
  ])('reads %j as %p ms', (headers, expected) => {
    expect(parseRetryAfter(headers, NOW_MS)).toBe(expected);
  });
});

describe('the wait until a used up limit frees', () => {
  const requests = (reset: string) => ({ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': reset });

  it.each([
    ['6m0s', 360_000],
    ['120ms', 120],
    ['1h2m3.5s', 3_723_500],
    ['2m59.56s', 179_560],
    ['17us', 1],
    ['1d', 86_400_000],
    ['30', 30_000],
    ['0.25', 250],
    ['2026-11-20T10:00:09Z', 9000],
    ['2026-11-20T10:00:09.5+00:00', 9500],
    [String((NOW_MS + 4000) / 1000), 4000],
    [String(NOW_MS + 5000), 5000],
    ['', null],
    ['6m0', null],
    ['soon', null],
    ['m', null],
  ])('reads %j as %p ms', (reset, expected) => {
    expect(parseRefusalWait(429, requests(reset), NOW_MS)).toBe(expected);
  });

  it('takes the latest of those that are used up, and no notice of the others', () => {
    const headers = {
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-11-20T10:00:02Z',
      'anthropic-ratelimit-output-tokens-remaining': '0',
      'anthropic-ratelimit-output-tokens-reset': '2026-11-20T10:00:05Z',
      'anthropic-ratelimit-tokens-remaining': '1000',
      'anthropic-ratelimit-tokens-reset': '2026-11-20T10:01:00Z',
    };
    expect(parseRefusalWait(429, headers, NOW_MS)).toBe(5000);
    expect(parseRefusalWait(429, { ...headers, 'retry-after': '1' }, NOW_MS)).toBe(1000);
  });

  it('says nothing of an answer that refused nothing', () => {
    expect(parseRefusalWait(500, requests('6m0s'), NOW_MS)).toBeNull();
  });

  it('reads limits without a name', () => {
    expect(parseRefusalWait(429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_MS + 1000) }, NOW_MS)).toBe(1000);
    expect(parseRefusalWait(429, { 'ratelimit-remaining': '0', 'ratelimit-reset': '8' }, NOW_MS)).toBe(8000);
    expect(parseRefusalWait(429, { 'x-ratelimit-reset': '8' }, NOW_MS)).toBeNull();
  });
});
