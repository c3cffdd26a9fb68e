import { type UsageUnits, zeroUsage } from '@weir/kernel';
import { type JsonScanner } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type Work } from '../estimate';
import { NO_EMPTY_CAPS, type RequestFacts } from './request-facts';

/** What a reader of an operation without output tokens of its own finds in a body. */
export interface WorkBody {
  readonly body: Buffer;
  readonly model: string;
  readonly isStream: boolean;
  readonly work: Work | null;
  /** The scan of the body; null for a body that is no JSON. */
  readonly scanner: JsonScanner | null;
}

/** The facts of a request whose work is not, or not only, in tokens of text. */
export function toWorkFacts(definition: OperationDefinition, { body, model, isStream, work, scanner }: WorkBody): RequestFacts {
  const modelMember = scanner?.findMember('model') ?? -1;
  const hasModel = scanner !== null && modelMember !== -1;
  return {
    body,
    format: definition.format,
    model,
    isStream,
    wantsStreamUsage: true,
    operation: definition.operation,
    bodyBytes: body.length,
    textBytes: scanner?.textBytes ?? 0,
    outputCap: null,
    hasMaxTokens: true,
    unpricedMember: null,
    choiceCount: 1,
    promptCount: 1,
    imageCount: scanner?.imageCount ?? 0,
    fileCount: 0,
    hasTools: false,
    hasThinking: false,
    work,
    capHolder: null,
    membersEnd: scanner === null ? 0 : scanner.memberValueEnd(scanner.memberCount - 1),
    emptyCaps: NO_EMPTY_CAPS,
    modelStart: hasModel ? scanner.memberValueStart(modelMember) : 0,
    modelEnd: hasModel ? scanner.memberValueEnd(modelMember) : 0,
    streamUsageSplice: null,
  };
}

/** Some units; the rest are 0. One call is one request. */
export function toUnits(units: Partial<UsageUnits>): UsageUnits {
  return { ...zeroUsage(), requests: 1, ...units };
}
