import { type Operation, WeirError } from '@weir/kernel';
import { type JsonScanner, type WireFormat } from '@weir/wire';
import { type FactsPlace, type RequestFacts } from '../data-plane/facts/request-facts';
import { type MultipartForm } from '../data-plane/multipart/multipart-form';
import { type SpooledUpload } from '../data-plane/multipart/spool-upload';

/** What the road must know of an operation in one caller's format. Everything else about its body is the upstream's business. */
export interface OperationDefinition {
  readonly operation: Operation;
  /** What callers send to these paths, and get back. */
  readonly format: WireFormat;
  /** Whole paths. Empty where the path names the model. */
  readonly paths: readonly string[];
  /** Behind `/openai/deployments/{deployment}`, for Azure's clients; null: not there. */
  readonly deploymentPath: string | null;
  /** Whether a stream of server-sent events can be asked for. */
  readonly canStream: boolean;
  /** `bytes`: sound, which goes to the caller as it comes. `text`: JSON, or text where the caller asks for it. */
  readonly answers: 'json' | 'text' | 'bytes';
  /** For requests that come as multipart forms; absent: there are none. */
  readonly form?: FormDefinition;
  /** @throws WeirError invalid_json or invalid_request that names the field */
  readFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts;
  /**
   * Checks the members that the operation cannot do without.
   * @throws WeirError invalid_request that names the field
   */
  checkBody?(body: JsonScanner): void;
}

/** What an operation takes as a multipart form. */
export interface FormDefinition {
  readonly parts: MultipartForm;
  /** @throws WeirError invalid_request that names the field */
  readFacts(upload: SpooledUpload, definition: OperationDefinition, place: FactsPlace): RequestFacts;
}

/** Where OpenAI's API, and Azure's two shapes of it, have a path. */
export function toOpenAiPlaces(path: string): Pick<OperationDefinition, 'paths' | 'deploymentPath'> {
  return { paths: [`/v1${path}`, `/openai/v1${path}`], deploymentPath: path };
}

/** For operations that come as forms alone. */
export function refuseJson(): never {
  throw new WeirError('unsupported_media_type', { message: 'This address takes multipart/form-data.' });
}
