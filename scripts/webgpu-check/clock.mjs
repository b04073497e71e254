// When each kernel begins and ends, by the GPU's own clock.
import { globals } from 'webgpu';

/** Has the GPU write down when each kernel begins and ends. */
export function clockOf({ backend, device }) {
  const size = 4096;
  const rows = [];
  const sets = [];
  const { beginComputePass } = globals.GPUCommandEncoder.prototype;
  const { runWebGPUProgram } = backend;
  let timed = false;
  globals.GPUCommandEncoder.prototype.beginComputePass = function (descriptor = {}) {
    if (!timed) return beginComputePass.call(this, descriptor);
    const at = (rows.length - 1) * 2;
    if (at % size === 0) sets.push(device.createQuerySet({ type: 'timestamp', count: size }));
    const timestampWrites = {
      querySet: sets.at(-1),
      beginningOfPassWriteIndex: at % size,
      endOfPassWriteIndex: (at % size) + 1,
    };
    return beginComputePass.call(this, { ...descriptor, timestampWrites });
  };
  backend.runWebGPUProgram = function (program, ...given) {
    if (!timed) return runWebGPUProgram.call(this, program, ...given);
    backend.endComputePassEncoder();
    const name = program.shaderKey; // a key of the pipeline later
    rows.push({ name: name.length > 2 ? name : program.constructor.name, shape: program.outputShape });
    const result = runWebGPUProgram.call(this, program, ...given);
    backend.endComputePassEncoder();
    return result;
  };
  return {
    start() {
      rows.length = sets.length = 0;
      timed = true;
    },
    async stop() {
      timed = false;
      backend.endComputePassEncoder();
      if (backend.commandEncoder) backend.submitQueue();
      const times = [];
      for (const set of sets) {
        const [resolved, read] = [0x200 | 0x4, 0x1 | 0x8].map((usage) =>
          device.createBuffer({ size: size * 8, usage }),
        );
        const encoder = device.createCommandEncoder();
        encoder.resolveQuerySet(set, 0, size, resolved, 0);
        encoder.copyBufferToBuffer(resolved, 0, read, 0, size * 8);
        device.queue.submit([encoder.finish()]);
        await read.mapAsync(1);
        times.push(...new BigUint64Array(read.getMappedRange().slice(0)));
        read.destroy();
        resolved.destroy();
      }
      for (const set of sets) set.destroy();
      return rows.map((row, i) => ({ ...row, ms: Number(times[2 * i + 1] - times[2 * i]) / 1e6 }));
    },
  };
}
