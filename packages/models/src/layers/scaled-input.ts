type Json = Record<string, unknown>;

/** Factors from here on turn images in [0, 1] into nearly one colour: they are for values of 0 to 255 (1/255, 1/127.5, 1/128). */
const forBytes = 0.05;

/** Layers of a description that scale images of 0 to 255, models within it included. */
function rescalingLayers(model: unknown): { name: string; scale: number }[] {
  const { class_name: className, config } = (model ?? {}) as { class_name?: unknown; config?: Json };
  if (className === 'Rescaling') {
    const scale = [config?.['scale']].flat().map(Number);
    const small = scale.filter((factor) => factor !== 0 && Math.abs(factor) < forBytes);
    return small.length > 0 ? [{ name: String(config?.['name'] ?? 'rescaling'), scale: small[0]! }] : [];
  }
  const layers: unknown = Array.isArray(config) ? config : config?.['layers'];
  return Array.isArray(layers) ? layers.flatMap(rescalingLayers) : [];
}

/**
 * What is wrong with a model that scales images by itself, as Keras's `Rescaling(1/255)` does: it is for images of 0 to 255, and gets
 * images in [0, 1]. Undefined if it does not.
 */
export function scaledTwice(topology: object, where: string): string | undefined {
  const [layer] = rescalingLayers((topology as Json)['model_config'] ?? topology);
  if (!layer) return undefined;
  const factor = Number((1 / layer.scale).toPrecision(6));
  return `${where}: its layer ${layer.name} divides images by ${factor}, which is for pixel values of 0 to 255; it gets images in [0, 1], which are scaled twice then. Take the layer out of the model and convert it again`;
}
