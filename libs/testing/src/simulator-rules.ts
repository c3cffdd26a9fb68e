import { type Reply } from './reply';
import { type SimulatorCall } from './simulator-call';

interface Rule {
  readonly matches: (call: SimulatorCall) => boolean;
  readonly replies: Reply[];
}

/** Which reply a call gets: always → a rule for its key or path → the queue → the default. */
export class SimulatorRules {
  readonly #initialReply: Reply;
  #defaultReply: Reply;
  #alwaysReply: Reply | null = null;
  #queue: Reply[] = [];
  #rules: Rule[] = [];

  constructor(initialReply: Reply) {
    this.#initialReply = initialReply;
    this.#defaultReply = initialReply;
  }

  setDefault(reply: Reply): void {
    this.#defaultReply = reply;
  }

  setAlways(reply: Reply | null): void {
    this.#alwaysReply = reply;
  }

  enqueue(replies: readonly Reply[]): void {
    this.#queue.push(...replies);
  }

  add(matches: Rule['matches'], replies: readonly Reply[]): void {
    if (replies.length === 0) throw new Error('a rule needs a reply');
    // The newest rule wins, so that a test can change its mind.
    this.#rules.unshift({ matches, replies: [...replies] });
  }

  reset(): void {
    this.#defaultReply = this.#initialReply;
    this.#alwaysReply = null;
    this.#queue = [];
    this.#rules = [];
  }

  take(call: SimulatorCall): Reply {
    if (this.#alwaysReply !== null) return this.#alwaysReply;
    const replies = this.#rules.find((rule) => rule.matches(call))?.replies;
    // The last reply of a rule stays.
    if (replies !== undefined) return replies.length > 1 ? replies.shift()! : replies[0];
    return this.#queue.shift() ?? this.#defaultReply;
  }
}
