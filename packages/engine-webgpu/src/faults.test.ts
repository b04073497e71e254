import { describe, expect, it } from '@jest/globals';
import { missingVulkan } from './drivers.js';
import { watchFaults } from './faults.js';
import type { Device, GpuBuffer } from './gpu.js';
import { catchTicks } from './ticks.js';

/** A GPU without a GPU, which fails when told to. */
function fakeDevice() {
  let tell: (event: { error: Error }) => void = () => undefined;
  let lose: (info: { reason: string; message: string }) => void = () => undefined;
  const device = {
    limits: { maxBufferSize: 1000 },
    lost: new Promise((resolve) => (lose = resolve)),
    createBuffer: ({ size }: { size: number }) => ({ size }) as GpuBuffer,
    addEventListener: (_type: string, listener: typeof tell) => (tell = listener),
  } as unknown as Device;
  return {
    device,
    fail: (error: Error) => tell({ error }),
    lose: (message: string) => lose({ reason: 'unknown', message }),
  };
}

describe('faults of a GPU', () => {
  it('become ENGINE_MEMORY with a hint, once, when memory ran out', () => {
    const { device, fail } = fakeDevice();
    const faults = watchFaults(device);
    faults.check();
    fail(new Error('Out of memory while allocating 12 bytes\n at dawn'));
    expect(() => faults.check()).toThrow(
      expect.objectContaining({ code: 'ENGINE_MEMORY', hint: expect.stringContaining('batchSize') }),
    );
    faults.check();
  });
  it('are told as they are otherwise, the first of several', async () => {
    const { device, fail, lose } = fakeDevice();
    const faults = watchFaults(device);
    fail(new Error('wrong binding'));
    fail(new Error('consequence'));
    expect(() => faults.check()).toThrow('webgpu: Error: wrong binding');
    lose('driver reset');
    await Promise.resolve();
    expect(() => faults.check()).toThrow('the GPU stopped working (driver reset)');
  });
  it('are prevented where a buffer is larger than the GPU gives', () => {
    const { device } = fakeDevice();
    watchFaults(device);
    expect(device.createBuffer({ size: 1000, usage: 0 }).size).toBe(1000);
    expect(() => device.createBuffer({ size: 1001, usage: 0 })).toThrow(
      expect.objectContaining({ code: 'ENGINE_MEMORY', message: expect.stringContaining('1001 bytes') }),
    );
  });
});

describe('ticks', () => {
  it('catch what is scheduled during a call, and nothing else', async () => {
    const ticks = catchTicks();
    const done: string[] = [];
    expect(ticks.run()).toBe(false);
    const addon = catchGlobal();
    ticks.during(() => addon.setImmediate(() => void done.push('caught')));
    await new Promise((resume) => setTimeout(resume, 5));
    expect(done).toEqual([]);
    expect(ticks.run()).toBe(true);
    expect(done).toEqual(['caught']);
    await new Promise<void>((resume) => addon.setImmediate(() => resume()));
  });
  it('settle a promise that needs them, and pass its failure on', async () => {
    const ticks = catchTicks();
    const addon = catchGlobal();
    const later = (work: () => void) => ticks.during(() => void addon.setImmediate(work));
    await expect(ticks.settle(new Promise((resolve) => later(() => resolve(7))))).resolves.toBe(7);
    await expect(ticks.settle(new Promise((_, reject) => later(() => reject(new Error('no')))))).rejects.toThrow('no');
  });
});

/** Node's own global object, as an addon sees it. */
const catchGlobal = (): typeof globalThis => (setTimeout.constructor as FunctionConstructor)('return globalThis')();

describe('the search for Vulkan', () => {
  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('names the driver file that the environment asks for and that is not there', () => {
    const saved = process.env['VK_DRIVER_FILES'];
    process.env['VK_DRIVER_FILES'] = '/nonexistent/icd.json';
    try {
      expect(missingVulkan()).toMatch(/libvulkan|names \/nonexistent\/icd\.json, which is not there/);
    } finally {
      if (saved === undefined) delete process.env['VK_DRIVER_FILES'];
      else process.env['VK_DRIVER_FILES'] = saved;
    }
  });
});
