import { checkImageSet, defineDataSource, type ImageSet, type ImageShape, type PluginServices } from '@bulwark/core';
import { ofPublished } from '../corrupt.js';
import { dataFolder, folderOption } from '../folder.js';
import { split, splitOptions } from '../splits.js';
import { mayStandIn, standIn } from '../stand-in.js';

/** A published data set: where its files are and how they are read. */
export interface WholeSet {
  readonly name: string;
  readonly summary: string;
  readonly cite: string;
  readonly shape: ImageShape;
  readonly classNames: readonly string[];
  readonly notes: readonly string[];
  /** Number of images of its two parts. */
  readonly counts: { readonly train: number; readonly test: number };
  /** Default number of held-out training examples. */
  readonly validation: number;
  /** Reads the training and the test set from the folder; throws DATA_MISSING or DATA_CORRUPT. */
  read(folder: string): { train: ImageSet; test: ImageSet };
}

/** The data source over a published data set. */
export function wholeSetSource<const Name extends string>(set: WholeSet & { readonly name: Name }) {
  return defineDataSource({
    name: set.name as Name,
    summary: set.summary,
    cite: set.cite,
    options: { folder: folderOption, ...splitOptions({ validation: set.validation }) },
    create({ folder, ...options }, services) {
      const from = dataFolder(set.name, { folder, baseFolder: services.baseFolder });
      const { train, test } = readOrStandIn(set, from, services);
      const parts = split({ train, test }, { ...options, name: set.name });
      return {
        name: set.name,
        shape: set.shape,
        classNames: set.classNames,
        ...parts,
        notes: [...set.notes, ...(parts.notes ?? [])],
      };
    },
  });
}

/** Both sets, or what stands in for them: as many images of their shape and classes. */
function readOrStandIn(set: WholeSet, folder: string, services: PluginServices): { train: ImageSet; test: ImageSet } {
  try {
    return readWholeSet(set, folder);
  } catch (error) {
    if (!mayStandIn(error, services)) throw error;
    const of = (count: number) => standIn({ ...set, classes: set.classNames.length, count });
    return { train: of(set.counts.train), test: of(set.counts.test) };
  }
}

function readPublished(set: WholeSet, folder: string): { train: ImageSet; test: ImageSet } {
  try {
    return set.read(folder);
  } catch (error) {
    throw ofPublished(error, set.name);
  }
}

/** Both sets, checked. */
export function readWholeSet(set: WholeSet, folder: string): { train: ImageSet; test: ImageSet } {
  const { train, test } = readPublished(set, folder);
  const check = (part: ImageSet, name: string) =>
    checkImageSet(part, { name: `${set.name} (${name})`, classes: set.classNames.length });
  return { train: check(train, 'train'), test: check(test, 'test') };
}
