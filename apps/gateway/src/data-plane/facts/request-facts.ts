import { type Operation } from '@weir/kernel';
import { type Splice, type WireFormat } from '@weir/wire';
import { type EstimateFacts } from '../estimate';

/** What the road needs to know of a request's body; the body itself stays bytes. */
export interface RequestFacts extends EstimateFacts {
  readonly body: Buffer;
  /** What the body is written in. */
  readonly format: WireFormat;
  /** The model that the caller asks for. */
  readonly model: string;
  readonly isStream: boolean;
  /** The caller wants the usage chunk at the end of its stream. */
  readonly wantsStreamUsage: boolean;
  readonly operation: Operation;
  readonly bodyBytes: number;
  /** Bytes of language in the request, for estimates; ids of tokens count as so much language. */
  readonly textBytes: number;
  /** The caller's cap of a choice's output, in tokens; null when it set none. */
  readonly outputCap: number | null;
  /** It is set as `max_tokens`, which every server knows. */
  readonly hasMaxTokens: boolean;
  /** The first member that buys what the price of tokens does not cover; null when there is none. */
  readonly unpricedMember: string | null;
  readonly choiceCount: number;
  readonly promptCount: number;
  readonly imageCount: number;
  readonly fileCount: number;
  readonly hasTools: boolean;
  /** In OpenAI's chat: messages may hold what a model thought. Where they cannot, nobody has to look for it. */
  readonly hasThinking: boolean;
  /** Behind the last member: where another one can be put in. */
  readonly membersEnd: number;
  /** Members that name an output cap without setting one: their `null` gives way to a number. */
  readonly emptyCaps: readonly EmptyCap[];
  /** Where the cap is no member of the body itself; null where it is. */
  readonly capHolder: CapHolder | null;
  /** Where the model's value stands, quotes included; both 0 when the body names none. */
  readonly modelStart: number;
  readonly modelEnd: number;
  /** What makes an upstream report usage in a stream; null when nothing has to change. */
  readonly streamUsageSplice: Splice | null;
}

/** A member such as `"max_tokens": null`, and where its value stands. */
export interface EmptyCap {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** A member that holds the output cap among others. */
export interface CapHolder {
  toSplice(cap: number): Splice;
}

/** What the path of a request says, and its body then need not. */
export interface FactsPlace {
  /** Null where the body names it. */
  readonly model: string | null;
  /** Null where the body says it. */
  readonly isStream: boolean | null;
  /** Asked for where neither names a model. */
  readonly defaults: ModelDefaults;
}

/** The operator's `DEFAULT_EMBED` and `DEFAULT_RERANK`. */
export interface ModelDefaults {
  readonly embedModel: string;
  readonly rerankModel: string;
}

export const NO_EMPTY_CAPS: readonly EmptyCap[] = [];
