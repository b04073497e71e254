import { describe, expect, it } from '@jest/globals';
import { html, Html } from './html.js';

const script = '<script>alert(1)</script>';

describe('html', () => {
  it('escapes what is filled in, in text and in attributes, and nests what it made itself', () => {
    const inner = html`<b title="${`"' onload=alert(1)`}">${script}</b>`;
    expect(html`<p>${[inner, 1, false, undefined, 'a & b']}</p>`.text).toBe(
      '<p><b title="&quot;&#39; onload=alert(1)">&lt;script&gt;alert(1)&lt;/script&gt;</b>1a &amp; b</p>',
    );
  });

  it.each([
    ['the form of markup', { html: script, text: script }],
    ['the form of markup, as JSON', JSON.parse(`{"html":"${script}","__proto__":{"text":"${script}"}}`)],
    ['a list of such', [{ html: script }]],
    ['its own text', { toString: () => script }],
    ['the prototype of markup', Object.create(Html.prototype, { toString: { value: () => script } })],
  ])('takes nothing that a file may hold for markup: %s', (_name, value) => {
    let text = '';
    try {
      text = html`<p>${value as string}</p>`.text;
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError); // an object without the class's own field
    }
    expect(text).not.toContain('<script');
  });
});
