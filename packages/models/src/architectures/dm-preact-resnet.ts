import { networkGraph, type InputNormalisation, type NetworkGraph } from '@bulwark/core';
import { activate, sameConv, type Activation } from './activations.js';
import { normalised, type Size } from './options.js';

/** DeepMind's pre-activation ResNet-18 (Gowal et al., 2021; Rebuffi et al., 2021): 3x3 shortcuts that read the raw input, padding of TensorFlow. */
export function dmPreActResnet(
  options: Size & { width: number; activation: Activation; normalize?: InputNormalisation },
): NetworkGraph {
  const { width, activation } = options;
  return networkGraph(options.inputShape, (build) => {
    let x = build.conv('conv_2d', normalised(build, options.normalize), { filters: width, kernel: 3 });
    for (let stage = 0; stage < 4; stage++)
      for (let i = 0; i < 2; i++) {
        const name = `layer_${stage}.${i}`;
        const filters = width * 2 ** stage;
        const stride = i === 0 && stage > 0 ? 2 : 1;
        const norm = (part: number, y: number) =>
          activate(build, activation, build.batchNorm(`${name}.batchnorm_${part}`, y));
        const a = norm(0, x);
        const changes = stride !== 1 || build.channels(x) !== filters;
        const shortcut = changes ? sameConv(build, `${name}.shortcut`, x, { filters, stride }) : x;
        const y = sameConv(build, `${name}.conv_2d_1`, a, { filters, stride });
        x = build.add(build.conv(`${name}.conv_2d_2`, norm(1, y), { filters, kernel: 3 }), shortcut);
      }
    x = activate(build, activation, build.batchNorm('batchnorm', x));
    return build.linear('logits', build.globalAveragePool(x), { units: options.classes });
  });
}
