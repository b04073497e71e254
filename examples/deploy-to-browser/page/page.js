import { classifierOfLayers, skipKernelGradients } from '@bulwark/core/browser';
import '@bulwark/core/tfjs-backend-cpu';
import { setWasmPaths } from '@bulwark/core/tfjs-backend-wasm';
import * as tf from '@bulwark/core/tfjs';
import { loadLayersModel } from '@bulwark/core/tfjs-layers';
import { probabilities, step } from './attack.js';

const side = 28;
const steps = 10;
const points = ['image', 'adversarial', 'collaborative'];
const find = (id) => document.getElementById(id);
const drawing = find('drawing');
const pixels = new Float32Array(side * side);
/** What the last attack found, for whoever looks: `window.result[model][point]`. */
window.result = {};

function show(canvas, values) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(side, side);
  values.forEach((value, i) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
  context.putImageData(image, 0, 0);
}

const element = (tag, properties = {}, children = []) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

/** A canvas, a verdict and bars for each point of one model. */
function panelOf(title, classNames) {
  const rows = Object.fromEntries(
    points.map((name) => {
      const canvas = element('canvas', { width: side, height: side });
      const verdict = element('span', { className: 'verdict' });
      const bars = element('div');
      const text = element('div', { className: 'bars' }, [element('h3', { textContent: `${name} ` }, [verdict]), bars]);
      return [name, { canvas, verdict, bars, root: element('div', { className: 'point' }, [canvas, text]) }];
    }),
  );
  rows.image.root.querySelector('h3').firstChild.textContent = 'image ';
  const heading = element('h2', { textContent: title });
  find('models').append(
    element('article', { className: 'model' }, [heading, ...points.map((name) => rows[name].root)]),
  );
  return (name, values, p, label) => {
    const { canvas, verdict, bars } = rows[name];
    show(canvas, values);
    const ranking = [...p.keys()].sort((a, b) => p[b] - p[a]);
    verdict.textContent = `→ ${classNames[ranking[0]]}`;
    verdict.className = `verdict ${ranking[0] === label ? 'right' : 'wrong'}`;
    const shown = ranking.slice(0, 3);
    if (!shown.includes(label)) shown[2] = label;
    bars.replaceChildren(
      ...shown.map((k) => {
        const bar = element('i');
        bar.style.width = `${Math.max(1, 100 * p[k])}%`;
        return element('div', { className: `bar${k === label ? ' true' : ''}` }, [
          element('span', { textContent: classNames[k] }),
          element('span', {}, [bar]),
          element('span', { textContent: `${(100 * p[k]).toFixed(1)}%` }),
        ]);
      }),
    );
    return { class: ranking[0], probability: p[label] };
  };
}

async function engine() {
  setWasmPaths('lib/');
  skipKernelGradients();
  for (const name of ['wasm', 'cpu']) if (await tf.setBackend(name).catch(() => false)) return name;
  throw new Error('no engine of TensorFlow.js starts in this browser');
}

async function start() {
  const name = await engine();
  const { classNames, samples } = await (await fetch('samples.json')).json();
  const models = {};
  for (const kind of ['natural', 'robust'])
    models[kind] = classifierOfLayers(await loadLayersModel(`models/${kind}/model.json`));
  const panels = Object.fromEntries(
    Object.keys(models).map((kind) => [
      kind,
      panelOf(kind === 'natural' ? 'Natural training' : 'Robust training (TRADES)', classNames),
    ]),
  );
  classNames.forEach((text, value) => find('label').append(element('option', { value, textContent: text })));

  let turn = 0;
  const attack = async () => {
    const mine = ++turn; // a newer attack stops this one
    document.body.dataset.state = 'attacking';
    const label = Number(find('label').value);
    const epsilon = Number(find('epsilon').value);
    const image = tf.tensor4d(pixels.slice(), [1, side, side, 1]);
    const began = performance.now();
    for (const [kind, model] of Object.entries(models)) {
      const draw = async (where, point) =>
        panels[kind](where, [...(await point.data())], probabilities(model, point), label);
      const found = { image: await draw('image', image) };
      for (const where of ['adversarial', 'collaborative']) {
        let point = image.clone();
        for (let i = 0; i < steps && mine === turn; i++) {
          const next = step(model, {
            image,
            point,
            label,
            epsilon,
            stepSize: epsilon / 4,
            uphill: where === 'adversarial',
          });
          point.dispose();
          point = next;
          found[where] = await draw(where, point);
          find('status').textContent = `${kind} model, ${where} example: step ${i + 1} of ${steps}`;
          await tf.nextFrame();
        }
        point.dispose();
      }
      window.result[kind] = found;
    }
    image.dispose();
    if (mine !== turn) return;
    find('status').textContent =
      `${4 * steps} steps in ${((performance.now() - began) / 1000).toFixed(1)} s (engine ${name})`;
    document.body.dataset.state = 'done';
  };

  const unpick = () => [...find('samples').children].forEach((button) => button.setAttribute('aria-pressed', 'false'));
  const pick = (index) => {
    pixels.set(samples[index].pixels.map((byte) => byte / 255));
    show(drawing, pixels);
    find('label').value = samples[index].label;
    [...find('samples').children].forEach((button, i) => button.setAttribute('aria-pressed', String(i === index)));
    return attack();
  };
  samples.forEach(({ pixels: bytes, label }, index) => {
    const canvas = element('canvas', { width: side, height: side });
    show(
      canvas,
      bytes.map((byte) => byte / 255),
    );
    const button = element('button', { type: 'button', title: classNames[label], onclick: () => pick(index) }, [
      canvas,
    ]);
    find('samples').append(button);
  });

  /** A soft brush of about three pixels. */
  const paint = (event) => {
    const box = drawing.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
    for (let i = 0; i < pixels.length; i++) {
      const far = Math.hypot((i % side) + 0.5 - x, Math.floor(i / side) + 0.5 - y);
      pixels[i] = Math.max(pixels[i], Math.min(1, Math.max(0, 2 - far)));
    }
    show(drawing, pixels);
  };
  drawing.addEventListener('pointerdown', (event) => {
    unpick();
    drawing.setPointerCapture(event.pointerId);
    paint(event);
  });
  drawing.addEventListener('pointermove', (event) => event.buttons && paint(event));
  drawing.addEventListener('pointerup', attack);
  find('clear').onclick = () => {
    turn++;
    unpick();
    pixels.fill(0);
    show(drawing, pixels);
    find('status').textContent = 'Draw with the pointer, choose what it is meant to be, and attack.';
    document.body.dataset.state = 'ready';
  };
  find('attack').onclick = attack;
  find('label').onchange = attack;
  find('epsilon').oninput = () => (find('epsilon-value').textContent = Number(find('epsilon').value).toFixed(2));
  find('epsilon').onchange = attack;
  await pick(0);
}

start().catch((error) => {
  find('status').textContent = `This page cannot run here: ${error.message}`;
  document.body.dataset.state = 'failed';
});
