import type { ArchitectureSpec, ModelFacts } from '@bulwark/core';
import type { ImageLayout } from '@bulwark/models';
import { onnxRuntime } from './onnx-usage.js';
import { onnxInput, type ExportForm } from './write-model.js';
import type { Usage } from './usage.js';

export type { Usage };

/** What was exported, and how. */
export interface ExportedForm {
  readonly form: ExportForm;
  readonly layout: ImageLayout;
  readonly files: readonly string[];
}

const list = (values: readonly number[]) => `[${values.map((value) => Number(value.toPrecision(9))).join(', ')}]`;

/** What PyTorch needs to know of options that no tensor shows. */
function optionsText({ architecture }: ModelFacts): string {
  const { use, normalize: _beside, ...options }: Partial<ArchitectureSpec> = architecture ?? {};
  if (!use) return '';
  const listed = Object.entries(options).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return ` \`net\` must compute what \`${use}\`${listed.length > 0 ? ` with ${listed.join(', ')}` : ''} computes: equal names do not prove it.`;
}

function pyTorch(facts: ModelFacts): Usage {
  const load = "net.load_state_dict(safetensors.torch.load_file('model.safetensors'))";
  const layout = 'Images are [batch, channels, height, width] there, float32 in [0, 1].';
  if (!facts.normalize)
    return {
      framework: 'PyTorch',
      text: `${layout} ${facts.normalize === null ? 'Normalise nothing.' : ''}${optionsText(facts)}`,
      code: load,
    };
  const { mean, std } = facts.normalize;
  return {
    framework: 'PyTorch',
    text: `${layout} **The file has no normalisation, but the network was trained with one**: put it in front, or the logits are others.${optionsText(facts)}`,
    code: `${load}\nnet = torch.nn.Sequential(torchvision.transforms.Normalize(mean=${list(mean)}, std=${list(std)}), net)`,
  };
}

const bulwark = (facts: ModelFacts): Usage => ({
  framework: 'Bulwark',
  text: `Normalise nothing${facts.normalize ? ': the model does, by the numbers in the file' : ''}. The file says the rest: architecture, options, classes, threat model.`,
  code: "const model = await loadModel('model.safetensors'); // @bulwark/inference\nawait model.predict(images);\n// or, in a shell: bulwark evaluate model.safetensors",
});

const tensorflowJs = (facts: ModelFacts): Usage => ({
  framework: 'TensorFlow.js',
  text: `Images are float32 in [0, 1]. Normalise nothing: ${facts.normalize ? 'the model does' : 'the model needs none'}.`,
  code: "const model = await tf.loadLayersModel('model.json');\nconst logits = model.predict(images);",
});

/** For each framework that reads an exported file, what to do with images before the model sees them. */
export function howToUse(facts: ModelFacts, { form, layout, files }: ExportedForm): Usage[] {
  const onnx = files.find((file) => file.endsWith('.onnx'));
  return [
    ...(files.includes('model.json') ? [tensorflowJs(facts)] : []),
    ...(files.includes('model.safetensors') ? [bulwark(facts), pyTorch(facts)] : []),
    ...(onnx === undefined ? [] : onnxRuntime(facts, { file: onnx, layout, input: onnxInput(form) })),
  ];
}
