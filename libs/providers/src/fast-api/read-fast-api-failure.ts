import { readOpenAiFailure } from '../openai/openai-failure';
import { toShownMessage } from '../parse-error-json';
import { type ProviderFailure } from '../provider';

/**
 * Understands an error answer of a server made with FastAPI, as most services for one's own GPUs are:
 * `{detail: "…"}`, `{detail: [{loc, msg}]}` for a body of the wrong shape (422), OpenAI's shape,
 * `{status: "error", error: "…"}`, or no JSON at all. Where the server is at fault its words are left
 * out: some put a traceback there, with paths and prompts.
 */
export function readFastApiFailure(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): ProviderFailure {
  const failure = readOpenAiFailure(status, headers, body, nowMs);
  return failure.failureClass === 'fault' ? { ...failure, message: toShownMessage(null, status) } : failure;
}
