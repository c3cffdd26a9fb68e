const KEPT: ReadonlySet<string> = new Set([
  'content-type',
  'content-disposition',
  'content-language',
  // How a stream asks to be passed on by proxies.
  'cache-control',
  'x-accel-buffering',
  'x-request-id',
  'x-should-retry',
]);

/**
 * The headers of an answer that are still true when it is given again. Rate limits are not, nor is
 * what belongs to one connection.
 * @param headers flat, as Node's `writeHead` takes them: name, value, name, value
 */
export function toKeptHeaders(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index].toLowerCase();
    if (KEPT.has(name) || name.startsWith('x-weir-')) kept.push(name, headers[index + 1]);
  }
  return kept;
}
