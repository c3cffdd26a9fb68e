import { type KeysWithin } from './meter-store';
import { type ReplyReader } from './reply-reader';

/** One operation on its way to the script of the meter, which does many in one command. */
export abstract class ScriptCall<Value> {
  /** Answers whoever asked; null when Redis did not. */
  resolve: (answer: Value | null) => void = () => undefined;

  /** Whether it takes something that must be on record before it is sent. */
  readonly isAdmission: boolean = false;

  /** Whether nobody waits for it: then it costs no command of its own if another one is soon sent. */
  readonly canWait: boolean = false;

  /** Where its keys stand among those of an admission, which go before if they are sent together. */
  readonly keysWithin: KeysWithin | null = null;

  constructor(
    /** Whose keys they are: in a cluster, those of one command must be in one slot. */
    readonly organizationId: string,
    readonly keys: readonly string[],
    /** As meter.lua.ts describes it. */
    readonly text: string,
  ) {}

  /** Null for what failed by itself. @throws when it is no reply to this. */
  protected abstract read(reply: ReplyReader): Value | null;

  answer(reply: ReplyReader): void {
    this.resolve(this.read(reply));
  }
}
