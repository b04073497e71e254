import { describe, expect, it } from '@jest/globals';
import type { Handle, Native } from './backend/index.js';
import { deviceChooser } from './device.js';

type Facts = ReturnType<Native['facts']>;

/** What a PyTorch says of devices: what it has been built for, and which of them fail when they are used or compute. */
function fakeNative({ cuda = 0, mps = 0, fails = {} as Record<string, string>, dies = {} as Record<string, string> }) {
  let current = 'cpu';
  return {
    facts: (): Facts => ['2.13.0', 'AVX2', 2, cuda, cuda, mps, 0],
    useDevice(name: string) {
      if (fails[name]) throw new Error(`${fails[name]}\nException raised from a file of PyTorch's`);
      current = name;
    },
    full(): Handle {
      if (dies[current]) throw new Error(dies[current]);
      return 1 as Handle;
    },
    dispose: () => undefined,
    synchronize: () => undefined,
  };
}

const old = 'The NVIDIA driver on your system is too old (found version 11040).';
const busy = 'CUDA error: all CUDA-capable devices are busy or unavailable';
const kernels = 'CUDA error: no kernel image is available for execution on the device';

describe('the device', () => {
  it('is the GPU where one works', () => {
    expect(deviceChooser()(fakeNative({ cuda: 1 }), 'auto')).toEqual({ name: 'cuda:0', remarks: [] });
  });
  it('is the processor where PyTorch knows no GPU', () => {
    expect(deviceChooser()(fakeNative({}), 'auto')).toEqual({ name: 'cpu', remarks: [] });
  });
  it.each([
    ['its driver is too old', { fails: { 'cuda:0': old } }, old],
    ['another process has it to itself', { dies: { 'cuda:0': busy } }, busy],
    ['PyTorch has no kernels for it', { dies: { 'cuda:0': kernels } }, kernels],
  ])('is the processor, with the reason, where %s; asked for by name it is refused', (_why, how, reason) => {
    const native = fakeNative({ cuda: 1, ...how });
    expect(deviceChooser()(native, 'auto')).toEqual({ name: 'cpu', remarks: [`computes on the processor: ${reason}`] });
    const refusal = { code: 'ENGINE_UNAVAILABLE', message: expect.stringContaining(reason), hint: expect.stringMatching(/nvidia-smi/) }; // prettier-ignore
    expect(() => deviceChooser()(native, 'cuda')).toThrow(expect.objectContaining(refusal));
  });
  it('is refused with a hint where PyTorch was built without it', () => {
    const without = (device: string, hint: RegExp) =>
      expect(() => deviceChooser()(fakeNative({}), device)).toThrow(
        expect.objectContaining({ code: 'ENGINE_UNAVAILABLE', hint: expect.stringMatching(hint) }),
      );
    without('cuda:1', /install a PyTorch with CUDA/);
    without('mps', /device: cpu/);
  });
  it('stays what it is in one process', () => {
    const chooseDevice = deviceChooser();
    const native = fakeNative({ cuda: 1, mps: 1 });
    expect(chooseDevice(native, 'cuda:1').name).toBe('cuda:1');
    expect(chooseDevice(native, 'auto').name).toBe('cuda:1');
    expect(() => chooseDevice(native, 'cpu')).toThrow(/computes on cuda:1 already: start another one/);
  });
});
