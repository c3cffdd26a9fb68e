import { isRecord, parseErrorJson, toShownMessage, toText } from '../parse-error-json';
import { type ProviderFailure } from '../provider';
import { parseRefusalWait } from '../retry-after';
import { toCallerStatus } from '../to-caller-status';
import { toOpenAiFailureClass } from './openai-failure-class';

/** What OpenAI-shaped error bodies say, whatever their exact form. */
interface ErrorFields {
  readonly message: string;
  readonly type: string | null;
  readonly param: string | null;
  readonly code: string | null;
  readonly innerErrorJson: string | null;
}

const MAX_INNER_ERROR_CHARACTERS = 8000;

const DEPLOYMENT_NOT_FOUND = 'DeploymentNotFound';

/**
 * Understands an error answer in OpenAI's shape (https://platform.openai.com/docs/guides/error-codes),
 * in Azure's (a numeric string as code, no type, no param, `innererror`) and in those of compatible
 * servers: numeric codes, all members at the top, `error` as a bare string with `code` or
 * `error_type` beside it, FastAPI's `detail`, HTML.
 */
export function readOpenAiFailure(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): ProviderFailure {
  const fields = parseErrorFields(body, status);
  const failureClass = toOpenAiFailureClass(status, fields);
  return {
    ...fields,
    // Azure's clients go by its own code.
    code: isMissingModel(status, fields) && fields.code !== DEPLOYMENT_NOT_FOUND ? 'model_not_found' : fields.code,
    status: toCallerStatus(failureClass, status),
    failureClass,
    retryAfterMs: parseRefusalWait(status, headers, nowMs),
  };
}

function parseErrorFields(body: Buffer, status: number): ErrorFields {
  const nothing: ErrorFields = { message: toShownMessage(null, status), type: null, param: null, code: null, innerErrorJson: null };
  const parsed = parseErrorJson(body);
  if (parsed === null) return nothing;
  const error = parsed.error ?? parsed.detail ?? parsed;
  if (typeof error === 'string') return { ...nothing, message: toShownMessage(error, status), type: toText(parsed.error_type), code: toWord(parsed.code) };
  const invalid = findInvalidMember(error) ?? (isRecord(error) ? findInvalidMember(error.message) : null);
  if (invalid !== null) return { ...nothing, ...invalid, type: 'invalid_request_error' };
  if (!isRecord(error)) return nothing;
  return {
    message: toShownMessage(error.message, status),
    type: toText(error.type),
    param: toText(error.param),
    code: toText(error.code),
    innerErrorJson: toInnerError(error.innererror),
  };
}

/**
 * FastAPI's list of what is wrong, `[{loc, msg, input}]`, of which the first counts. Mistral has it as
 * `message: {detail: […]}`. The input is left out: it is the caller's.
 */
function findInvalidMember(value: unknown): { message: string; param: string | null } | null {
  const list: unknown = isRecord(value) ? value.detail : value;
  const first: unknown = Array.isArray(list) ? list[0] : null;
  if (!isRecord(first) || typeof first.msg !== 'string') return null;
  const steps: unknown[] = Array.isArray(first.loc) ? first.loc : [];
  const path = steps.filter((step) => step !== 'body').map(toText);
  return { message: toShownMessage(first.msg, 422), param: path.length === 0 || path.includes(null) ? null : path.join('.') };
}

/** A sentence is no code (xAI has such). */
function toWord(value: unknown): string | null {
  const text = toText(value);
  return text !== null && /^[\w.-]+$/.test(text) ? text : null;
}

/** vLLM, SGLang, Ollama and Cohere say so in words only; Azure has a code of its own. */
function isMissingModel(status: number, { message, param, code }: ErrorFields): boolean {
  if (status !== 404) return false;
  if (code === DEPLOYMENT_NOT_FOUND) return true;
  return (code === null || /^\d+$/.test(code)) && (param === 'model' || /^(?:the )?model\b/i.test(message));
}

/** Passed on whole or not at all: half a text is no JSON. */
function toInnerError(innerError: unknown): string | null {
  if (!isRecord(innerError)) return null;
  const json = JSON.stringify(innerError);
  return json.length <= MAX_INNER_ERROR_CHARACTERS ? json : null;
}
