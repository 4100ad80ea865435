// Lets so many be worked on at once; the others wait in the order in which they came. Costs nothing while there is room.
export class Admission {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #working = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when it is one's turn; undefined when it is at once. Everyone who enters leaves. */
  enter(): Promise<void> | undefined {
    if (this.#working < this.#most) {
      this.#working++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#working--;
  }
}
