import { type OrganizationId, type ProxyKeyId, uuidV7, WeirError } from '@weir/kernel';
import { type AudioMediaType } from './audio-type';

declare const brand: unique symbol;

/** `voice_` and 32 hex digits: it sorts by the time it was made, and is the only name a voice's file ever has. */
export type VoiceId = string & { readonly [brand]: 'VoiceId' };

/** A recording that a TTS service may speak like, and what is known of it. */
export interface Voice {
  readonly id: VoiceId;
  readonly organizationId: OrganizationId;
  /** Unique in its organization, whatever the case of its letters. */
  readonly name: string;
  /** What the caller gave as proof that the speaker agreed, such as the id of a recording. */
  readonly consent: string;
  /** What is said in the recording; null when the caller did not say. */
  readonly refText: string | null;
  readonly mediaType: AudioMediaType;
  readonly bytes: number;
  readonly sha256: Buffer;
  readonly createdAtMs: number;
  /** The proxy key that added it; null when that key is gone. */
  readonly createdBy: ProxyKeyId | null;
}

const VOICE_ID = /^voice_[0-9a-f]{32}$/;

export function newVoiceId(nowMs: number): VoiceId {
  return `voice_${uuidV7(nowMs).replaceAll('-', '')}` as VoiceId;
}

export function isVoiceId(value: unknown): value is VoiceId {
  return typeof value === 'string' && VOICE_ID.test(value);
}

/** Also for a voice of another organization: nobody learns that it exists. */
export function voiceNotFound(): WeirError {
  return new WeirError('not_found', { message: 'There is no such voice.', param: 'voice' });
}
