// The study of docs/fast-methods.md: eight methods at equal time of computing on the whole of Fashion-MNIST, under AutoAttack.
//
//   node scripts/fast-methods.mjs [folder] [--budgets 20,60] [--seeds 1,2,3] [--images 1000] [--width 8] [--engine torch]
//                                 [--jobs 2] [--data folder] [--rounds 5] [--only train | attack] [--attack-engine torch:device=cuda:0]
//
// First the seconds of a step of each method are measured, in turn and with one thread each, on a machine that should be quiet: medians. A budget of
// seconds then buys each method its number of steps, so what comes out does not depend on how busy the machine is later. Every run has a folder; what
// is finished is not done again, what was interrupted goes on. First all models are trained, then all attacked, one seed after another; results.json,
// table.md and figure.svg in the folder are of those that are attacked already, so it may be stopped at any time. AutoAttack on 1,000 images takes most of
// it: three to five minutes of one core per model of width 8, 48 models by default. With `--only attack --attack-engine torch:device=cuda:0 --jobs 4` a GPU
// does it in seconds each, also on another machine to which the folder was copied; `--images 250` first and 1000 later attacks the same models twice.
// Needs `npm run build`, and the data set: `apt-get install dataset-fashion-mnist` or `bulwark data fetch fashion-mnist`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { figure, summarise, table } from './fast-methods/figure.mjs';
import { attacking, cleanOf, finishAll, isFinished, robustOf, training } from './fast-methods/jobs.mjs';
import { measureSteps } from './fast-methods/measure.mjs';
import { configOf, methods, shape, slug } from './fast-methods/plan.mjs';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    budgets: { type: 'string', default: '20,60' },
    seeds: { type: 'string', default: '1,2,3' },
    images: { type: 'string', default: '1000' },
    width: { type: 'string', default: '8' },
    engine: { type: 'string', default: 'torch' },
    jobs: { type: 'string', default: '2' },
    only: { type: 'string', default: 'train,attack' },
    'attack-engine': { type: 'string' },
    rounds: { type: 'string', default: '5' },
    data: { type: 'string' },
  },
});
const folder = resolve(positionals[0] ?? 'runs/fast-methods');
const numbers = (text) => text.split(',').map(Number);
const ofDebian = '/usr/share/datasets/fashion-mnist';
const data = given.data ?? (existsSync(ofDebian) ? ofDebian : undefined);
const settings = { engine: { use: given.engine, threads: 1 }, width: Number(given.width), ...(data && { data }) };

const began = Date.now();
const say = (text) => console.log(`${((Date.now() - began) / 60_000).toFixed(1).padStart(6)} min  ${text}`);

mkdirSync(folder, { recursive: true });
const measured = join(folder, 'seconds.json');
if (!existsSync(measured)) {
  const seconds = await measureSteps(settings, { rounds: Number(given.rounds), say });
  writeFileSync(measured, JSON.stringify({ settings, seconds }, null, 2));
}
const known = JSON.parse(readFileSync(measured, 'utf8'));
if (JSON.stringify(known.settings) !== JSON.stringify(settings))
  throw new Error(`${measured} is of ${JSON.stringify(known.settings)}; take another folder for other settings`);
const { seconds } = known;
for (const [method, { median, quarter, threeQuarters }] of Object.entries(seconds))
  say(`${method}: ${median.toFixed(4)} s a step (half of them ${quarter.toFixed(4)} to ${threeQuarters.toFixed(4)})`);

const jobs = numbers(given.seeds).flatMap((seed) =>
  numbers(given.budgets).flatMap((budget) =>
    Object.keys(methods).map((method) => {
      const { epochs, images, steps } = shape(method, budget / seconds[method].median);
      return {
        ...{ method, budget, seed, steps, passes: (epochs * images) / 60_000, images: Number(given.images) },
        folder: join(folder, `${budget}s`, slug(method), `seed-${seed}`),
        config: configOf(method, { ...settings, epochs, images, seed }),
      };
    }),
  ),
);

/** Writes down what is finished. */
async function draw() {
  const rows = jobs.filter(isFinished).map((job) => {
    const { method, budget, seed, steps, passes } = job;
    return { method, budget, seed, steps, passes, clean: cleanOf(job), robust: robustOf(job) };
  });
  if (rows.length === 0) return;
  const entries = summarise(rows);
  writeFileSync(join(folder, 'results.json'), JSON.stringify({ settings, seconds, rows, entries }, null, 2));
  writeFileSync(join(folder, 'table.md'), table(entries));
  const seeds = new Set(rows.map(({ seed }) => seed)).size;
  const subtitle = `small-cnn of width ${given.width}, ${given.images} test images, epsilon 0.1; mean and range of ${seeds} seeds`;
  writeFileSync(join(folder, 'figure.svg'), await figure(entries, { subtitle }));
}

const atOnce = Number(given.jobs);
const wanted = given.only.split(',');
if (wanted.includes('train'))
  await finishAll(jobs, { work: training, atOnce, done: (job, count) => say(`${count} trained: ${job.folder}`) });
if (wanted.includes('attack'))
  await finishAll(jobs, {
    work: attacking(given['attack-engine']),
    atOnce,
    async done(job, count) {
      say(`${count} attacked: ${job.folder}, ${(100 * robustOf(job)).toFixed(1)} % robust`);
      await draw();
    },
  });
await draw();
say(`results.json, table.md and figure.svg are in ${folder}`);
