import { wrongProducts, type Values } from '@bulwark/core/install';
import { dtypeCodes, type Geometry, type Handle, type Native } from '../backend/native.js';

const geometry: Geometry = [1, 1, 1, 1, 1, 1, 1, 1, 1];

/** What the addon computes differently from arithmetic on its device, or undefined. */
export function wrongNativeProducts(native: Native): string | undefined {
  const matmul = native.operator('aten::matmul') as (a: Handle, b: Handle) => Handle;
  const computed = (given: readonly Values[], compute: (...handles: Handle[]) => Handle) => {
    const handles = given.map(({ shape, data }) => native.write(shape, data, dtypeCodes.float32));
    const result = compute(...handles);
    const values = native.read(result);
    native.dispose([...handles, result]);
    return values;
  };
  return wrongProducts({
    matrices: ['matmul', (a, b) => computed([a!, b!], (x, y) => matmul(x!, y!))],
    convolution: ['conv2d', (x, w) => computed([x!, w!], (a, b) => native.conv2d(a!, b!, null, geometry))],
    inputGradient: [
      'conv2d input gradient',
      (dy, w, x) => computed([dy!, w!], (a, b) => native.conv2dInputGradient(a!, b!, x!.shape, geometry)),
    ],
    filterGradient: [
      'conv2d filter gradient',
      (x, dy, w) => computed([x!, dy!], (a, b) => native.conv2dFilterGradient(a!, b!, w!.shape, geometry)),
    ],
  });
}
