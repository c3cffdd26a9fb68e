/** Something that is done when the turn ends. Must not throw: others follow. */
export interface AtTurnEnd {
  onTurnEnd(): void;
}

/** Gathers what can be done as well at the end of a turn of the event loop, and does it all in one go. */
export class TurnEnd {
  #waiting: AtTurnEnd[] = [];

  push(waiting: AtTurnEnd): void {
    if (this.#waiting.push(waiting) === 1) setImmediate(this.#end);
  }

  readonly #end = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each.onTurnEnd();
  };
}
