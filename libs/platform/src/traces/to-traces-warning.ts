import { type ConfigurationError } from '../configuration-error';

/** What an operator is told whose traces cannot be: which variable, and what to do about it. */
export function toTracesWarning({ message }: ConfigurationError): string {
  return `there are no traces until this is put right: ${message}`;
}
