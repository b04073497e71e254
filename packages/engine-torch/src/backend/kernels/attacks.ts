import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kit } from '../kernel.js';
import type { Handle } from '../native.js';

/** Bulwark's step of an attack and its choice among points in one native call per operation, without JavaScript in between. */
export function registerAttacks({ kernel, aten, at }: Kit): void {
  kernel('BulwarkSignStep', ({ x, g, origin }, { stepSize, epsilon }) => {
    const centre = at(origin!);
    // alpha times the sign is added in one operator
    const moved = aten.add(at(x!), aten.sign(at(g!)), stepSize as number);
    const lower = aten.subScalar(centre, epsilon as number);
    const upper = aten.addScalar(centre, epsilon as number);
    return aten.clamp(aten.minimum(aten.maximum(moved, lower), upper), 0, 1);
  });
  kernel('BulwarkPick', ({ a, b, c, x, y, z }) => {
    const rows = (mask: TensorInfo): Handle =>
      aten.reshape(at(mask), [mask.shape[0]!, ...x!.shape.slice(1).map(() => 1)]);
    // products with 0 and 1 are exact, fused or not
    const some = aten.addcmul(aten.mul(rows(a!), at(x!)), rows(b!), at(y!), 1);
    return aten.addcmul(some, rows(c!), at(z!), 1);
  });
}
