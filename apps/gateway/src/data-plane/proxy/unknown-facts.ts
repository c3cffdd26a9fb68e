import { type OperationDefinition } from '../../operations/operation-definition';
import { type RequestFacts } from '../facts/request-facts';
import { toUnits, toWorkFacts } from '../facts/to-work-facts';

/** The facts of a call of which nobody knows what it is. */
export function toUnknownFacts(definition: OperationDefinition, body: Buffer, isStream: boolean): RequestFacts {
  const one = toUnits({});
  return toWorkFacts(definition, { body, model: '', isStream, scanner: null, work: { known: one, usual: one, worst: one } });
}
