import { type ServerResponse } from 'node:http';
import { type WireFormat } from '@weir/wire';
import { type OperationDefinition } from '../../operations';
import { type RequestFacts } from '../facts/request-facts';
import { type CallerSpeech } from './caller-speech';

/** What an answer's way to the caller depends on: the call, as far as it matters here. */
export interface ExchangeContext {
  readonly definition: OperationDefinition;
  readonly response: ServerResponse;
  readonly facts: RequestFacts;
  readonly speech: CallerSpeech;
  /** A provider's own API, which passes as it is: what its answer is read in, or null where nobody knows. */
  readonly raw: { readonly format: WireFormat | null } | null;
  /** Somebody wants to know what the upstream says of its answer; where nobody does, it is not read. */
  readonly wantsTold: boolean;
}
