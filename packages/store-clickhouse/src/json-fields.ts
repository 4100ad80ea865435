// Locates the fields of a JSON object in its bytes, so that values can be stored exactly as published, with numbers beyond a
// double and the order of keys. Expects JSON that JSON.parse has accepted; validates nothing.

/** The byte range of a value: from `start` to before `end`. */
export interface JsonField {
  name: string;
  start: number;
  end: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/** Locates the fields of one object after another. Reused for many messages: results are valid until the next `read`. */
export class JsonFieldReader {
  /** Fields with other names than the expected ones, in the order of the text. */
  unexpected: JsonField[] = [];
  readonly #fields: ReadonlyMap<string, JsonField>;
  /** The expected names by their length in bytes. */
  readonly #byLength: { bytes: Uint8Array; field: JsonField }[][] = [];

  constructor(expected: readonly string[]) {
    this.#fields = new Map(expected.map((name) => [name, { name, start: 0, end: 0 }]));
    for (const field of this.#fields.values()) {
      const bytes = Buffer.from(field.name);
      this.#byLength[bytes.length] = [...(this.#byLength[bytes.length] ?? []), { bytes, field }];
    }
  }

  /** The byte range of an expected field; undefined when the object lacks it. */
  find(name: string): JsonField | undefined {
    const field = this.#fields.get(name);
    return field !== undefined && field.end > 0 ? field : undefined;
  }

  /** Locates the values of the outermost object of `json`. Of duplicate names the last one counts, as with JSON.parse. */
  read(json: Uint8Array): void {
    for (const field of this.#fields.values()) field.end = 0;
    if (this.unexpected.length > 0) this.unexpected = [];
    let at = 0;
    while (json[at] !== OPEN_OBJECT) at++;
    for (at++; at < json.length; ) {
      const byte = json[at];
      if (byte === CLOSE_OBJECT) return;
      if (byte !== QUOTE) {
        at++;
        continue;
      }
      const nameEnd = endOfString(json, at);
      const field = this.#fieldNamed(json, at + 1, nameEnd - 1);
      at = nameEnd;
      while (json[at] !== COLON) at++;
      at++;
      while ((json[at] ?? QUOTE) <= SPACE) at++;
      field.start = at;
      at = endOfValue(json, at);
      field.end = at;
    }
  }

  #fieldNamed(json: Uint8Array, start: number, end: number): JsonField {
    const length = end - start;
    for (const { bytes, field } of this.#byLength[length] ?? []) {
      let at = 0;
      while (at < length && bytes[at] === json[start + at]) at++;
      if (at === length) return field;
    }
    const name = JSON.parse(Buffer.from(json.subarray(start - 1, end + 1)).toString()) as string;
    const known = this.#fields.get(name) ?? this.unexpected.find((field) => field.name === name);
    if (known) return known;
    const field = { name, start: 0, end: 0 };
    this.unexpected.push(field);
    return field;
  }
}

/** Just after the closing quote of the string that begins at `start`. */
function endOfString(json: Uint8Array, start: number): number {
  let at = start + 1;
  for (; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return at;
}

function endOfValue(json: Uint8Array, start: number): number {
  const first = json[start];
  if (first === QUOTE) return endOfString(json, start);
  let at = start;
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    for (; at < json.length; at++) {
      const byte = json[at] as number;
      if (byte === COMMA || byte === CLOSE_OBJECT || byte <= SPACE) break;
    }
    return at;
  }
  for (let depth = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at) - 1;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) return at + 1;
  }
  return at;
}
