// Your own images: PNG files in a folder for each class. These are drawn: bright squares and bright frames.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRandom } from '@bulwark/core';
import { encodePng } from '@bulwark/datasets';

const side = 12;
const random = createRandom(1, 'drawing');

function draw(kind: 'square' | 'frame'): Uint8Array {
  const size = 6 + random.integer(4);
  const [top, left] = [random.integer(side - size + 1), random.integer(side - size + 1)];
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const [y, x] = [Math.floor(i / side) - top, (i % side) - left];
    const inside = y >= 0 && x >= 0 && y < size && x < size;
    const middle = y > 0 && x > 0 && y < size - 1 && x < size - 1;
    return (inside && !(kind === 'frame' && middle) ? 190 : 20) + random.integer(50);
  });
}

for (const [part, count] of [['train', 200] as const, ['test', 50] as const])
  for (const kind of ['square', 'frame'] as const) {
    mkdirSync(`images/${part}/${kind}`, { recursive: true });
    for (let i = 0; i < count; i++)
      writeFileSync(`images/${part}/${kind}/${i}.png`, encodePng(draw(kind), [side, side, 1]));
  }
console.log('drew 500 images into images/');
