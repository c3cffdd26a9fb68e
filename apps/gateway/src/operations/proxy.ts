import { type WireFormat } from '@weir/wire';
import { toUnknownFacts } from '../data-plane/proxy/unknown-facts';
import { type OperationDefinition } from './operation-definition';

/**
 * A provider's own API, as it is. Weir's own errors are said in the provider's format.
 * @param format of the provider's chat
 */
export function toProxyDefinition(format: WireFormat): OperationDefinition {
  return {
    operation: 'proxy',
    format,
    paths: [],
    deploymentPath: null,
    canStream: true,
    answers: 'bytes',
    readFacts: (body, definition) => toUnknownFacts(definition, body, false),
  };
}
