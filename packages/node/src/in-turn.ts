/** One call at a time, in the order they came; a call that fails does not hold up the next. */
export function inTurn<A, R>(run: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (argument) => {
    const next = last.then(() => run(argument));
    last = next.catch(() => undefined);
    return next;
  };
}
