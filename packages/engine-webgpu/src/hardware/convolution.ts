import { util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Conv2DAttrs } from '@bulwark/core/engine';
import type { WebgpuBackend } from '../backend.js';
import { put, typeOf, widthOf, type RunShader, type Width } from '../shader.js';
import {
  alongTerms,
  columnsAt,
  epilogue,
  finish,
  groupsOf,
  origin,
  outside,
  readIf,
  inFours,
  writeRow,
  type After,
} from './pieces.js';
import { invocationsOf, shareOut, type Sharing } from './tile.js';
import { tiledProduct } from './tiled-product.js';

interface Code extends Conv2DAttrs {
  /** Columns of the filter. */
  readonly across: number;
  readonly widths: { readonly X: Width; readonly Filter: Width };
}

/** Where a pixel of the result begins to see (image, row, column), and what a term of the sum is (row and column of the filter, channel). */
const declarations = ({ stride, padding, across, widths }: Code): string => `
  ${outside}
  ${inFours('xAt', widths.X)}
  fn placeOf(row : i32) -> vec3<i32> {
    let rest = row / uniforms.outWidth;
    let x = row - rest * uniforms.outWidth;
    let image = rest / uniforms.outHeight;
    let y = rest - image * uniforms.outHeight;
    return vec3<i32>(image, select(outside, y * ${stride} - ${padding}, row < uniforms.rows), x * ${stride} - ${padding});
  }
  fn tapOf(term : i32) -> vec3<i32> {
    let tap = term / uniforms.channels;
    return vec3<i32>(select(outside, tap / ${across}, term < uniforms.terms), tap % ${across}, term - tap * uniforms.channels);
  }
  fn xAt(place : vec3<i32>, tap : vec3<i32>) -> ${typeOf(widths.X)} {
    let y = place.y + tap.x;
    let x = place.z + tap.y;
    let inside = y >= 0 && y < uniforms.xShape.y && x >= 0 && x < uniforms.xShape.z;
    let at = ((place.x * uniforms.xShape.y + y) * uniforms.xShape.z + x) * uniforms.channels + tap.z;
    ${readIf('X', widths.X)}
  }
  ${columnsAt('Filter', widths.Filter)}`;

/** Output pixels by filters: the sums over taps and channels, whose left factor is read from the images as it is needed. */
export interface Convolution {
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias?: TensorInfo;
  readonly attrs: Conv2DAttrs;
  readonly relu: boolean;
}

export function convolution(
  run: RunShader,
  backend: WebgpuBackend,
  { x, filter, bias, attrs, relu }: Convolution,
  share: (extent: Parameters<typeof shareOut>[0]) => Sharing & { ahead?: boolean } = shareOut,
): TensorInfo {
  const { stride, padding } = attrs;
  const [height, across, channels, filters] = filter.shape as [number, number, number, number];
  const sideOf = (size: number, of: number) => Math.floor((size + 2 * padding - of) / stride) + 1;
  const shape = [x.shape[0]!, sideOf(x.shape[1]!, height), sideOf(x.shape[2]!, across), filters];
  const [rows, terms] = [shape[0]! * shape[1]! * shape[2]!, height * across * channels];
  const { tile, parts, termsOfPart, ahead = false } = share({ rows, columns: filters, terms });
  const widths = { X: widthOf(channels), Filter: widthOf(filters) };
  const after: After = { bias: bias !== undefined, relu };
  const here = parts === 1 ? after : { bias: false, relu: false };

  const sums = run(backend, {
    name: [
      'convolution',
      across,
      stride,
      padding,
      ...Object.values(widths),
      ...Object.values(here),
      ...Object.values(tile),
      ahead,
    ].join(' '),
    inputs: { X: x, Filter: filter, ...(here.bias && { Bias: bias! }) },
    widths: { ...widths, Bias: widths.Filter },
    shape: parts === 1 ? shape : [parts, util.sizeFromShape(shape)],
    width: widths.Filter,
    integers: {
      rows,
      lines: rows,
      columns: filters,
      terms,
      parts,
      termsOfPart,
      channels,
      outHeight: shape[1]!,
      outWidth: shape[2]!,
    },
    groupSize: invocationsOf(tile),
    groups: groupsOf({ rows, columns: filters, terms }, { tile, parts }),
    code: () =>
      tiledProduct({
        tile,
        ahead,
        declarations: declarations({ ...attrs, across, widths }),
        begin: origin(tile),
        left: alongTerms('xAt', 'placeOf', widths.X),
        right: { of: 'sides', at: (side, term) => `filterAt(${side}, ${term})` },
        write: writeRow({
          width: widths.Filter,
          after: epilogue(here, widths.Filter),
          lineOf: 'select(-1, row, row < uniforms.rows)',
        }),
      }),
  });
  if (parts === 1) return sums;
  return finish(run, backend, { sums, parts, shape, bias, after });
}

type Inputs = { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo };

/** Registers the convolution, alone and with bias and ReLU. */
export function putConvolutions(run: RunShader): void {
  for (const [kernelName, relu] of [
    ['BulwarkConv2D', false],
    ['BulwarkConv2DBias', false],
    ['BulwarkConv2DBiasRelu', true],
  ] as const)
    put(kernelName, ({ inputs, attrs, backend }) =>
      convolution(run, backend as WebgpuBackend, {
        ...(inputs as unknown as Inputs),
        attrs: attrs as unknown as Conv2DAttrs,
        relu,
      }),
    );
}
