import { type ChildLoggerOptions, type Logger, pino } from 'pino';
import { type LogConfiguration } from '../configuration';
import { isError } from '../is-error';
import { describeError } from './describe-error';
import { LogDestination } from './log-destination';
import { toLogFields } from './log-fields';
import { scrubSecrets } from './scrub-secrets';

const LONGEST_MESSAGE = 1000;

export type WeirLogger = Logger & {
  /**
   * Writes a finished JSON line, with its line feed. For the one line of every request, where pino's
   * own way costs a tenth of the request: whoever calls it answers for each field.
   */
  writeLine(line: string): void;
  /** Writes what is gathered; at the end of a script or of the process. */
  flushNow(): void;
  /** Flushes and lets the log file go. */
  closeDestination(): void;
};

/**
 * The log: one JSON line an event. Only fields that are known to be harmless pass (log-fields.ts),
 * errors are described and not dumped, and words are scrubbed: `logger.info({ port }, 'listening')`.
 * Values are never formatted into the message: `%s` stays as it is.
 */
export function createLogger(configuration: LogConfiguration, destination = new LogDestination(configuration)): WeirLogger {
  const logger = pino(
    {
      level: configuration.level,
      base: { pid: process.pid },
      serializers: { err: (value: unknown) => value },
      hooks: {
        logMethod(args: unknown[], method) {
          const [first, second] = args;
          const fields = toFields(first);
          const message = typeof first === 'string' ? first : second;
          const text = typeof message === 'string' ? scrubSecrets(message.slice(0, LONGEST_MESSAGE)) : undefined;
          method.call(this, fields, text);
        },
      },
    },
    destination,
  );
  holdBackInChildren(logger);
  return Object.assign(logger, { writeLine: (line: string) => destination.write(line), flushNow: destination.flush, closeDestination: () => destination.close() });
}

/** pino's hook sees what is logged, not what a child is made with. Children inherit this. */
function holdBackInChildren(logger: Logger): void {
  const plain = Object.getPrototypeOf(logger) as Logger;
  logger.child = function <Levels extends string>(this: Logger, bindings: object, options?: ChildLoggerOptions<Levels>) {
    return plain.child.call<Logger, [object, ChildLoggerOptions<Levels>?], Logger<Levels>>(this, toLogFields(bindings), options);
  };
  logger.setBindings = function (this: Logger, bindings: object) {
    plain.setBindings.call(this, toLogFields(bindings));
  };
}

function toFields(first: unknown): Record<string, unknown> {
  if (isError(first)) return { err: describeError(first) };
  return typeof first === 'object' && first !== null ? toLogFields(first) : {};
}
