import { isProxyPath, matchProxyPath } from './match-proxy-path';

describe('a URL under /proxy/', () => {
  it.each([
    ['/proxy/openai/v1/chat/completions', 'openai', '/v1/chat/completions', ''],
    ['/proxy/openai', 'openai', '/', ''],
    ['/proxy/openai/', 'openai', '/', ''],
    ['/proxy/my%20gpu/embed', 'my gpu', '/embed', ''],
    ['/proxy/a%2Fb/embed', 'a/b', '/embed', ''],
    ['/proxy/gemini/v1beta/models/gemini-3:generateContent?alt=sse', 'gemini', '/v1beta/models/gemini-3:generateContent', '?alt=sse'],
    ['/proxy/x/a..b/.hidden/c.', 'x', '/a..b/.hidden/c.', ''],
    ['/proxy/x/%C3%BC/a%20b', 'x', '/%C3%BC/a%20b', ''],
    ['/proxy/x/a/?b=//../%2e%2e&c', 'x', '/a/', '?b=//../%2e%2e&c'],
    ['/proxy/x/a?', 'x', '/a', '?'],
  ])('%s', (url, name, path, query) => {
    expect(isProxyPath(url)).toBe(true);
    expect(matchProxyPath(url)).toEqual({ name, path, query });
  });

  it.each([
    '/proxy/', '/proxy//v1/x', '/proxy/%zz/x', '/proxy/x/..', '/proxy/x/../y', '/proxy/x/a/../../y', '/proxy/x/.', '/proxy/x/./y', '/proxy/x/%2e%2e/y', '/proxy/x/%2E./y',
    '/proxy/x/a%2f..%2fb', '/proxy/x/a%2Fb', '/proxy/x/a%5cb', '/proxy/x/a\\b', '/proxy/x//y', '/proxy/x/a//b', '/proxy/x/a%00b', '/proxy/x/a%0d%0ahost:b', '/proxy/x/a%1fb',
    '/proxy/x/a%7fb', '/proxy/x/a%252e', '/proxy/x/a b', '/proxy/x/a\tb', '/proxy/x/ü', '/proxy/x/a"b', '/proxy/x/a%zz', '/proxy/x/a%c0%ae%c0%ae/b', '/proxy/x/..;/metrics',
    '/proxy/x/a%3b/b', '/proxy/x/%6detrics', '/proxy/x/%4D', '/proxy/x/%31', '/proxy/x/a%3fb', '/proxy/x/a%23b', '/proxy/x/a#b', '/proxy/x/a?b c', '/proxy/x/a?b\x01', '/proxy/x/a?ü',
  ])('that could lead elsewhere is refused: %j', (url) => {
    expect(() => matchProxyPath(url)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });

  it.each([
    ['?key=secret', ''],
    ['?key=secret&alt=sse', '?alt=sse'],
    ['?alt=sse&key=secret&pageSize=3', '?alt=sse&pageSize=3'],
    ['?KEY=secret&a=1', '?a=1'],
    ['?%6bey=secret&a=1', '?a=1'],
    ['?k%65y=secret', ''],
    ['?key=one&key=two&b=%20', '?b=%20'],
    ['?key', ''],
    ['?access_token=secret&a=1', '?a=1'],
    ['?api-key=secret&subscription-key=s&a=1', '?a=1'],
    ['?monkey=banana&keys=1&a=key=b', '?monkey=banana&keys=1&a=key=b'],
    ['?a=1&&b=%41&c', '?a=1&&b=%41&c'],
  ])('carries no credentials on: %s', (asked, passed) => {
    expect(matchProxyPath(`/proxy/gemini/v1beta/models${asked}`).query).toBe(passed);
  });
});
