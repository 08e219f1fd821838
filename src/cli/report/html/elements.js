// The page of `shim report`: what all of its views share. Data in, elements out; text becomes text by textContent alone.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const COLOURS = 10;
const byId = id => document.getElementById(id);

/** An element with properties, and children that are elements or text. */
function el(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
  return element;
}

/** The same for SVG; `text` is the text in it. */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'text') element.textContent = value;
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

const number = value => value.toLocaleString('en');
const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

/** Nanoseconds as a person says them. */
function span(ns) {
  const units = [[1, 'ns'], [1e3, 'µs'], [1e6, 'ms'], [1e9, 's'], [60e9, 'min'], [3600e9, 'h'], [86400e9, 'days']];
  let unit = units[0];
  // 90 s is more easily read than 1.5 min.
  for (const candidate of units) if (Math.abs(ns) >= candidate[0] * (candidate[1] === 'min' || candidate[1] === 'h' ? 2 : 0.9999)) unit = candidate;
  const value = ns / unit[0];
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toPrecision(3)} ${unit[1]}`;
}

const moment = ms => new Date(ms).toISOString().replace('T', ' ').replace(/\.?0*Z$/, ' UTC');

/** `thread 12 "io"`. */
const person = who => who ? `thread ${who.tid}${who.thread ? ` “${who.thread}”` : ''}` : 'a thread that shim could not see';

const [modules, frames, stacks, sources] = [data.frames.modules, data.frames.frames, data.frames.stacks, data.frames.sources];

function frame(index) {
  const [fn, file, line, module, offset, source] = frames[index];
  const place = module === null ? offset : `${modules[module]}+${offset}`;
  return { fn, file, line, place, source: source === null ? null : sources[source], at: file ? (line ? `${file}:${line}` : file) : null };
}

/** The innermost call of a stack in a few words. */
function call(stack) {
  const first = stacks[stack] && stacks[stack][0];
  if (first === undefined) return '';
  const f = frame(first);
  const name = f.fn || f.place.split('/').pop();
  return f.at ? `${name}  ${f.at.split('/').pop()}` : name;
}

/** A colour for each thing, the same one wherever it is shown. */
function colours() {
  const known = new Map();
  return thing => {
    if (!known.has(thing)) known.set(thing, known.size);
    const index = known.get(thing);
    return `c${index % COLOURS}`;
  };
}

const tip = byId('tip');

function showTip(lines, x, y) {
  tip.replaceChildren(...lines);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
}

function hideTip() { tip.hidden = true; }

/** Round steps for an axis. */
function ticks(from, to, about) {
  const rough = (to - from) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough) || rough;
  const all = [];
  for (let at = Math.ceil(from / step) * step; at <= to + step * 1e-6; at += step) all.push(at);
  return all;
}

/** The same of time: from two minutes on in minutes, then hours. */
function timeTicks(from, to, about) {
  const unit = to - from > 7200e9 ? 3600e9 : to - from > 120e9 ? 60e9 : 1;
  return ticks(from / unit, to / unit, about).map(at => at * unit);
}

/** The little markdown of the explain pages: headings, paragraphs, code. */
function markdown(text) {
  const box = el('div', { class: 'md' });
  const parts = text.split('\n```');
  parts.forEach((part, index) => {
    if (index % 2) { box.append(el('pre', {}, el('code', {}, part.slice(part.indexOf('\n') + 1)))); return; }
    for (const block of part.split('\n\n')) {
      const plain = block.trim();
      if (!plain) continue;
      const heading = /^(#+) (.*)$/.exec(plain);
      const line = el(heading ? (heading[1].length === 1 ? 'h2' : 'h3') : 'p');
      (heading ? heading[2] : plain.replace(/\n/g, ' ')).split('`').forEach((piece, i) => line.append(i % 2 ? el('code', {}, piece) : piece));
      box.append(line);
    }
  });
  return box;
}

function theme(next) {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const root = document.documentElement;
  let stored = null;
  try { stored = localStorage.getItem('shim-theme'); } catch { /* A page from a file may have no storage. */ }
  const wanted = next || stored || (dark ? 'dark' : 'light');
  root.dataset.theme = wanted;
  if (next) try { localStorage.setItem('shim-theme', next); } catch { /* As above. */ }
  byId('theme').textContent = wanted === 'dark' ? 'Light' : 'Dark';
}

const toggleTheme = () => theme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
