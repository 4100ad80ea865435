// Asks the pipeline to read a range of the stream again.
/** A batch that cannot be written and whose events are not kept: they are read again in smaller batches. */
export class ReadAgain extends Error {
  override readonly name = 'ReadAgain';
  readonly upTo: number;

  constructor(upTo: number) {
    super(`the events up to ${upTo} are read again`);
    this.upTo = upTo;
  }
}
