import { ERROR_TABLE, type ErrorCode, type ErrorRow } from './error-table';

export interface WeirErrorOptions {
  /** Safe for the caller; the table's message when absent. Never a secret, never a prompt. */
  message?: string;
  /** The field at fault, as a caller writes it: `messages[0].content`. */
  param?: string;
  /** How long until a retry may help, in milliseconds. */
  retryAfterMs?: number;
  /** OpenAI's `error.type`, where it differs from the table's. */
  type?: string;
  /** For the log only. */
  detail?: string;
  cause?: unknown;
}

/** A refusal or a failure that a caller is told about; its code is a row of the error table. */
export class WeirError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;
  readonly type: string;
  readonly detail: string | null;

  constructor(code: ErrorCode, options: WeirErrorOptions = {}) {
    super(options.message ?? ERROR_TABLE[code].message, { cause: options.cause });
    this.name = 'WeirError';
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.type = options.type ?? ERROR_TABLE[code].type;
    this.detail = options.detail ?? null;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }

  get status(): number {
    return this.row.status;
  }
}
