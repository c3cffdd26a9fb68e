import { toRequestHash } from './to-request-hash';

const body = Buffer.from('{"model":"m"}');
const hash = (method: string, url: string, bytes = body): string => toRequestHash(method, url, bytes).toString('hex');

describe('toRequestHash', () => {
  it('tells apart method, path, query and body', () => {
    const hashes = [
      hash('POST', '/v1/chat/completions'),
      hash('GET', '/v1/chat/completions'),
      hash('POST', '/v1/completions'),
      hash('POST', '/v1/chat/completions?a=1'),
      hash('POST', '/v1/chat/completions?a=2'),
      hash('POST', '/v1/chat/completions', Buffer.from('{"model":"n"}')),
      hash('POST', '/v1/chat/completions', Buffer.alloc(0)),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('does not ask with which key a request came', () => {
    expect(hash('POST', '/v1/m?key=sk-one&alt=sse')).toBe(hash('POST', '/v1/m?alt=sse&key=sk-two'));
    expect(hash('POST', '/v1/m?k%65y=sk-one&alt=sse')).toBe(hash('POST', '/v1/m?alt=sse&key=sk-two'));
    expect(hash('POST', '/v1/m?keys=1&alt=sse')).not.toBe(hash('POST', '/v1/m?alt=sse'));
  });
});
