// How threads meet: a barrier for the walk, and the loop in which a worker waits for calls. Without
// shared memory there is one thread and all of this is empty. The state is a few words of the
// caller's memory. A worker takes part from the first call that starts after it reported itself, so
// nobody ever waits for a worker that is still being loaded.
import { run } from './program';

/**
 * Looks at the word before sleeping, about 30 ns each. Waking a thread costs 50 us and more on a virtual machine, so a
 * wait may spin for about as long; where threads have no cores of their own, spinning takes the core from whoever is
 * waited for. Which it is, the last waits tell: one that came to sleep halves the next one's looks, any other doubles them.
 */
const SPIN_COUNT_MIN = 64;
const SPIN_COUNT_MAX = 4096;

/** Looks of this thread's next wait: every thread has an instance, and so a variable, of its own. */
let spinCount: i32 = SPIN_COUNT_MAX;

/** A sleeping thread looks again after this long, so a wake that a runtime loses costs time, not the answer. */
const SLEEP_NS: i64 = 20_000_000;

// Words of the meeting point (MEETING_BYTES in src/wasm/machine.ts).
const ARRIVED: usize = 0;
const GENERATION: usize = 4;
const READY: usize = 12;
const PROGRAM: usize = 16;
const FRAME: usize = 20;
const THREADS: usize = 24;
const STOP: usize = 28;
/** One counter of calls per thread. */
const CALLS: usize = 64;

/** Returns when all `threads` have arrived. */
export function barrier(at: usize, threads: u32): void {
  if (ASC_FEATURE_THREADS) {
    if (threads == 1) return;
    const generation = atomic.load<i32>(at + GENERATION);
    if (<u32>atomic.add<i32>(at + ARRIVED, 1) == threads - 1) {
      atomic.store<i32>(at + ARRIVED, 0);
      atomic.add<i32>(at + GENERATION, 1);
      wake(at + GENERATION);
    } else {
      waitWhile(at + GENERATION, generation);
    }
  }
}

/** Runs a program for a call on the calling thread and every ready worker, but at most `threads`. */
export function call(at: usize, program: usize, frame: usize, threads: u32): void {
  if (ASC_FEATURE_THREADS) {
    const count = min(threads, <u32>atomic.load<i32>(at + READY) + 1);
    store<usize>(at + PROGRAM, program);
    store<usize>(at + FRAME, frame);
    store<u32>(at + THREADS, count);
    for (let thread: u32 = 1; thread < count; thread++) {
      const word = at + CALLS + (<usize>thread << 2);
      atomic.add<i32>(word, 1);
      wake(word);
    }
    run(program, frame, 0, count);
    barrier(at, count);
  } else {
    run(program, frame, 0, 1);
  }
}

/** Ends the loops of the ready workers. */
export function stop(at: usize): void {
  if (ASC_FEATURE_THREADS) {
    atomic.store<i32>(at + STOP, 1);
    const count = <u32>atomic.load<i32>(at + READY) + 1;
    for (let thread: u32 = 1; thread < count; thread++) {
      const word = at + CALLS + (<usize>thread << 2);
      atomic.add<i32>(word, 1);
      wake(word);
    }
  }
}

/** A worker's life: reports itself, then serves calls, one after the other, until `stop`. */
export function serve(at: usize): void {
  if (ASC_FEATURE_THREADS) {
    const thread = <u32>atomic.add<i32>(at + READY, 1) + 1;
    const word = at + CALLS + (<usize>thread << 2);
    for (let seen = 0; ; seen++) {
      waitWhile(word, seen);
      if (atomic.load<i32>(at + STOP) != 0) return;
      const threads = load<u32>(at + THREADS);
      run(load<usize>(at + PROGRAM), load<usize>(at + FRAME), thread, threads);
      barrier(at, threads);
    }
  }
}

/**
 * Spins, then sleeps, until the word is no longer `value`.
 *
 * TRAP: no other atomic change may stand between the spin and the wait. Counting sleepers there, to spare needless
 * wakes, makes the baseline compiler of Node 20 (V8 11.3) lose wakes; Node 22 and 24 are not affected.
 */
function waitWhile(word: usize, value: i32): void {
  if (ASC_FEATURE_THREADS) {
    let pause = 2.0;
    for (let i = 0; i < spinCount; i++) {
      if (atomic.load<i32>(word) != value) {
        spinCount = min(spinCount << 1, SPIN_COUNT_MAX);
        return;
      }
      // A chain of roots takes long and leaves the core's units to its other hardware thread. It stays above one.
      pause = sqrt(sqrt(sqrt(pause + 3.0)));
      if (pause < 1.0) return;
    }
    spinCount = max(spinCount >> 1, SPIN_COUNT_MIN);
    while (atomic.load<i32>(word) == value) atomic.wait<i32>(word, value, SLEEP_NS);
  }
}

/** Wakes whoever sleeps on the word. A thread that is about to sleep sees the changed word instead. */
// @ts-ignore: decorator
@inline
function wake(word: usize): void {
  if (ASC_FEATURE_THREADS) atomic.notify(word, -1);
}
