// One thread: a model of its own, batches of images in, answers out.
import { parentPort, workerData } from 'node:worker_threads';
import { loadModel } from '@bulwark/inference';

const model = await loadModel(workerData.model, { engine: { use: 'wasm', threads: 1 } });
await model.predict(new Uint8ClampedArray(model.facts.inputShape.reduce((product, n) => product * n, 1)));
parentPort.postMessage({ ready: true, inputShape: model.facts.inputShape, classNames: model.classNames });

/** What is wrong with an image is for its sender; what is wrong with us is not. */
function refusal(error) {
  if (error.code === 'BATCH_INVALID' || error.code === 'DATA_CORRUPT')
    return { status: 400, body: { error: error.message, hint: error.hint } };
  console.error(error);
  return { status: 500, body: { error: 'the prediction failed' } };
}

const answer = ({ label, probability, probabilities }) => ({
  status: 200,
  body: { label, probability, probabilities },
});

/** One answer for each image; a bad one spoils none of the others. */
async function answers(images) {
  try {
    return (await model.predict(images)).map(answer);
  } catch (error) {
    if (images.length === 1) return [refusal(error)];
    return (await Promise.all(images.map((image) => answers([image])))).flat();
  }
}

parentPort.on('message', async ({ images }) => parentPort.postMessage({ answers: await answers(images) }));
