import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { build } from 'esbuild';
import { useEngine } from '../engine/index.js';
import { apgdInPage, classifierOfLayers, createRandom, linf, logitsOf, pgdInPage } from './index.js';

const entry = fileURLToPath(new URL('index.ts', import.meta.url));

describe('the part for browsers', () => {
  it('bundles without anything of Node, and stays small', async () => {
    // a module of Node's anywhere in it is an error of the bundler, which names the file
    const { outputFiles, metafile } = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      minify: true,
      write: false,
      metafile: true,
      logLevel: 'silent',
      external: ['@tensorflow/*'],
    });
    const used = Object.entries(Object.values(metafile.outputs)[0]!.inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => path);
    expect(used.filter((path) => /node_modules|\/(run|files|engine\/(wasm|install))\//.test(path))).toEqual([]);
    const [file] = outputFiles;
    expect(file!.contents.length).toBeLessThan(80_000);
    expect(gzipSync(file!.contents).length).toBeLessThan(28_000);
  });

  describe('attacks', () => {
    beforeAll(() => useEngine('wasm'));
    it.each([
      ['pgd', pgdInPage({ steps: 5 })],
      ['apgd', apgdInPage({ iterations: 5 })],
    ])('%s find worse points within the ball', async (_name, attack) => {
      const kernelInitializer = tfl.initializers.heNormal({ seed: 3 });
      const layers = [
        tfl.layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', inputShape: [6, 6, 1], kernelInitializer }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 3, kernelInitializer }),
      ];
      const model = classifierOfLayers(tfl.sequential({ layers }));
      const random = createRandom(0);
      const images = tf.tidy(() => createRandom(1).uniform([8, 6, 6, 1], 0, 1)) as tf.Tensor4D;
      const labels = tf.tidy(() => tf.cast(tf.argMax(logitsOf(model, images), 1), 'int32')) as tf.Tensor1D;
      const found = await attack.run(images, labels, { model, threat: { norm: linf, epsilon: 0.2 }, random });
      const [distance, right] = tf.tidy(() => [
        tf.max(tf.abs(tf.sub(found, images))).dataSync()[0]!,
        tf.sum(tf.cast(tf.equal(tf.argMax(logitsOf(model, found), 1), labels), 'float32')).dataSync()[0]!,
      ]) as unknown as [number, number];
      expect(distance).toBeLessThan(0.2 + 1e-6);
      expect(right).toBeLessThan(8);
      tf.dispose([images, labels, found]);
      model.dispose();
    });
  });
});
