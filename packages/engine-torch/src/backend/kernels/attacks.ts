import type { Kit } from '../kernel.js';

/** Bulwark's step of an attack in one native call per operation, without JavaScript in between. */
export function registerAttacks({ kernel, aten, at }: Kit): void {
  kernel('BulwarkSignStep', ({ x, g, origin }, { stepSize, epsilon }) => {
    const centre = at(origin!);
    // alpha times the sign is added in one operator
    const moved = aten.add(at(x!), aten.sign(at(g!)), stepSize as number);
    const lower = aten.subScalar(centre, epsilon as number);
    const upper = aten.addScalar(centre, epsilon as number);
    return aten.clamp(aten.minimum(aten.maximum(moved, lower), upper), 0, 1);
  });
}
