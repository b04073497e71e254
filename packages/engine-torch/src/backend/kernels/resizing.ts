import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import type { Kit } from '../kernel.js';
import type { Handle } from '../native.js';

/** How one axis becomes longer or shorter: each new element is between two old ones, `share` of the way to the second. */
interface Resampling {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly share: Float32Array;
}

function resampling(before: number, after: number, attrs: NamedAttrMap, nearest: boolean): Resampling {
  const { alignCorners, halfPixelCenters } = attrs as { alignCorners: boolean; halfPixelCenters: boolean };
  const scale = alignCorners && after > 1 ? (before - 1) / (after - 1) : before / after;
  const place = (i: number): number => {
    const centre = halfPixelCenters ? (i + 0.5) * scale - (nearest ? 0 : 0.5) : i * scale;
    const rounded = nearest ? Math.floor(alignCorners ? centre + 0.5 : centre) : centre;
    return Math.min(Math.max(rounded, 0), before - 1);
  };
  const places = Array.from({ length: after }, (_, i) => place(i));
  return {
    from: Int32Array.from(places, Math.floor),
    to: Int32Array.from(places, Math.ceil),
    share: Float32Array.from(places, (each) => each - Math.floor(each)),
  };
}

/** Images of other sizes, and pieces of images. */
export function registerResizing(kit: Kit): void {
  const { kernel, operator, aten, at, constant } = kit;
  const indexAdd = operator('aten::index_add');

  /** Axis 1 or 2 of images resampled, or, transposed, gradients of that brought back to the old length. */
  const resample = (
    x: Handle,
    { axis, before, after }: { axis: 1 | 2; before: number; after: number },
    { attrs, nearest, back }: { attrs: NamedAttrMap; nearest: boolean; back?: readonly number[] },
  ): Handle => {
    const { alignCorners, halfPixelCenters } = attrs;
    const key = `resize ${before} ${after} ${alignCorners} ${halfPixelCenters} ${nearest}`;
    const found = () => resampling(before, after, attrs, nearest);
    const from = constant(`${key} from`, 'int32', () => [[after], found().from]);
    const to = constant(`${key} to`, 'int32', () => [[after], found().to]);
    const shape = axis === 1 ? [1, after, 1, 1] : [1, 1, after, 1];
    const share = aten.reshape(
      constant(`${key} share`, 'float32', () => [[after], found().share]),
      shape,
    );
    const rest = aten.rsubScalar(share, 1);
    if (back) {
      const base = aten.zeros(back, 6);
      const first = indexAdd(base, axis, from, nearest ? x : aten.mul(x, rest));
      return nearest ? first : indexAdd(first, axis, to, aten.mul(x, share));
    }
    const first = aten.indexSelect(x, axis, from);
    if (nearest) return first;
    return aten.add(aten.mul(first, rest), aten.mul(aten.indexSelect(x, axis, to), share));
  };

  for (const [name, nearest] of [
    ['ResizeBilinear', false],
    ['ResizeNearestNeighbor', true],
  ] as const) {
    kernel(name, ({ images }, attrs) => {
      const [, height, width] = images!.shape as [number, number, number];
      const [newHeight, newWidth] = attrs['size'] as [number, number];
      const x = images!.dtype === 'float32' || nearest ? at(images!) : aten.to(at(images!), 6);
      const rows = resample(x, { axis: 1, before: height, after: newHeight }, { attrs, nearest });
      return resample(rows, { axis: 2, before: width, after: newWidth }, { attrs, nearest });
    });
    kernel(`${name}Grad`, ({ images, dy }, attrs) => {
      const [batch, height, width, channels] = images!.shape as [number, number, number, number];
      const [, newHeight, newWidth] = dy!.shape as [number, number, number];
      const columns = resample(
        at(dy!),
        { axis: 2, before: width, after: newWidth },
        { attrs, nearest, back: [batch, newHeight, width, channels] },
      );
      return resample(
        columns,
        { axis: 1, before: height, after: newHeight },
        { attrs, nearest, back: [batch, height, width, channels] },
      );
    });
  }

  const [abs, round, le, ge] = ['abs', 'round', 'le.Scalar', 'ge.Scalar'].map((name) => operator(`aten::${name}`)) as [
    typeof aten.abs,
    typeof aten.abs,
    typeof aten.abs,
    typeof aten.abs,
  ];
  kernel('CropAndResize', ({ image, boxes, boxInd }, { cropSize, method, extrapolationValue }) => {
    const [, height, width, channels] = image!.shape as [number, number, number, number];
    const count = boxes!.shape[0]!;
    const [newHeight, newWidth] = cropSize as [number, number];
    const corner = (column: number) => aten.narrow(at(boxes!), 1, column, 1);
    /** Where each new row (or column) of each box is among the old ones, and its weights of these: `[boxes, after, before]`. */
    const axis = (first: number, before: number, after: number) => {
      const [start, end] = [corner(first), corner(first + 2)];
      const steps = aten.reshape(aten.arange(0, after, 1, 6), [1, after]);
      const share = after > 1 ? aten.mulScalar(steps, 1 / (after - 1)) : aten.addScalar(steps, 0.5);
      const places = aten.mulScalar(aten.add(start, aten.mul(aten.sub(end, start), share)), before - 1);
      const inside = aten.logicalAnd(ge(places, 0), le(places, before - 1));
      const near = method === 'nearest' ? round(places) : places;
      const distance = abs(
        aten.sub(aten.unsqueeze(near, -1), aten.reshape(aten.arange(0, before, 1, 6), [1, 1, before])),
      );
      return { inside, weights: aten.relu(aten.rsubScalar(distance, 1)) };
    };
    const [rows, columns] = [axis(0, height, newHeight), axis(1, width, newWidth)];
    const picked = aten.to(aten.indexSelect(at(image!), 0, at(boxInd!)), 6);
    const byRows = aten.matmul(rows.weights, aten.reshape(picked, [count, height, width * channels]));
    const tall = aten.reshape(byRows, [count, newHeight, width, channels]);
    const crops = aten.matmul(aten.unsqueeze(columns.weights, 1), tall);
    const inside = aten.logicalAnd(
      aten.reshape(rows.inside, [count, newHeight, 1, 1]),
      aten.reshape(columns.inside, [count, 1, newWidth, 1]),
    );
    return aten.where(inside, crops, kit.scalar(extrapolationValue as number));
  });
}
