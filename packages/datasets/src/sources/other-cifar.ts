import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';

/** Forms of CIFAR that are not the one asked for, by files that only they have. */
const forms: readonly { files: readonly string[]; is: string; hint: (name: string) => string }[] = [
  {
    files: ['cifar-10-batches-mat', 'cifar-100-matlab', 'batches.meta.mat', 'data_batch_1.mat', 'train.mat'],
    is: 'the MATLAB version',
    hint: (name) => `the binary and the Python version are read: \`bulwark data fetch ${name}\` gets one`,
  },
  ...[10, 100].flatMap((classes) =>
    ['binary', 'python', 'matlab'].map((version) => ({
      files: [`cifar-${classes}-${version}.tar.gz`],
      is: `the archive cifar-${classes}-${version}.tar.gz, which is packed`,
      hint: (name: string) => `unpack it (tar xzf), or run \`bulwark data fetch ${name} --from <this folder>\``,
    })),
  ),
  {
    files: ['cifar-10-batches-bin', 'cifar-10-batches-py', 'data_batch_1.bin', 'data_batch_1', 'batches.meta'],
    is: 'CIFAR-10',
    hint: () => 'write data: { use: cifar10, ... } for it',
  },
  {
    files: ['cifar-100-binary', 'cifar-100-python', 'fine_label_names.txt', 'train.bin', 'meta'],
    is: 'CIFAR-100',
    hint: () => 'write data: { use: cifar100, ... } for it',
  },
];

/**
 * Says what a folder holds instead of the CIFAR set that was asked for, where something gives it away.
 * @throws BulwarkError DATA_MISSING
 */
export function refuseOtherCifar(folder: string, name: string): void {
  const own = name === 'cifar10' ? 'CIFAR-10' : 'CIFAR-100';
  const found = forms.find(({ files, is }) => is !== own && files.some((file) => existsSync(join(folder, file))));
  if (found) throw new BulwarkError('DATA_MISSING', `${name}: ${folder} holds ${found.is}`, { hint: found.hint(name) });
}
