// Splits the bundled training images in two: 500 keep their labels, the others lose them. Writes two npz files.
import { mkdirSync, writeFileSync } from 'node:fs';
import { allImages, subset, type DataSource, type ImageSet, type PluginServices } from '@bulwark/core';
import { fashionMnistMini, writeNpz } from '@bulwark/datasets';

const source = (await fashionMnistMini.create(
  fashionMnistMini.options.parse({}),
  {} as PluginServices, // this source asks for nothing
)) as DataSource;

/** Every fifth image is labelled. */
const indices = Array.from(source.train.labels.keys());
const save = (name: string, set: ImageSet, labels?: Int32Array) => {
  const image = { shape: [set.labels.length, ...set.shape], data: allImages(set) };
  writeFileSync(
    `data/${name}.npz`,
    writeNpz(labels ? { image, label: { shape: [labels.length], data: labels } } : { image }),
  );
  console.log(`data/${name}.npz: ${set.labels.length} images${labels ? '' : ' without labels'}`);
};

mkdirSync('data', { recursive: true });
const labelled = subset(
  source.train,
  indices.filter((i) => i % 5 === 0),
);
save('labelled', labelled, labelled.labels);
save(
  'unlabelled',
  subset(
    source.train,
    indices.filter((i) => i % 5 !== 0),
  ),
);
save('test', source.test, source.test.labels);
