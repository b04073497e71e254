import { unavailable } from '@bulwark/core/engine';
import { dtypeCodes, type Native } from './backend/native.js';

export const hint = 'run `bulwark engine install torch`, or use engine: auto';

/** What an error says, without the traceback that PyTorch puts below. */
export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/** Chooses the device of a process, which stays: tensors of one cannot be computed with on another. */
export function deviceChooser() {
  let deviceInUse: string | undefined;
  return (
    native: Pick<Native, 'facts' | 'useDevice' | 'full' | 'dispose' | 'synchronize'>,
    wanted: string,
  ): { name: string; remarks: string[] } => {
    const [, , , cuda, , mps] = native.facts();
    const use = (name: string): string => {
      if (deviceInUse !== undefined && deviceInUse !== name)
        throw new Error(`this process computes on ${deviceInUse} already: start another one`);
      native.useDevice(name);
      // a GPU that PyTorch has no kernels for, or that another process has to itself, shows when it computes
      native.dispose([native.full([1], 1, dtypeCodes.float32)]);
      native.synchronize();
      deviceInUse = name;
      return name;
    };
    if (wanted === 'auto') {
      if (deviceInUse !== undefined) return { name: deviceInUse, remarks: [] };
      if (!cuda) return { name: use('cpu'), remarks: [] };
      try {
        return { name: use('cuda:0'), remarks: [] };
      } catch (error) {
        return { name: use('cpu'), remarks: [`computes on the processor: ${firstLine(error)}`] };
      }
    }
    const refuse = (reason: string, how = hint) => unavailable('torch', [{ candidate: 'torch', reason }], how);
    if (wanted.startsWith('cuda') && !cuda)
      throw refuse(
        `its PyTorch was built without CUDA`,
        'install a PyTorch with CUDA, then `bulwark engine install torch --force`; or leave out `device`',
      );
    if (wanted === 'mps' && !mps) throw refuse('its PyTorch has no MPS', 'use device: cpu');
    try {
      return { name: use(wanted === 'cuda' ? 'cuda:0' : wanted), remarks: [] };
    } catch (error) {
      throw refuse(firstLine(error), 'see that the driver works (nvidia-smi), or leave out `device`');
    }
  };
}

/** The device that computes, and why it is not another one. */
export const chooseDevice = deviceChooser();
