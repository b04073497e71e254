import { getKernel, util } from '@tensorflow/tfjs-core';
import type { DataType, KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { composedKernels, registerComposedKernels } from '@bulwark/core/engine';
import type { WebgpuBackend } from './backend.js';
import { putClassKernels } from './classes.js';
import { capital, emptyTensor, flat, put, type RunShader } from './shader.js';

/** One shader over equally shaped tensors: `expression` is one in the inputs' and options' names. */
function putElementwise(
  kernelName: string,
  { names, expression, options = [], run }: { names: string[]; expression: string; options?: string[]; run: RunShader },
): void {
  put(kernelName, ({ inputs, attrs, backend }) =>
    run(backend, {
      name: kernelName,
      inputs: Object.fromEntries(names.map((name) => [capital(name), inputs[name] as TensorInfo])),
      shape: (inputs[names[0]!] as TensorInfo).shape,
      floats: Object.fromEntries(options.map((option) => [option, attrs![option] as number])),
      code: `
        ${names.map((name) => `let ${name} = read${capital(name)}(index);`).join('\n')}
        ${options.map((option) => `let ${option} = uniforms.${option};`).join('\n')}
        value = ${expression};`,
    }),
  );
}

/** SGD with momentum: parameter and velocity in one shader. */
function putMomentumStep(run: RunShader): void {
  put('BulwarkMomentumStep', ({ inputs, attrs, backend }) => {
    const { parameter, gradient, velocity } = inputs as Record<string, TensorInfo>;
    const { rate, momentum, nesterov } = attrs as { rate: number; momentum: number; nesterov: boolean };
    const next = emptyTensor(backend, velocity!.shape);
    const after = run(backend, {
      name: `momentum step ${nesterov}`,
      inputs: { Parameter: flat(parameter!), Gradient: flat(gradient!), Velocity: flat(velocity!) },
      outputs: { Next: next },
      shape: flat(parameter!).shape,
      floats: { rate, momentum },
      code: `
        let gradient = readGradient(index);
        let next = uniforms.momentum * readVelocity(index) + gradient;
        Next[index] = next;
        value = readParameter(index) - uniforms.rate * ${nesterov ? '(gradient + uniforms.momentum * next)' : 'next'};`,
    });
    return [{ ...after, shape: parameter!.shape }, next];
  });
}

/** Sums of many tensors in parts: the backend's own asks for more buffers in one shader than a GPU has. */
function putAddN(): void {
  const { kernelFunc: stock } = getKernel('AddN', 'webgpu')!;
  put('AddN', ({ inputs, attrs, backend }) => {
    const gpu = backend as WebgpuBackend;
    const most = gpu.device.limits['maxStorageBuffersPerShaderStage']! - 1;
    const given = inputs as unknown as TensorInfo[];
    const add = (some: TensorInfo[]): TensorInfo =>
      stock({ inputs: some as unknown as Parameters<KernelFunc>[0]['inputs'], attrs, backend }) as TensorInfo;
    let sum = add(given.slice(0, most));
    for (let next = most; next < given.length; next += most - 1) {
      const more = add([sum, ...given.slice(next, next + most - 1)]);
      gpu.disposeData(sum.dataId);
      sum = more;
    }
    return sum;
  });
}

/**
 * Casts of bool and int32 to float32 that write floats: the stock one only renames the buffer, whose integers shaders that move elements about
 * (transpose, and sums over axes apart) then put into an output of floats, which does not compile.
 */
function putCast(run: RunShader): void {
  const { kernelFunc: stock } = getKernel('Cast', 'webgpu')!;
  put('Cast', (call) => {
    const { x } = call.inputs as { x: TensorInfo };
    const { dtype } = call.attrs as { dtype: DataType };
    const integers = x.dtype === 'bool' || x.dtype === 'int32';
    if (dtype !== 'float32' || !integers || util.sizeFromShape(x.shape) === 0) return stock(call);
    const input = flat(x);
    const floats = run(call.backend, {
      name: 'cast',
      inputs: { X: input },
      shape: input.shape,
      code: 'value = readX(index);',
    });
    return { ...floats, shape: x.shape };
  });
}

const step = 'clamp(x + stepSize * (f32(g > 0.0) - f32(g < 0.0)), origin - epsilon, origin + epsilon)';

/** Registers Bulwark's kernels for the `webgpu` backend. */
export function registerWebgpuKernels(run: RunShader): void {
  registerComposedKernels('webgpu', composedKernels.volumes);
  putAddN();
  putCast(run);
  putElementwise('BulwarkRelu', { run, names: ['x'], expression: 'max(x, 0.0)' });
  putElementwise('BulwarkReluGrad', { run, names: ['dy', 'y'], expression: 'select(0.0, dy, y > 0.0)' });
  putElementwise('BulwarkSignOf', { run, names: ['x'], expression: 'f32(x > 0.0) - f32(x < 0.0)' });
  putElementwise('BulwarkWeightedSum', {
    ...{ run, names: ['a', 'b'], options: ['ofA', 'ofB'] },
    expression: 'ofA * a + ofB * b',
  });
  putElementwise('BulwarkApproached', {
    ...{ run, names: ['variable', 'aim'], options: ['share'] },
    expression: 'variable + share * (aim - variable)',
  });
  putMomentumStep(run);
  putClassKernels(run);
  putElementwise('BulwarkSignStep', {
    run,
    names: ['x', 'g', 'origin'],
    options: ['stepSize', 'epsilon'],
    expression: `clamp(${step}, 0.0, 1.0)`,
  });
}
