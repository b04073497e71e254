import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { corrupt } from '../corrupt.js';
import { readBytes } from '../formats/files.js';

/** Where Tiny-ImageNet says which class each of its validation images has. */
export const annotationsFile = 'val_annotations.txt';

/**
 * The images of a folder in Tiny-ImageNet's form: `images/`, and a line for each with its name and its class. Undefined for other folders.
 * @throws BulwarkError DATA_CORRUPT for a class that training does not have
 */
export function annotatedImages(
  folder: string,
  classes: readonly string[],
): { path: string; label: number }[] | undefined {
  const file = join(folder, annotationsFile);
  if (!existsSync(file) || !existsSync(join(folder, 'images'))) return undefined;
  const labels = new Map(classes.map((name, label) => [name, label]));
  const lines = Buffer.from(readBytes(file)).toString('utf8').split(/\r?\n/).filter(Boolean);
  return lines.map((line, i) => {
    const [name, className] = line.split('\t') as [string, string | undefined];
    const label = labels.get(className ?? '');
    if (label === undefined || name.includes('..'))
      throw corrupt(
        { file },
        `line ${i + 1}: ${JSON.stringify(line.slice(0, 60))} names no image of a class of train`,
        {
          hint: 'each line holds the name of an image, a tab, and its class, which is a folder of train',
        },
      );
    return { path: join(folder, 'images', name), label };
  });
}
