import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { corrupt } from '../corrupt.js';
import { imageExtensions } from '../formats/image/index.js';

/** Python's order of names, which is torchvision's. */
const sorted = (names: readonly string[]): string[] => names.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));

const isImage = (name: string) => (imageExtensions as readonly string[]).includes(extname(name).toLowerCase());

/** What was left out of a folder, by reason. */
export type Skipped = Map<string, number>;

const count = (skipped: Skipped, reason: string) => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1);

/** One line about everything that was left out; undefined if nothing was. */
export function skippedText(place: string, skipped: Skipped): string | undefined {
  if (skipped.size === 0) return undefined;
  const total = [...skipped.values()].reduce((sum, n) => sum + n, 0);
  const reasons = [...skipped].map(([reason, n]) => `${n} ${reason}`);
  return `${total} ${total === 1 ? 'entry' : 'entries'} of ${place} left out: ${reasons.join(', ')}.`;
}

type Kind = 'folder' | 'file' | 'other';

/** What an entry is, through links. A link to nothing is an error: leaving it out could move every later label. */
function kindOf(path: string): Kind {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found)
    throw corrupt({ file: path }, 'a link to something that is not there', {
      hint: 'bring what it points to (a data set under git-annex or DVC needs `get` or `pull`), or remove the link',
    });
  if (found.isDirectory()) return 'folder';
  return found.isFile() ? 'file' : 'other';
}

/** Class folders of a split in sorted order, as torchvision's ImageFolder numbers them; links to folders are followed. */
export function classFolders(folder: string, skipped: Skipped): string[] {
  if (!existsSync(folder))
    throw new BulwarkError('DATA_MISSING', `image-folder: ${folder} does not exist`, {
      hint: 'the folder needs train/<class>/*.png (or .jpg, .webp, .bmp) and test/<class>/*.png',
    });
  const names = sorted(readdirSync(folder)).filter((name) => {
    if (name.startsWith('.')) {
      if (kindOf(join(folder, name)) === 'folder') count(skipped, 'hidden folder');
      return false;
    }
    const kind = kindOf(join(folder, name));
    if (kind !== 'folder') count(skipped, isImage(name) ? 'image outside of class folders' : 'file beside the classes');
    return kind === 'folder';
  });
  if (names.length === 0)
    throw corrupt({ file: folder }, 'has no class folders', {
      hint: 'put the images of each class into a folder of its name',
    });
  return names;
}

/**
 * Paths of the images of a class at any depth, in torchvision's order: folders sorted by their whole path, files sorted within. Links are
 * followed, but not in circles.
 */
export function imagesOfClass(folder: string, skipped: Skipped): string[] {
  const folders: { path: string; files: string[] }[] = [];
  const walk = (path: string, above: readonly string[]) => {
    const real = realpathSync(path);
    if (above.includes(real))
      throw corrupt({ file: path }, 'a link to a folder that it lies in', { hint: 'remove the link' });
    const files: string[] = [];
    folders.push({ path, files });
    for (const name of readdirSync(path)) {
      if (name.startsWith('.')) continue;
      const kind = kindOf(join(path, name));
      if (kind === 'folder') walk(join(path, name), [...above, real]);
      else if (kind === 'file' && isImage(name)) files.push(name);
      else count(skipped, kind === 'file' ? extname(name).toLowerCase() || 'without ending' : 'pipe or device');
    }
  };
  walk(folder, []);
  return folders
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .flatMap(({ path, files }) => sorted(files).map((file) => join(path, file)));
}
