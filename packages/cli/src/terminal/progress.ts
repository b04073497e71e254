import type { EpochMetrics, StepReport, TrainerBus } from '@bulwark/core';
import { counted } from '@bulwark/core/plugins';
import logUpdate from 'log-update';
import { duration, paint, percent, type Output } from './output.js';

const number = (value: number) => (Math.abs(value) >= 1e-3 || value === 0 ? value.toFixed(4) : value.toExponential(2));

const terms = (values: Readonly<Record<string, number>>) =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${number(value)}`)
    .join('  ');

const bar = (share: number, width = 24) => {
  const full = Math.round(share * width);
  return `${'#'.repeat(full)}${'.'.repeat(width - full)}`;
};

const memory = () => `${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`;

const epochLine = (metrics: EpochMetrics, epochs: number, seconds: number) =>
  [
    `epoch ${String(metrics.epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${number(metrics.loss)}`,
    terms(metrics.terms),
    ...Object.entries(metrics.validation ?? {}).map(([name, value]) => `${name} ${percent(value)}%`),
    duration(seconds),
  ].join('  ');

/**
 * Shows a run: on a terminal a live line under the finished epochs, elsewhere plain lines. Returns what removes the display.
 */
export function showProgress(bus: TrainerBus, output: Output, options: { name: string }): () => void {
  if (output.json) return () => undefined;
  const live = process.stdout.isTTY;
  const began = Date.now();
  let [done, total, epochs] = [0, 1, 0];
  let last: StepReport | undefined;
  let rate = 0;
  let validating = '';

  const draw = () => {
    if (!live || !last) return;
    const elapsed = (Date.now() - began) / 1000;
    const eta = (elapsed / Math.max(done, 1)) * (total - done);
    logUpdate(
      [
        `${paint('bold', options.name)}  epoch ${last.epoch}/${last.epochs}  [${bar(last.step / last.stepsPerEpoch)}]  step ${last.step}/${last.stepsPerEpoch}${validating}`,
        `loss ${number(last.loss)}  ${terms(last.terms)}  rate ${number(last.learningRate)}`,
        `${rate.toFixed(0)} images/s  ETA ${duration(eta)}  ${memory()}`,
      ].join('\n'),
    );
  };
  const timer = live ? setInterval(draw, 200) : undefined;
  timer?.unref();

  bus.on('run:start', ({ epochs: n, stepsPerEpoch, resumedAt }) => {
    epochs = n;
    const skipped = resumedAt ? resumedAt.epoch * stepsPerEpoch + resumedAt.step : 0;
    total = n * stepsPerEpoch - skipped;
    output.line(
      resumedAt
        ? `${options.name}: resumed at epoch ${resumedAt.epoch + 1}, step ${resumedAt.step}`
        : `${options.name}: ${counted(n, 'epoch')} of ${counted(stepsPerEpoch, 'step')}`,
    );
  });
  bus.on('step', (report) => {
    last = report;
    done++;
    validating = '';
    rate = rate ? 0.9 * rate + 0.1 * (report.examples / report.seconds) : report.examples / report.seconds;
    if (live) draw();
  });
  bus.on('validation:progress', ({ label, share }) => {
    validating = `  validating ${label} ${percent(share)}%`;
    draw();
  });
  bus.on('epoch:end', ({ metrics, seconds }) => {
    if (live) logUpdate.clear();
    output.line(epochLine(metrics, epochs, seconds));
  });
  bus.on('warning', ({ message }) => output.warn(message));
  return () => {
    clearInterval(timer);
    if (live) logUpdate.clear();
  };
}
