import { corrupt } from '../../corrupt.js';
import type { NpyFile } from '../../formats/npy.js';

interface Where {
  readonly file: string;
  readonly count: number;
  readonly classNames: readonly string[];
}

/** One-hot rows as the position of their 1. */
function ofRows(values: ArrayLike<number | bigint>, { file, count, classNames }: Where): Int32Array {
  const classes = classNames.length;
  return Int32Array.from({ length: count }, (_, i) => {
    let label = -1;
    for (let k = 0; k < classes; k++) {
      const value = Number(values[i * classes + k]);
      if (value === 1 && label < 0) label = k;
      else if (value !== 0)
        throw corrupt(
          { file },
          `the labels of image ${i} are mixed (${value} for class ${k}); one class each is read`,
          {
            hint: 'save the labels as class numbers, or as one-hot rows',
          },
        );
    }
    return label;
  });
}

function ofText(names: readonly string[], { file, classNames }: Where): Int32Array {
  const numbers = new Map(classNames.map((name, label) => [name, label]));
  return Int32Array.from(names, (name) => {
    const label = numbers.get(name);
    if (label !== undefined) return label;
    const used = [...new Set(names)].sort();
    throw corrupt({ file }, `labels are text: ${used.slice(0, 12).join(', ')}${used.length > 12 ? ', ...' : ''}`, {
      hint: `name the classes in the order of their numbers: classes: [${used.slice(0, 12).join(', ')}]`,
    });
  });
}

/** Labels of an array: class numbers of any type, one-hot rows, or names of classes. -1 stands for "no label". */
export function labelsOf(array: NpyFile | undefined, where: Where): Int32Array {
  const { file, count, classNames } = where;
  if (!array) return new Int32Array(count).fill(-1);
  const { shape, type } = array;
  const total = shape.reduce((product, n) => product * n, 1);
  const rows = shape.length === 2 && shape[0] === count && shape[1] === classNames.length && shape[1]! > 1;
  if (total !== count && !rows)
    throw corrupt(
      { file },
      `${shape.length === 2 ? `labels of shape [${shape}]` : `${total} labels`} for ${count} images`,
      {
        hint:
          shape.length === 2 && shape[0] === count
            ? `if these are one-hot rows, say how many classes there are: classes: ${shape[1]}`
            : 'save one label for each image',
      },
    );
  if (/^[US]\d/.test(type)) return ofText(array.readText(), where);
  const { data } = array.read();
  if (rows) return ofRows(data, where);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const label = Number(data[i]);
    if (!Number.isInteger(label))
      throw corrupt({ file }, `label ${label} of image ${i} is no whole number`, {
        hint: 'save the number of its class, from 0; name the array with labelKey if this is another one',
      });
    if (label < -1 || label >= classNames.length)
      throw corrupt(
        { file },
        `label ${label} of image ${i} is outside [0, ${classNames.length}); -1 stands for "no label"`,
        { hint: `set classes to the number of classes, or subtract 1 if the labels count from 1` },
      );
    labels[i] = label;
  }
  return labels;
}
