import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from '../backend.js';
import { flat, typeOf, widthOf, type RunShader } from '../shader.js';
import { sumOfRows, type RowSums } from '../sum-of-rows.js';

/** Invocations of a group, side by side at neighbouring channels, which read together, and below each other. */
const side = 16;
/** Groups that keep a large GPU busy, and fewest rows that are worth one. */
const wantedGroups = 1024;
const fewestRows = 4 * side;
/** Most groups along one dimension of a dispatch that every adapter has. */
const mostGroups = 65535;

/** One shader of a sum: each group adds up a block of rows of some channels, its invocations every sixteenth row. */
function sumOfBlocks(run: RunShader, backend: WebgpuBackend, of: RowSums, blocks: number): TensorInfo {
  const { name, inputs, widths, floats, rows, channels, scale, before, expression } = of;
  const width = widthOf(channels);
  return run(backend, {
    name: `${name} in groups ${width}`,
    inputs,
    widths,
    shape: [blocks, channels],
    width,
    integers: { rows, groups: channels / width, rowsOfBlock: Math.ceil(rows / blocks) },
    floats: { ...floats, scale: blocks === 1 ? (scale ?? 1) : 1 },
    groupSize: [side, side, 1],
    groups: [Math.ceil(channels / width / side), blocks, 1],
    code: () => `
      var<workgroup> sums : array<${typeOf(width)}, ${side * side}>;
      fn main() {
        let channel = i32(workgroupId.x) * ${side} + i32(localId.x);
        let first = i32(workgroupId.y) * uniforms.rowsOfBlock;
        let end = select(0, min(first + uniforms.rowsOfBlock, uniforms.rows), channel < uniforms.groups);
        var sum = ${typeOf(width)}(0.0);
        for (var row = first + i32(localId.y); row < end; row += ${side}) {
          let index = row * uniforms.groups + channel;
          ${before}
          sum += ${expression};
        }
        sums[localIndex] = sum;
        workgroupBarrier();
        if (localId.y == 0u && channel < uniforms.groups) {
          for (var i = 1; i < ${side}; i++) { sum += sums[i * ${side} + i32(localId.x)]; }
          result[i32(workgroupId.y) * uniforms.groups + channel] = sum * uniforms.scale;
        }
      }`,
  });
}

/** `sumOfRows` for GPUs: two shaders for any number of rows, where invocations without shared memory need three that keep few of them busy. */
export function sumInGroups(run: RunShader, backend: WebgpuBackend, of: RowSums): TensorInfo {
  const { rows, channels } = of;
  const across = Math.ceil(channels / widthOf(channels) / side);
  if (across > mostGroups) return sumOfRows(run, backend, of);
  const blocks = Math.max(1, Math.min(Math.ceil(wantedGroups / across), Math.floor(rows / fewestRows)));
  const sums = sumOfBlocks(run, backend, of, blocks);
  if (blocks === 1) return { dataId: sums.dataId, dtype: sums.dtype, shape: [channels] };
  const parts = flat(sums);
  const { dataId, dtype } = sumOfBlocks(
    run,
    backend,
    {
      name: 'sum of parts',
      inputs: { Parts: parts },
      widths: { Parts: widthOf(channels) },
      ...{ rows: blocks, channels, scale: of.scale },
      before: '',
      expression: 'readParts(index)',
    },
    1,
  );
  backend.disposeData(parts.dataId);
  return { dataId, dtype, shape: [channels] };
}
