import { cifar10Layout, cifar10Set, cifar100Layout, cifar100Set, type CifarLayout } from '../sources/cifar.js';
import { fashionMnistSet, mnistSet } from '../sources/mnist.js';
import { svhnSet } from '../sources/svhn.js';
import type { WholeSet } from '../sources/whole-set.js';

/** A file as its authors publish it. */
export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  /** MD5 of the file, as the authors or torchvision publish it. */
  readonly md5: string;
  /** SHA-256 of the decompressed contents: the same where a mirror or a distribution has compressed the file anew. */
  readonly contents?: string;
  /** Of a tar.gz: the files that are wanted. */
  readonly members?: readonly string[];
}

/** How a data set is fetched. */
export interface RemoteSet {
  readonly set: WholeSet;
  readonly files: readonly RemoteFile[];
  /** Lists of files, any of which is the whole set when found unpacked in a folder. */
  readonly unpacked: readonly (readonly string[])[];
}

const idxNames = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'].map(
  (name) => `${name}-ubyte`,
);

const idx = (set: WholeSet, base: string, sums: readonly { md5: string; contents?: string }[]): RemoteSet => ({
  set,
  files: idxNames.map((name, i) => ({ name: `${name}.gz`, url: `${base}${name}.gz`, ...sums[i]! })),
  unpacked: [idxNames],
});

const cifar = (set: WholeSet, layout: CifarLayout, archive: { name: string; md5: string }): RemoteSet => {
  const paths = (version: CifarLayout['binary']) =>
    [...version.train, ...version.test].map((name) => `${version.folder}/${name}`);
  return {
    set,
    files: [{ ...archive, url: `https://www.cs.toronto.edu/~kriz/${archive.name}`, members: paths(layout.binary) }],
    unpacked: [paths(layout.binary), paths(layout.python)],
  };
};

const svhnBase = 'http://ufldl.stanford.edu/housenumbers/';
const svhnSums = { train_32x32: 'e26dedcc434d2e4c54c9b2d4a06d8373', test_32x32: 'eb5a983be6a315427106f1b164d9cef3' };

/** Data sets that `bulwark data fetch` knows. */
export const remoteSets: readonly RemoteSet[] = [
  cifar(cifar10Set, cifar10Layout, { name: 'cifar-10-binary.tar.gz', md5: 'c32a1d4ab5d03f1284b67883e8d87530' }),
  cifar(cifar100Set, cifar100Layout, { name: 'cifar-100-binary.tar.gz', md5: '03b5dce01913d631647c71ecec9e9cb8' }),
  {
    set: svhnSet,
    files: Object.entries(svhnSums).map(([name, md5]) => ({ name: `${name}.mat`, url: `${svhnBase}${name}.mat`, md5 })),
    unpacked: [],
  },
  idx(fashionMnistSet, 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/', [
    {
      md5: '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
      contents: 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
    },
    {
      md5: '25c81989df183df01b3e8a0aad5dffbe',
      contents: 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
    },
    {
      md5: 'bef4ecab320f06d8554ea6380940ec79',
      contents: '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
    },
    {
      md5: 'bb300cfdad3c16e7a12a480ee83cd310',
      contents: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
    },
  ]),
  idx(mnistSet, 'https://ossci-datasets.s3.amazonaws.com/mnist/', [
    { md5: 'f68b3c2dcbeaaa9fbdd348bbdeb94873' },
    { md5: 'd53e105ee54ea40749a09fcbcd1e9432' },
    { md5: '9fb629c4189551a2d022fa330f9573f3' },
    { md5: 'ec29112dd5afa0611ce80d1b7f02629c' },
  ]),
];
