import { type LoggerService } from '@nestjs/common';
import { type Logger } from 'pino';
import { isError } from '../is-error';

/** Nest's own lines, through our log. Its reports of every route and module are of interest to developers only. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.logger.debug(toFields(message, rest), toText(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    // Nest hands the stack over as text, which begins with the error's message: only frames may pass.
    this.logger.error(toFields(message, rest), toText(message));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.logger.warn(toFields(message, rest), toText(message));
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.logger.fatal(toFields(message, rest), toText(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.logger.debug(toFields(message, rest), toText(message));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.logger.trace(toFields(message, rest), toText(message));
  }
}

/** The last argument names the part of Nest that speaks. */
function toFields(message: unknown, rest: readonly unknown[]): object {
  const context = rest.at(-1);
  const error = [message, ...rest].find((value) => isError(value));
  const isName = typeof context === 'string' && /^[\w :./-]{1,80}$/.test(context);
  return { ...(isName ? { context } : {}), ...(error === undefined ? {} : { err: error }) };
}

function toText(message: unknown): string {
  if (isError(message)) return 'an error in Nest';
  return typeof message === 'string' ? message : 'Nest says something that is not text';
}
