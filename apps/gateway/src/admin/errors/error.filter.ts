import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { type WeirError } from '@weir/kernel';
import { toErrorBody, toOpenAiError } from '@weir/wire';
import { type Request, type Response } from 'express';
import { type Logger } from 'pino';
import { getRequestId } from './request-identity';
import { toWeirError } from './to-weir-error';

/** For what is away and does not say for how long. */
const UNAVAILABLE_RETRY_MS = 2_000;

/** The one place where an error becomes an answer. What a caller may not see goes to the log. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<Request>(), http.getResponse<Response>());
  }

  /** The same outside Nest, for middleware. */
  answer(error: unknown, request: Request, response: Response): void {
    const refusal = toWeirError(error);
    const requestId = getRequestId(request);
    if (refusal.status >= 500) {
      this.logger.error({ err: refusal.cause ?? refusal, requestId, code: refusal.code }, 'control plane request failed');
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    sendError(response, refusal, requestId);
  }
}

function sendError(response: Response, refusal: WeirError, requestId: string): void {
  const body = toErrorBody(
    refusal.code === 'internal_error'
      ? { ...toOpenAiError(refusal), message: `${refusal.row.message} Request id: ${requestId}` }
      : toOpenAiError(refusal),
  );
  response.status(refusal.status);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('x-request-id', requestId);
  response.setHeader('cache-control', 'no-store');
  if (refusal.status === 401) response.setHeader('www-authenticate', 'Bearer');
  const retryAfterMs = refusal.retryAfterMs ?? (refusal.status === 503 ? UNAVAILABLE_RETRY_MS : null);
  if (retryAfterMs !== null) response.setHeader('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  response.end(body);
}
