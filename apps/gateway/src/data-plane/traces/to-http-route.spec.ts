import { toHttpRoute } from './to-http-route';

const chat = { operation: 'chat', paths: ['/v1/chat/completions', '/openai/v1/chat/completions'], deploymentPath: '/chat/completions' } as const;

describe('toHttpRoute', () => {
  it.each([
    ['/v1/chat/completions', '/v1/chat/completions'],
    ['/openai/v1/chat/completions?key=secret', '/openai/v1/chat/completions'],
    ['/openai/deployments/a-name/chat/completions?api-version=1', '/openai/deployments/{deployment}/chat/completions'],
    ['/v1beta/models/a-name:generateContent?key=secret', '/v1beta/models/{model}:generateContent'],
  ])('of %s is %s, without what the caller chose', (url, route) => {
    expect(toHttpRoute(chat, url)).toBe(route);
  });

  it('of a provider\'s own API names no path', () => {
    expect(toHttpRoute({ operation: 'proxy', paths: [], deploymentPath: null }, '/proxy/openai/v1/secret')).toBe('/proxy/{provider}/*');
  });
});
