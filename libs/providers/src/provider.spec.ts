import { getProvider, PROVIDER_NAMES, toUpstreamFormat } from '@weir/providers';

describe.each(PROVIDER_NAMES)('%s', (name) => {
  const provider = getProvider(name);
  const address = { origin: 'http://host', basePath: '', options: {} };

  it('bears any error body', () => {
    const deep = '['.repeat(20_000);
    for (const text of ['', 'null', '[]', '[[]]', '"x"', '5', '{}', '{"error":null}', '{"error":[]}', '\u0000', '{"error":{"message":{}}}', '{"error":{"details":[null,5,{"@type":null}]}}', '{"error":{"message":"half', deep]) {
      const failure = provider.readFailure(400, {}, Buffer.from(text), 0);
      expect(failure).toMatchObject({ failureClass: 'caller', status: 400, message: 'The upstream answered 400.', retryAfterMs: null });
    }
  });

  it('blames itself, never the caller, for an error of its own', () => {
    for (const status of [300, 302, 500, 502, 503, 504, 529]) {
      expect(provider.readFailure(status, {}, Buffer.from('<html>'), 0).failureClass).toBe('fault');
    }
  });

  it('tells a refused key and a spent rate by the status alone, where the body says nothing', () => {
    expect(provider.readFailure(401, {}, Buffer.alloc(0), 0).failureClass).toBe('bad_key');
    expect(provider.readFailure(402, {}, Buffer.alloc(0), 0).failureClass).toBe('quota_exhausted');
    expect(provider.readFailure(429, { 'retry-after': '2' }, Buffer.alloc(0), 0)).toMatchObject({ failureClass: 'throttled', retryAfterMs: 2000 });
  });

  it('has a path for each format that it lists', () => {
    for (const formats of Object.values(provider.formats)) {
      expect(formats.length).toBeGreaterThan(0);
      for (const format of formats) expect(provider.toPath(address, format, 'm', false)).toMatch(/^\/[\w/:.?=-]+$/);
    }
  });

  it('has no header that is not lower-case, or that carries a caller in', () => {
    const headers = provider.toHeaders(address);
    expect(headers.length % 2).toBe(0);
    const names = [...headers.filter((_, index) => index % 2 === 0), ...provider.passedHeaders];
    for (const header of names) expect(header).toMatch(/^[a-z][a-z-]*$/);
    for (const header of provider.passedHeaders) expect(['authorization', 'cookie', 'x-api-key', 'host', 'content-length']).not.toContain(header);
  });
});

it("speaks the caller's format where it can, and else its first", () => {
  expect(toUpstreamFormat(getProvider('openai'), 'chat', 'openai-responses')).toBe('openai-responses');
  expect(toUpstreamFormat(getProvider('openai'), 'chat', 'anthropic')).toBe('openai-chat');
  expect(toUpstreamFormat(getProvider('gemini'), 'embeddings', 'openai-embeddings')).toBe('gemini-embed-batch');
  expect(toUpstreamFormat(getProvider('anthropic'), 'embeddings', 'openai-embeddings')).toBeNull();
});
