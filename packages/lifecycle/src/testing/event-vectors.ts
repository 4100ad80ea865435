// The committed event vectors: streams written down as JSON with what they must come to. For tests: of the fold here, of the
// real stores elsewhere.
import { readdirSync, readFileSync } from 'node:fs';
import type { Job, QuarantineCode } from '@trellis/contracts';

/** One message of the stream. */
export interface VectorMessage {
  subject: string;
  headers?: Record<string, string>;
  /** The body as JSON, or as it is where it is none. */
  data?: unknown;
  text?: string;
}

/** The stream forgets every message of a job, as a purge does. */
export interface VectorPurge {
  purge: string;
}

export interface EventVector {
  file: string;
  /** The rule that the vector shows. */
  name: string;
  events: (VectorMessage | VectorPurge)[];
  expect: {
    /** Wire form of each job by id. */
    jobs: Record<string, Job>;
    /** Place in `events` (from 1) and code of each message that goes to quarantine. */
    quarantined: { event: number; code: QuarantineCode }[];
  };
}

const FOLDER = new URL('../../vectors/', import.meta.url);

/** Every vector of the folder `vectors`, by name of file. */
export function readEventVectors(): EventVector[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ file, ...JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) }) as EventVector);
}

/** The body as it lies in the stream. */
export const vectorBody = (message: VectorMessage): Uint8Array =>
  new TextEncoder().encode(message.text ?? JSON.stringify(message.data));
