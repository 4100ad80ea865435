// Looks at the last messages of subjects, those of many callers in the same turn of the event loop with one request: after a
// crash a whole queue is delivered again, and each of its jobs is looked at.

/** What the server answers in one request. */
const MAX_SUBJECTS = 1_024;

interface Look<Message> {
  subjects: string[];
  resolve(found: Message[]): void;
  reject(error: unknown): void;
}

export class MergedLooks<Message extends { subject: string }> {
  readonly #read: (subjects: string[]) => Promise<Message[]>;
  #looks: Look<Message>[] = [];

  /** @param read gives the last message of each of up to 1,024 subjects, leaving out those that have none */
  constructor(read: (subjects: string[]) => Promise<Message[]>) {
    this.#read = read;
  }

  /** The last message of each of `subjects` (1,024 at most) that has one. */
  lastOf(subjects: string[]): Promise<Message[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Message[]>();
    this.#looks.push({ subjects, resolve, reject });
    if (this.#looks.length === 1) setImmediate(() => this.#look());
    return promise;
  }

  #look(): void {
    const looks = this.#looks;
    this.#looks = [];
    let together: Look<Message>[] = [];
    let size = 0;
    for (const look of looks) {
      if (size + look.subjects.length > MAX_SUBJECTS) {
        void this.#lookTogether(together);
        together = [];
        size = 0;
      }
      together.push(look);
      size += look.subjects.length;
    }
    void this.#lookTogether(together);
  }

  async #lookTogether(looks: Look<Message>[]): Promise<void> {
    try {
      const found = await this.#read([...new Set(looks.flatMap(({ subjects }) => subjects))]);
      const bySubject = new Map(found.map((message) => [message.subject, message]));
      for (const { subjects, resolve } of looks) {
        resolve(subjects.map((subject) => bySubject.get(subject)).filter((message) => message !== undefined));
      }
    } catch (error) {
      for (const { reject } of looks) reject(error);
    }
  }
}
