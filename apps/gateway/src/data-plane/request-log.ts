import { scrubSecrets, type WeirLogger } from '@weir/platform';
import { type RelayCall } from './relay-call';
import { toShownCode } from './to-shown-code';

/** Names come from admins and repeat: their JSON is made once. More different ones than this are not kept. */
const MAX_KNOWN_NAMES = 1000;
const LEVEL_INFO = 30;

/**
 * Writes one line for each finished request: who, what, how long, how it ended. Never a prompt,
 * never a key. The line is put together by hand, because it is part of every request; its fields
 * are ids, numbers, codes of Weir's own, and names that an admin gave.
 */
export class RequestLog {
  private readonly names = new Map<string, string>();
  /** Asked once: a logger's level stays as it was made. */
  private readonly isEnabled: boolean;

  constructor(private readonly logger: WeirLogger) {
    this.isEnabled = logger.isLevelEnabled('info');
  }

  finished(call: RelayCall, durationMs: number): void {
    if (!this.isEnabled) return;
    const { caller, usage } = call;
    this.logger.writeLine(
      `{"level":${LEVEL_INFO},"time":${call.nowMs()},"pid":${process.pid},"requestId":"${call.requestId}","operation":"${call.definition.operation}"` +
        `,"organizationId":${toId(caller?.organizationId)},"publicId":${toId(caller?.publicId)}` +
        `,"model":${this.toName(call.route?.name)},"upstream":${this.toName(call.upstreamName)}` +
        `,"status":${call.isClosed ? 499 : call.status},"errorCode":${toCode(call.errorCode)},"attempts":${call.attempts}` +
        `,"durationMs":${toTenths(durationMs)},"firstByteMs":${call.firstByteMs === null ? 'null' : toTenths(call.firstByteMs)}` +
        `,"inputTokens":${usage === null ? 'null' : usage.inputTokens},"outputTokens":${usage === null ? 'null' : usage.outputTokens}` +
        `,"costNanos":${call.costNanos}${toTraceMember(call)},"msg":"request"}\n`,
    );
  }

  /** Something that nobody foresaw: the whole error goes here, and only here. */
  failed(call: RelayCall, error: unknown): void {
    this.logger.error({ requestId: call.requestId, err: error }, 'request failed unexpectedly');
  }

  /** As `failed`, for what is on no road. */
  unforeseen(error: unknown): void {
    this.logger.error({ err: error }, 'request failed unexpectedly');
  }

  private toName(name: string | null | undefined): string {
    if (name == null) return 'null';
    let json = this.names.get(name);
    if (json === undefined) {
      json = JSON.stringify(scrubSecrets(name));
      if (this.names.size < MAX_KNOWN_NAMES) this.names.set(name, json);
    }
    return json;
  }
}

/** Ids are made by Weir, of letters, digits and hyphens. */
function toId(id: string | undefined): string {
  return id === undefined ? 'null' : `"${id}"`;
}

function toCode(code: string | null): string {
  return code === null ? 'null' : `"${toShownCode(code)}"`;
}

/** Under the name by which logs and traces find each other: https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/ */
function toTraceMember({ trace }: RelayCall): string {
  return trace === null ? '' : `,"trace_id":"${trace.traceId}"`;
}

function toTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
