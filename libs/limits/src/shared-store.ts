import { type MeterStore } from './meter-store';

/** One beat of a process: what Redis said of itself. */
export interface EpochBeat {
  /** When the data that is there now began, by the clock of Redis: another value means that everything was lost. */
  readonly epochMs: number;
  /** The time there. */
  readonly nowMs: number;
  /** Whether this beat began the epoch: nothing was there. */
  readonly began: boolean;
}

/** The counters that several processes share, and whether they can be asked at the moment. */
export interface SharedStore {
  readonly store: MeterStore;
  /** How many processes shared it when they were last counted, this one included; null before that. */
  readonly processCount: number | null;
  /** Whether it may be asked now; false as soon as it was seen hanging, failing or away. */
  check(): boolean;
  /** Names the epoch, and begins one where there is none. Null when there was no answer in time. Never rejects. */
  beat(): Promise<EpochBeat | null>;
  /** Called once a change. */
  onAvailability(listener: (available: boolean) => void): void;
  close(): Promise<void>;
}
