// One answer for all who ask the same thing at the same time. What is asked is the caller's business.

/**
 * Asks once at a time: those who come meanwhile share the next answer. It is asked for after their questions, so that no answer
 * is older than its question.
 */
export function sharedAnswer<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let underWay: Promise<unknown> = Promise.resolve();
  let next: Promise<Answer> | undefined;
  const begin = () => {
    next = undefined;
    const answer = ask();
    underWay = answer.catch(() => undefined);
    return answer;
  };
  return () => {
    next ??= underWay.then(begin);
    return next;
  };
}
