/** Chunks as server-sent events, with the `[DONE]` that ends an OpenAI stream. */
export function* toDemoEvents(chunks: Iterable<object>): Generator<string, void> {
  for (const chunk of chunks) yield `data: ${JSON.stringify(chunk)}\n\n`;
  yield 'data: [DONE]\n\n';
}
