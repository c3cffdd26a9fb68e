import { type Logger } from 'pino';
import { type RelayCall } from './relay-call';

/** Writes one line for each finished request: who, what, how long, how it ended. Never a prompt, never a key. */
export class RequestLog {
  constructor(private readonly logger: Logger) {}

  /** Something that nobody foresaw: the whole error goes here, and only here. */
  failed(call: RelayCall, error: unknown): void {
    this.logger.error({ requestId: call.requestId, err: error }, 'request failed unexpectedly');
  }

  finished(call: RelayCall, durationMs: number): void {
    if (!this.logger.isLevelEnabled('info')) return;
    this.logger.info(
      {
        requestId: call.requestId,
        operation: call.definition.operation,
        organizationId: call.caller?.organizationId ?? null,
        publicId: call.caller?.publicId ?? null,
        model: call.route?.name ?? null,
        upstream: call.upstreamName,
        status: call.isClosed ? 499 : call.status,
        errorCode: call.errorCode,
        attempts: call.attempts,
        durationMs: Math.round(durationMs * 10) / 10,
        firstByteMs: call.firstByteMs === null ? null : Math.round(call.firstByteMs * 10) / 10,
        inputTokens: call.usage?.inputTokens ?? null,
        outputTokens: call.usage?.outputTokens ?? null,
        costNanos: call.costNanos,
      },
      'request',
    );
  }
}
