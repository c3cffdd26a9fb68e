/** Something a test opens, so that a scripted answer waits for the test and not for time. */
export class Gate {
  #open: () => void = () => undefined;
  #isOpen = false;
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    this.#open();
  }

  whenOpen(): Promise<void> {
    return this.#opened;
  }
}
