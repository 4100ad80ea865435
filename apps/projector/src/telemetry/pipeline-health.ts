// Whether a pipeline works or stands by, for GET /ready.

export class PipelineHealth {
  #trouble: unknown = new Error('not started yet');

  /** The pipeline works, or another process works it. */
  well(): void {
    this.#trouble = undefined;
  }

  /** @param trouble undefined: none */
  tell(trouble: unknown): void {
    this.#trouble = trouble;
  }

  /** Runs the pipeline once; it is unwell from the moment that it fails. */
  async during(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#trouble = error;
      throw error;
    }
  }

  /** @throws what is wrong */
  check(): void {
    if (this.#trouble !== undefined) throw this.#trouble;
  }
}
