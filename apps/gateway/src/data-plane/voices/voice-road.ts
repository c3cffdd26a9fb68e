import { type Caller } from '@weir/access';
import { type Clock } from '@weir/kernel';
import { type Voices } from '@weir/voices';

/** What the voices' routes touch. */
export interface VoiceRoad {
  readonly voices: Voices;
  readonly configuration: { readonly maxUploadBytes: number };
  readonly clock: Clock;
  /** Names of the voices that the caller's TTS models have of themselves; empty when that is not known now. */
  readonly listBuiltIn: (caller: Caller) => Promise<readonly string[]>;
}
