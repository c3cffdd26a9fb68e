import { WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { type ValidationError } from 'class-validator';

/** A caller's field names may be of any length and hold anything: they are cut and cleaned before they are shown. */
const SHOWN_FIELD_CHARACTERS = 100;
/** Of the rest nothing is shown, so nothing need be looked for in it. */
const READ_FIELD_CHARACTERS = 500;

/** The first thing wrong with a body or a query, naming the field as the caller wrote it: `limits.rpm`. */
export function toValidationError(errors: readonly ValidationError[]): WeirError {
  const [param, constraint] = findFirst(errors, '');
  const field = toShownField(param);
  const message =
    constraint === 'whitelistValidation' || constraint === null
      ? `The field ${field} is not known.`
      : `The field ${field} is not valid: ${constraint}.`;
  return new WeirError('invalid_request', { message, param: field });
}

/** A field name that is safe to show. */
export function toShownField(name: string): string {
  // A key that was pasted into a field's place is not repeated.
  const clean = scrubSecrets(name.slice(0, READ_FIELD_CHARACTERS)).replace(/[^\x20-\x7e\u00a1-\ud7ff\ue000-\ufffd]/g, '?');
  return clean.length > SHOWN_FIELD_CHARACTERS ? clean.slice(0, SHOWN_FIELD_CHARACTERS) + '…' : clean;
}

function findFirst(errors: readonly ValidationError[], parent: string): [param: string, constraint: string | null] {
  const error = errors[0];
  if (error === undefined) return [parent, null];
  const path = toPath(parent, error.property);
  if (error.children !== undefined && error.children.length > 0) return findFirst(error.children, path);
  const constraints = Object.entries(error.constraints ?? {});
  const unknown = constraints.find(([name]) => name === 'whitelistValidation');
  if (unknown !== undefined) return [path, 'whitelistValidation'];
  // class-validator begins each message with the name of the property; it stands in the sentence already.
  const message = constraints[0]?.[1] ?? 'it is not valid';
  return [path, message.startsWith(error.property + ' ') ? message.slice(error.property.length + 1) : message];
}

function toPath(parent: string, property: string): string {
  if (parent === '') return property;
  return /^\d+$/.test(property) ? `${parent}[${property}]` : `${parent}.${property}`;
}
