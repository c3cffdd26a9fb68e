import { WeirError } from '@weir/kernel';

const LONGEST_NAME = 200;
const CONTROL_CHARACTER = /\p{C}/u;

/**
 * Takes a name that people will read in lists and logs.
 * @throws WeirError invalid_request that names the field.
 */
export function parseName(value: unknown, param: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= LONGEST_NAME && !CONTROL_CHARACTER.test(value)) return value;
  throw new WeirError('invalid_request', {
    message: `${param} must be text of 1 to ${LONGEST_NAME} characters without control characters.`,
    param,
  });
}

/** Enough to catch a slip of the pen; whether the address exists is for its owner to know. */
const EMAIL = /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]{1,255}$/u;

/** @throws WeirError invalid_request */
export function parseEmail(value: unknown): string {
  if (typeof value === 'string' && EMAIL.test(value)) return value;
  throw new WeirError('invalid_request', { message: 'email must read name@domain.', param: 'email' });
}
