import { toPassedHeaders, toReturnedHeaders } from './passed-headers';

function toRecord(flat: readonly string[]): Record<string, string> {
  const entries: [string, string][] = [];
  for (let index = 0; index < flat.length; index += 2) entries.push([flat[index], flat[index + 1]]);
  expect(new Set(entries.map(([name]) => name)).size).toBe(entries.length);
  return Object.fromEntries(entries);
}

const OWN = ['anthropic-version', '2023-06-01', 'x-api-key', 'sk-weirs-own'];

describe('toPassedHeaders', () => {
  it.each([
    'host', 'connection', 'keep-alive', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'authorization', 'x-api-key', 'api-key', 'x-goog-api-key',
    'cookie', 'accept-encoding', 'idempotency-key', 'openai-organization', 'openai-project', 'x-forwarded-for', 'forwarded', 'via', 'x-stainless-os', 'x-weir-x', 'sec-fetch-mode', 'cf-ray',
    'content-length', 'if-none-match', 'ocp-apim-subscription-key', 'x-auth-token', 'x-goog-user-project', 'origin', 'referer',
  ])('keeps back %s', (name) => {
    const passed = toRecord(toPassedHeaders({ [name]: 'the callers own' }, OWN, null));
    expect(Object.values(passed)).not.toContain('the callers own');
    expect(passed).toEqual({ 'anthropic-version': '2023-06-01', 'x-api-key': 'sk-weirs-own', 'accept-encoding': 'identity' });
  });

  it('passes the rest as it is, in its order, and its own word goes before Weir’s', () => {
    const passed = toPassedHeaders({ 'x-odd': 'a, "b"; c=ü', accept: '*/*', 'anthropic-version': '2099-01-01', 'anthropic-beta': 'one,two', 'content-type': 'x/y' }, OWN, 5);
    expect(passed).toEqual([
      'x-odd', 'a, "b"; c=ü', 'accept', '*/*', 'anthropic-version', '2099-01-01', 'anthropic-beta', 'one,two', 'content-type', 'x/y', 'x-api-key', 'sk-weirs-own',
      'accept-encoding', 'identity', 'content-length', '5',
    ]);
  });

  it('keeps back what belongs to the connection by its own word', () => {
    expect(toPassedHeaders({ connection: 'close, X-Hop', 'x-hop': '1', 'x-end': '2' }, [], null)).toEqual(['x-end', '2', 'accept-encoding', 'identity']);
  });
});

describe('toReturnedHeaders', () => {
  it.each([
    'connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'set-cookie', 'date', 'server', 'openai-organization', 'openai-project', 'anthropic-organization-id', 'x-request-id', 'request-id',
    'retry-after', 'retry-after-ms', 'x-ratelimit-remaining-tokens', 'anthropic-ratelimit-tokens-reset', 'access-control-allow-origin', 'x-weir-cost-usd', 'location', 'cf-ray', 'x-accel-redirect', 'x-sendfile', 'strict-transport-security',
  ])('keeps back %s', (name) => {
    expect(toReturnedHeaders({ [name]: 'x' })).toEqual([]);
  });

  it('passes the rest, and takes the connection at its word', () => {
    expect(toReturnedHeaders({ 'content-type': 'audio/mpeg', 'content-length': '3', 'x-odd': 'ü', connection: 'x-hop', 'x-hop': '1', etag: '"a"' })).toEqual([
      'content-type', 'audio/mpeg', 'content-length', '3', 'x-odd', 'ü', 'etag', '"a"',
    ]);
  });
});
