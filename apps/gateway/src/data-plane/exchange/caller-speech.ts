import { type BodyConversion, type ConversationRequest, type Dialect, findBodyConversion, parseExactJson, type WireFormat } from '@weir/wire';
import { type Voice } from '@weir/voices';
import { type Readable } from 'node:stream';
import { type RequestFacts } from '../facts/request-facts';
import { type SpooledUpload } from '../multipart/spool-upload';
import { CALLER_DIALECTS, type CallerContext, isDialect } from './caller-dialects';

/** An organization's own voice, to speak with. */
export interface SpokenVoice {
  readonly voice: Voice;
  /** Its recording, from the beginning; once for each try. */
  open(): Promise<Readable>;
}

/** What a caller said, read further than the facts only where it must be told in another format. */
export class CallerSpeech implements CallerContext {
  readonly facts: RequestFacts;
  readonly requestId: string;
  readonly startedAtMs: number;
  /** The form that it came as; null for JSON. */
  upload: SpooledUpload | null = null;
  voice: SpokenVoice | null = null;
  #body: unknown;
  #isParsed = false;
  #conversation: ConversationRequest | null = null;

  constructor(facts: RequestFacts, requestId: string, startedAtMs: number) {
    this.facts = facts;
    this.requestId = requestId;
    this.startedAtMs = startedAtMs;
  }

  /** The parsed body; parsed once. */
  get body(): unknown {
    if (!this.#isParsed) {
      this.#body = parseExactJson(this.facts.body.toString('utf8'));
      this.#isParsed = true;
    }
    return this.#body;
  }

  /** @throws WeirError invalid_request that names what cannot be told in another dialect */
  get conversation(): ConversationRequest {
    this.#conversation ??= CALLER_DIALECTS[this.toDialect(this.facts.format)].readRequest(this.body, this.facts);
    return this.#conversation;
  }

  /** How a whole body is told in another format; null where that is a conversation's, or there is no way. */
  findConversion(upstream: WireFormat): BodyConversion | null {
    return findBodyConversion(this.facts.format, upstream);
  }

  toDialect(format: WireFormat): Dialect {
    if (!isDialect(format)) throw new Error(`${format} is no chat dialect`);
    return format;
  }
}
