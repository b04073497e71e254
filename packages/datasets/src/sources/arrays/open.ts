import { basename, extname } from 'node:path';
import { corrupt } from '../../corrupt.js';
import { fileSource } from '../../formats/byte-source.js';
import { readBytes } from '../../formats/files.js';
import { npyOf, openNpy, type NpyFile } from '../../formats/npy.js';
import { openNpz } from '../../formats/npz.js';
import { arrayOrNumbersIn, readPickledDict } from '../../formats/pickled.js';
import { heldBytes } from './images.js';
import { unpackedArray } from './unpacked.js';

/** Arrays of a file by name; only those that are asked for are read. */
export interface NamedArrays {
  readonly file: string;
  readonly names: readonly string[];
  open(name: string): Promise<NpyFile>;
}

/** Keys under which published files hold their images and labels, in order of preference. */
export const imageKeys = ['image', 'images', 'data', 'x', 'arr_0'];
export const labelKeys = ['label', 'labels', 'extrapolated_targets', 'targets', 'y', 'arr_1'];

/** Which part of a data set an array is, for files that hold both: `x_train`, `train_images`. */
export type Part = 'train' | 'test';

/** The usual names, and after them those that say of which part they are. */
const namesFor = (usual: readonly string[], part: Part | undefined): string[] => [
  ...usual,
  ...(part === undefined
    ? []
    : usual.flatMap((name) => [`${name}_${part}`, `${name.toUpperCase()}_${part}`, `${part}_${name}`])),
];

function openPickle(path: string): NamedArrays {
  const file = basename(path);
  const dict = readPickledDict(readBytes(path), file);
  return {
    file,
    names: [...dict.keys()],
    open: async (name) => npyOf(arrayOrNumbersIn(dict, name, file), file),
  };
}

/** Opens an npz file or a pickle. `tell` hears of a conversion that takes long. */
export function openArrays(path: string, tell: (text: string) => void): NamedArrays {
  if (['.pickle', '.pkl'].includes(extname(path))) return openPickle(path);
  const source = fileSource(path);
  if (source.size > 0 && source.read(0, 1)[0] === 0x93)
    throw corrupt({ file: source.file, offset: 0 }, 'an npy file, which holds one array', {
      hint: 'write train: { images: x.npy, labels: y.npy }',
    });
  const entries = openNpz(source);
  return {
    file: source.file,
    names: [...entries.keys()],
    async open(name) {
      const entry = entries.get(name)!;
      if (entry.size <= heldBytes) return entry.open();
      if (!entry.isCompressed) return entry.inPlace();
      return openNpy(await unpackedArray(path, entry.place, tell));
    },
  };
}

/** The array of images by its name, or by a usual one. @throws BulwarkError DATA_CORRUPT, naming the arrays there are */
export function pickImages({ file, names }: NamedArrays, key: string | undefined, part?: Part): string {
  const found = (key === undefined ? namesFor(imageKeys, part) : [key]).find((name) => names.includes(name));
  if (found !== undefined) return found;
  throw corrupt({ file }, `arrays ${names.join(', ') || 'none'}; expected ${key ?? imageKeys.join(' or ')}`, {
    hint: 'name the arrays with imageKey and labelKey',
  });
}

/**
 * The array of labels by its name, or by a usual one; undefined if nothing in the file can be labels. An array of another name with one
 * row for each image is not passed over: it may be labels under a misspelt name.
 */
export async function pickLabels(
  arrays: NamedArrays,
  options: { key: string | undefined; count: number; images: string; part?: Part | undefined },
): Promise<string | undefined> {
  const { file, names } = arrays;
  const { key, count, images, part } = options;
  const found = (key === undefined ? namesFor(labelKeys, part) : [key]).find((name) => names.includes(name));
  if (found !== undefined) return found;
  if (key !== undefined)
    throw corrupt({ file }, `has no array ${key}; it has ${names.join(', ')}`, {
      hint: 'set labelKey to one of these',
    });
  for (const name of names.filter((other) => other !== images)) {
    const { shape } = await arrays.open(name);
    if (shape[0] === count && shape.length <= 2)
      throw corrupt({ file }, `has no labels under ${labelKeys.join(', ')}; it has ${names.join(', ')}`, {
        hint: `if ${name} are the labels, set labelKey: ${name}; if there are none, set labelKey: none`,
      });
  }
  return undefined;
}
