// How attempts are counted. reduce.ts applies it to a job, the SDK to the events that it reads.
import type { LifecycleEvent } from '@trellis/contracts';

/** Attempts since the job's origin. */
export interface Tries {
  tries: number;
  /** The last attempt was handed back by a worker that stopped: the next start does not count as a further one. */
  handedBack: boolean;
}

/** The count after `event`. Public workers repeat the same number in every `started`: starts are counted, too. */
export function countTries({ tries, handedBack }: Tries, event: LifecycleEvent): Tries {
  switch (event.eventType) {
    case 'started':
      return { tries: Math.max(event.tries, handedBack ? tries : tries + 1), handedBack: false };
    case 'retry':
      return event.handedBack === true
        ? { tries, handedBack: true }
        : { tries: Math.max(event.tries, tries), handedBack: false };
    case 'retried':
      return { tries: 0, handedBack: false };
    default:
      return { tries, handedBack };
  }
}
