// Looks at the page as a person would: picks an image, draws one, and checks what appears. Screenshots go to runs/.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { openPage } from './browser.js';
import { serve } from './serve.js';

type Found = Record<
  'natural' | 'robust',
  Record<'image' | 'adversarial' | 'collaborative', { class: number; probability: number }>
>;

const { server, url } = await serve(0);
const page = await openPage(url, { width: 1000, height: 900 });
const settled = async () => {
  for (let i = 0; i < 600; i++) {
    const state = await page.evaluate<string>('document.body.dataset.state');
    if (state === 'done') return page.evaluate<Found>('window.result');
    if (state === 'failed') break;
    await wait(100);
  }
  throw new Error(`the page says: ${await page.evaluate<string>("document.getElementById('status').textContent")}`);
};
const centre = (selector: string) =>
  page.evaluate<[number, number]>(
    `(() => { const box = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()`,
  );
mkdirSync('runs', { recursive: true });
const shoot = async (name: string) => writeFileSync(`runs/${name}.png`, await page.screenshot());

try {
  const check = (found: Found, what: string) => {
    for (const kind of ['natural', 'robust'] as const) {
      const { image, adversarial, collaborative } = found[kind];
      assert(
        adversarial.probability <= image.probability + 1e-6,
        `${what}: the adversarial example of the ${kind} model is more likely`,
      );
      assert(
        collaborative.probability >= image.probability - 1e-6,
        `${what}: the collaborative example of the ${kind} model is less likely`,
      );
    }
  };
  check(await settled(), 'the first image');
  await shoot('first');

  const fooled = { natural: 0, robust: 0 };
  for (const label of [1, 7, 8, 9]) {
    await page.evaluate("document.body.dataset.state = 'waiting'");
    await page.click(...(await centre(`#samples button:nth-child(${label + 1})`)));
    const found = await settled();
    check(found, `the image of class ${label}`);
    for (const kind of ['natural', 'robust'] as const) fooled[kind] += Number(found[kind].adversarial.class !== label);
  }
  await shoot('picked');
  console.log(`fooled on 4 images: natural ${fooled.natural}, robust ${fooled.robust}`);
  assert(fooled.natural > fooled.robust, 'the robust model is fooled as often as the natural one');

  // draw trousers: two legs
  await page.click(...(await centre('#clear')));
  await page.evaluate("document.getElementById('label').value = '1'");
  const [x, y] = await centre('#drawing');
  for (const leg of [-30, 30])
    for (const across of [-8, 8]) {
      await page.evaluate("document.body.dataset.state = 'waiting'");
      await page.drag([x + leg * 0.6 + across, y - 90], [x + leg + across, y + 90]);
    }
  check(await settled(), 'the drawing');
  const ink = await page.evaluate<number>(
    "[...document.getElementById('drawing').getContext('2d').getImageData(0, 0, 28, 28).data].filter((v, i) => i % 4 === 0 && v > 128).length",
  );
  assert(ink > 60, `the drawing has only ${ink} bright pixels`);
  await shoot('drawn');
  assert.deepEqual(page.complaints, []);
  console.log('the page works; screenshots: runs/first.png, runs/picked.png, runs/drawn.png');
} finally {
  page.close();
  server.close();
}
