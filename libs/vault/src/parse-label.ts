import { WeirError } from '@weir/kernel';

const LONGEST_LABEL = 200;
const CONTROL_CHARACTER = /\p{C}/u;

/** @throws WeirError invalid_request */
export function parseLabel(value: unknown): string {
  if (typeof value === 'string' && value.length <= LONGEST_LABEL && !CONTROL_CHARACTER.test(value)) return value;
  const message = `label must be text of at most ${LONGEST_LABEL} characters without control characters.`;
  throw new WeirError('invalid_request', { message, param: 'label' });
}
