// Makes site/: trains the natural model, takes the robust one from PyTorch weights, exports both, bundles the page.
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { createNetwork, createRandom, imagesAt, logitsOf, startRun, takeExamples, type Network } from '@bulwark/core';
import { builtinRegistry } from '@bulwark/cli';
import { loadWeights, smallCnn, toLayersModel, writeLayersModel } from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const site = join(here, 'site');
const run = await startRun(
  {
    name: 'natural',
    engine: 'wasm',
    data: { use: 'fashion-mnist-mini', batchSize: 64 },
    model: 'small-cnn',
    threat: { epsilon: 0.1 },
    objective: 'natural',
    optimizer: { learningRate: 0.05, schedule: { use: 'cosine' } },
    epochs: 8,
    evaluation: { attacks: [{ use: 'fgsm' }], selectBest: 'clean', final: 'none' },
  },
  { registry: builtinRegistry(), baseFolder: here, folder: () => join(here, 'runs', 'natural') },
);
run.bus.on('epoch:end', ({ metrics }) =>
  console.log(`epoch ${metrics.epoch}: clean ${(100 * (metrics.validation?.['clean'] ?? 0)).toFixed(1)}%`),
);
await run.train();
const { data } = run.parts;

rmSync(site, { recursive: true, force: true });
mkdirSync(join(site, 'lib'), { recursive: true });
for (const file of ['index.html', 'style.css']) cpSync(join(here, 'page', file), join(site, file));

const natural = run.parts.model as Network;
const robust = createNetwork(smallCnn({ inputShape: data.shape, classes: 10, width: 16 }), {
  name: 'small-cnn',
  random: createRandom(0),
});
loadWeights(robust, join(here, '../evaluate-a-pytorch-model/fmnist-small-trades.safetensors'));
for (const [name, network] of Object.entries({ natural, robust }))
  await writeLayersModel(toLayersModel(network), join(site, 'models', name));

/** Classes that a model gives to all test images. */
const predict = (model: Network) => {
  const { images } = takeExamples(data.test, [...data.test.labels.keys()]);
  const classes = tf.tidy(() => tf.argMax(logitsOf(model, images), 1).dataSync());
  images.dispose();
  return classes;
};

// of each class the first test image that both models get right, or else the first
const predicted = [natural, robust].map(predict);
const samples = data.classNames.map((_, label) => {
  const own = [...data.test.labels.keys()].filter((i) => data.test.labels[i] === label);
  const index = own.find((i) => predicted.every((classes) => classes[i] === label)) ?? own[0]!;
  return { label, pixels: [...imagesAt(data.test, [index])] };
});
writeFileSync(join(site, 'samples.json'), JSON.stringify({ classNames: data.classNames, samples }));

// the page's own modules, TensorFlow.js and Bulwark's part for browsers, as one file
const { outputFiles } = await build({
  entryPoints: [join(here, 'page', 'page.js')],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  minify: true,
  write: false,
});
writeFileSync(join(site, 'page.js'), outputFiles[0]!.contents);
const kilobytes = (bytes: Uint8Array) => `${Math.round(bytes.length / 1000)} kB`;
console.log(
  `page.js: ${kilobytes(outputFiles[0]!.contents)}, ${kilobytes(gzipSync(outputFiles[0]!.contents))} compressed`,
);

const require = createRequire(import.meta.url);
const wasm = join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist');
for (const file of readdirSync(wasm).filter((name) => name.endsWith('.wasm')))
  cpSync(join(wasm, file), join(site, 'lib', file));
run.dispose();
console.log('wrote site/: serve it with any static web server, for example `npx jiti serve.ts`');
