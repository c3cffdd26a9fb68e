import { TurnGather } from '@weir/platform';

/** Something that is done when the turn ends. Must not throw: others follow. */
export interface AtTurnEnd {
  onTurnEnd(): void;
}

/** Gathers what can be done as well at the end of a turn of the event loop, or of the next few while they bring more, and does it all in one go. */
export class TurnEnd {
  #waiting: AtTurnEnd[] = [];
  readonly #turn = new TurnGather(() => this.#end());

  push(waiting: AtTurnEnd): void {
    this.#waiting.push(waiting);
    this.#turn.note();
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each.onTurnEnd();
  }
}
