// The usual acknowledgement of a publish, read from its bytes: `{"stream":"JOBS", "seq":123}` and nothing else.
// Text and objects of an answer of which one number is wanted cost more than that. All other answers are left to JSON.

const OPENING = Buffer.from('{"stream":"');
const BEFORE_SEQUENCE = Buffer.from('"seq":');
const QUOTE = 0x22;
const CLOSING = 0x7d;
/** More might be no safe integer. */
const MAX_DIGITS = 15;

/** The sequence that a plain acknowledgement tells; undefined for every other answer. */
export function sequenceOfPlainAck(answer: Uint8Array): number | undefined {
  let at = answer.length - 1;
  if (answer[at] !== CLOSING) return undefined;
  let sequence = 0;
  let scale = 1;
  for (at--; isDigit(answer[at]) && answer.length - at < MAX_DIGITS + 2; at--) {
    sequence += scale * ((answer[at] ?? 0) - 0x30);
    scale *= 10;
  }
  const keyAt = at + 1 - BEFORE_SEQUENCE.length;
  if (scale === 1 || !holds(answer, BEFORE_SEQUENCE, keyAt) || !holds(answer, OPENING, 0)) return undefined;
  // Between the two only the stream's name: one more quote.
  return answer.indexOf(QUOTE, OPENING.length) === answer.lastIndexOf(QUOTE, keyAt - 1) ? sequence : undefined;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

function holds(bytes: Uint8Array, what: Uint8Array, from: number): boolean {
  for (let i = 0; i < what.length; i++) if (bytes[from + i] !== what[i]) return false;
  return true;
}
