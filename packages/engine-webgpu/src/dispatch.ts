import { env, util } from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from './backend.js';
import type { GpuBuffer } from './gpu.js';

interface Uniform {
  readonly type: 'int32' | 'uint32' | 'float32';
  readonly data: number[];
}
interface UniformBinding {
  readonly buffer: GpuBuffer;
}
interface Pipeline {
  getBindGroupLayout(index: number): object;
}

/** A shader as TensorFlow.js's backend has it when it runs. */
interface Program {
  readonly pipeline: Pipeline;
  readonly pixelsOpType?: unknown;
  readonly size?: boolean;
  readonly outputShape: number[];
  readonly outputComponent?: number;
  readonly dispatch: readonly [number, number, number];
  /** Of Bulwark's own shaders. */
  readonly moreOutputs?: readonly TensorInfo[];
}

/** The part of TensorFlow.js's backend that hands shaders to the GPU. */
interface Dispatcher extends Omit<WebgpuBackend, 'device'> {
  readonly device: {
    createBindGroup(descriptor: { layout: object; entries: { binding: number; resource: object }[] }): object;
  };
  readonly activeTimers?: unknown;
  readonly uniformPendingDisposal: GpuBuffer[];
  computePassEncoder: null | {
    setPipeline(pipeline: Pipeline): void;
    setBindGroup(index: number, group: object): void;
    dispatchWorkgroups(x: number, y: number, z: number): void;
  };
  commandEncoder: WebgpuBackend['commandEncoder'] & {
    beginComputePass(): NonNullable<Dispatcher['computePassEncoder']>;
  };
  dispatchCountInPass: number;
  tensorToBinding(tensor: TensorInfo): { readonly buffer?: GpuBuffer };
  makeUniforms(uniforms: Uniform[]): UniformBinding;
  recordAndSubmit(program: Program, output: TensorInfo, inputs: TensorInfo[], uniforms?: Uniform[]): void;
}

/** Most of what is kept; a training step of a large network has some thousands of each. */
const mostUniforms = 8192;
const mostGroups = 16384;

const signed = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

/** All that decides a shader's uniforms, in words. */
const uniformsKey = (program: Program, tensors: readonly TensorInfo[], own: readonly Uniform[]): string =>
  [
    ...tensors.map(({ shape }) => shape.join()),
    program.size ? `${program.outputShape.join()}/${program.outputComponent ?? 1}` : '',
    ...own.map(({ type, data }) => type[0]! + data.map(signed).join()),
  ].join(';');

/** A shader's uniforms, in the order in which its code declares them. */
function uniformsOf(program: Program, tensors: readonly TensorInfo[], own: readonly Uniform[]): Uniform[] {
  const size = util.sizeFromShape(program.outputShape) / (program.outputComponent || 1);
  return [
    { type: 'float32', data: [NaN] },
    { type: 'float32', data: [Infinity] },
    ...tensors.flatMap(({ shape }): Uniform[] => [
      { type: 'int32', data: shape },
      { type: 'int32', data: util.computeStrides(shape) },
    ]),
    ...(program.size ? [{ type: 'int32' as const, data: [size] }] : []),
    ...own,
  ];
}

/** Numbers by which objects are known. */
function numbering(): (object: object) => number {
  const numbers = new WeakMap<object, number>();
  let next = 0;
  return (object) => {
    let number = numbers.get(object);
    if (number === undefined) numbers.set(object, (number = next++));
    return number;
  };
}

/**
 * Hands shaders to the GPU with less work for the processor. TensorFlow.js writes a buffer of uniforms and makes a group of bindings for each
 * shader it runs, which on a fast GPU takes longer than the shader does. Training does the same over and over: uniforms of the same content
 * and groups of the same buffers are kept. So that steps have the same buffers, a tensor's buffer is used again as soon as the tensor is
 * freed, not when its shaders are handed over: the GPU runs them in order.
 */
export function dispatchSparingly(given: WebgpuBackend): void {
  const backend = given as unknown as Dispatcher;
  const { recordAndSubmit: stock } = backend;
  const numberOf = numbering();
  const uniforms = new Map<string, UniformBinding>();
  const groups = new Map<string, object>();

  const uniformsFor = (program: Program, tensors: TensorInfo[], own: Uniform[]): UniformBinding => {
    const key = uniformsKey(program, tensors, own);
    const known = uniforms.get(key);
    if (known) return known;
    if (uniforms.size >= mostUniforms) {
      backend.uniformPendingDisposal.push(...[...uniforms.values()].map(({ buffer }) => buffer));
      uniforms.clear();
    }
    const made = backend.makeUniforms(uniformsOf(program, tensors, own));
    backend.uniformPendingDisposal.pop(); // it is kept
    uniforms.set(key, made);
    return made;
  };

  const groupFor = (pipeline: Pipeline, resources: { readonly buffer?: GpuBuffer }[]): object => {
    const key = [pipeline, ...resources.map(({ buffer }) => buffer!)].map(numberOf).join();
    const known = groups.get(key);
    if (known) return known;
    if (groups.size >= mostGroups) groups.clear();
    const group = backend.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
    groups.set(key, group);
    return group;
  };

  backend.recordAndSubmit = function (program, output, inputs, own = []) {
    const tensors = [...inputs, output];
    const bindings = [output, ...inputs].map((tensor) => backend.tensorToBinding(tensor));
    const more = (program.moreOutputs ?? []).map((tensor) => backend.tensorToBinding(tensor));
    const ordinary = bindings.every(({ buffer }) => buffer !== undefined);
    const timed = backend.activeTimers != null && more.length === 0;
    if (!ordinary || program.pixelsOpType != null || timed) return stock.call(backend, program, output, inputs, own);

    const group = groupFor(program.pipeline, [...bindings, uniformsFor(program, tensors, own), ...more]);
    backend.ensureCommandEncoderReady();
    const pass = (backend.computePassEncoder ??= backend.commandEncoder.beginComputePass());
    pass.setPipeline(program.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...program.dispatch);
    backend.dispatchCountInPass++;
    if (backend.dispatchCountInPass < env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  };
  const none = { has: () => false, add: () => undefined };
  Object.defineProperty(backend, 'commandQueueOwnedIds', { get: () => none, set: () => undefined });
}
