import { createHash } from 'node:crypto';

/**
 * What decides whether two requests are the same: method, path, query and body. `key=` in the query
 * is left out: it is who asks, not what is asked, and the same key may come in a header next time.
 * @param url the request's target as it came: `/v1/embeddings?api-version=1`
 */
export function toRequestHash(method: string, url: string, body: Uint8Array): Buffer {
  // No part of the first line can hold a line feed, so the parts cannot run into each other.
  return createHash('sha256').update(`${method}\n${withoutKey(url)}\n`).update(body).digest();
}

function withoutKey(url: string): string {
  const mark = url.indexOf('?');
  if (mark === -1) return url;
  const pairs = url.slice(mark + 1).split('&');
  // By its own spelling or any other that a query parser takes for it.
  const others = pairs.filter((pair) => !new URLSearchParams(pair).has('key'));
  return `${url.slice(0, mark)}?${others.join('&')}`;
}
