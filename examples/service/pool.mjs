// Worker threads behind a queue that is never longer than it should be.
import { Worker } from 'node:worker_threads';

const busy = { status: 503, body: { error: 'too many requests at the moment' } };
const late = { status: 503, body: { error: 'the prediction took too long' } };
const broken = { status: 500, body: { error: 'the prediction failed' } };

/**
 * @param options.model what `loadModel` takes
 * @param options.threads number of workers
 * @param options.queue images that may wait; more are refused at once
 * @param options.batch images that a worker gets at once
 * @param options.milliseconds that a batch may take before its worker is replaced
 */
export function createPool({ model, threads, queue, batch, milliseconds }) {
  const waiting = [];
  const workers = new Set();
  let closed = false;
  let about;

  function start() {
    const worker = {
      thread: new Worker(new URL('worker.mjs', import.meta.url), { workerData: { model } }),
      jobs: [],
      ready: false,
    };
    workers.add(worker);
    const end = (answer, after) => {
      if (!workers.delete(worker)) return;
      clearTimeout(worker.timer);
      for (const { resolve } of worker.jobs) resolve(answer);
      void worker.thread.terminate();
      // one that cannot even start is tried again, but not in a loop without pause
      if (!closed) setTimeout(start, worker.ready ? 0 : after).unref();
    };
    worker.end = end;
    worker.thread.on('message', (message) => {
      if (message.ready) {
        worker.ready = true;
        about = message;
      } else {
        clearTimeout(worker.timer);
        worker.jobs.forEach(({ resolve }, i) => resolve(message.answers[i]));
        worker.jobs = [];
      }
      next();
    });
    worker.thread.on('error', (error) => {
      console.error(error);
      end(broken, 1000);
    });
    worker.thread.on('exit', () => end(broken, 1000));
  }

  function next() {
    for (const worker of workers) {
      if (waiting.length === 0) return;
      if (!worker.ready || worker.jobs.length > 0) continue;
      worker.jobs = waiting.splice(0, batch);
      worker.timer = setTimeout(() => worker.end(late, 0), milliseconds);
      worker.thread.postMessage({ images: worker.jobs.map(({ image }) => image) });
    }
  }

  for (let i = 0; i < threads; i++) start();
  return {
    /** Status and body of the answer; never rejects. */
    predict: (image) =>
      new Promise((resolve) => {
        if (closed || waiting.length >= queue) return resolve(busy);
        waiting.push({ image, resolve });
        next();
      }),
    state: () => ({
      ready: [...workers].filter(({ ready }) => ready).length,
      waiting: waiting.length,
      ...(about && { inputShape: about.inputShape, classNames: about.classNames }),
    }),
    async close() {
      closed = true;
      for (const { resolve } of waiting.splice(0)) resolve(busy);
      await Promise.all([...workers].map(({ thread }) => thread.terminate()));
    },
  };
}
