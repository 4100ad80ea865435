// Asks the pipeline to read a range of the stream again.
/** A batch that cannot be written as it is, and whose events are not kept: to be read again in smaller ones. */
export class ReadAgain extends Error {
  override readonly name = 'ReadAgain';
  readonly upTo: number;

  constructor(upTo: number) {
    super(`the events up to ${upTo} are read again`);
    this.upTo = upTo;
  }
}
