// Lifelines: a row for each descriptor number, a bar for each of its lives, a mark where something was wrong.

const lines = { seen: 0, from: 0, to: 1, by: 'thread', only: false, focus: null };
const LINE = 25;

function lifelinesView() {
  const with_rows = data.seen.map((s, i) => [s, i]).filter(([s]) => s.rows.length);
  if (!with_rows.length) return el('div', { class: 'view page' }, el('p', { class: 'empty' }, 'The recordings hold no descriptor table that could be read.'));
  lines.seen = (with_rows.find(([s]) => s.rows.some(r => r.marks.length)) || with_rows[0])[1];
  const pick = el('select', { 'aria-label': 'Process', onchange: event => { lines.seen = Number(event.target.value); fit(); } },
    ...with_rows.map(([s, i]) => el('option', { value: i, selected: i === lines.seen }, `${s.program} (${s.pid})`)));
  const by = el('select', { 'aria-label': 'Colour by', onchange: event => { lines.by = event.target.value; drawLines(); } },
    el('option', { value: 'thread' }, 'Coloured by opening thread'), el('option', { value: 'site' }, 'Coloured by opening call'));
  const only = el('input', { type: 'checkbox', id: 'only', onchange: event => { lines.only = event.target.checked; drawLines(); } });
  const button = (text, title, act) => el('button', { type: 'button', title, onclick: act }, text);
  lines.head = el('p', { class: 'quiet' });
  lines.chart = el('div', { class: 'chart', tabindex: '0', role: 'application', 'aria-label': 'Lifelines; arrow keys go from life to life, plus and minus zoom', onkeydown: lineKeys });
  lines.chart.addEventListener('wheel', wheel, { passive: false });
  lines.chart.addEventListener('pointerdown', drag);
  lines.chart.addEventListener('pointermove', hover);
  lines.chart.addEventListener('pointerleave', hideTip);
  lines.chart.addEventListener('focusout', hideTip);
  lines.chart.addEventListener('click', clicked);
  lines.legend = el('div', { class: 'legend' });
  new ResizeObserver(() => drawLines()).observe(lines.chart);
  fit();
  return el('div', { class: 'view page' }, el('div', { class: 'card' },
    el('div', { class: 'controls' }, with_rows.length > 1 ? pick : null, by, el('label', { for: 'only' }, only, ' only what went wrong'), el('span', { class: 'spread' }),
      button('−', 'Zoom out (-)', () => zoom(1.6)), button('+', 'Zoom in (+)', () => zoom(1 / 1.6)), button('Fit', 'What went wrong (0)', () => { fit(); }), button('Whole run', 'From start to end', () => whole())),
    lines.head, lines.chart, lines.legend));
}

const rowsShown = () => data.seen[lines.seen].rows.filter(r => !lines.only || r.marks.length);

/** All that went wrong, with a little room; when nothing did, all that happened. */
function fit() {
  const rows = data.seen[lines.seen].rows;
  const wrong = rows.filter(r => r.marks.length);
  const times = (wrong.length ? wrong : rows).flatMap(r => [...r.lives.flatMap(l => [l.from, l.to]), ...r.marks.map(m => m.at)]).filter(t => t !== null);
  const [first, last] = [times.reduce((a, b) => Math.min(a, b), Infinity), times.reduce((a, b) => Math.max(a, b), 0)];
  const room = Math.max((last - first) * 0.06, 1000);
  [lines.from, lines.to] = [Math.max(0, first - room), last + room];
  drawLines();
}

function whole() {
  [lines.from, lines.to] = [0, Math.max(data.seen[lines.seen].end, 1000)];
  drawLines();
}

function zoom(by, around = 0.5) {
  const middle = lines.from + (lines.to - lines.from) * around;
  const width = Math.min(Math.max((lines.to - lines.from) * by, 200), data.seen[lines.seen].end * 4 + 1e6);
  lines.from = Math.max(0, middle - width * around);
  lines.to = lines.from + width;
  drawLines();
}

function pan(by) {
  const width = lines.to - lines.from;
  lines.from = Math.max(0, lines.from + width * by);
  lines.to = lines.from + width;
  drawLines();
}

const LEFT = 62;
const inner = () => Math.max(160, (lines.chart.clientWidth || 900) - LEFT - 10);
const xOf = at => LEFT + (at - lines.from) / (lines.to - lines.from) * inner();

function drawLines() {
  if (!lines.chart) return;
  const seen = data.seen[lines.seen];
  const rows = rowsShown();
  const [width, height] = [LEFT + inner() + 10, rows.length * LINE + 34];
  const colour = colours();
  const names = new Map();
  const picture = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
  for (const at of ticks(lines.from, lines.to, Math.max(3, inner() / 130))) {
    picture.append(svg('line', { x1: xOf(at), x2: xOf(at), y1: 22, y2: height, class: 'grid' }), svg('text', { x: xOf(at), y: 14, 'text-anchor': 'middle', class: 'soft', text: span(at) }));
  }
  const clipped = svg('g');
  lines.items = [];
  rows.forEach((row, r) => {
    const top = 26 + r * LINE;
    const group = svg('g', { class: 'row' }, svg('rect', { x: 0, y: top, width, height: LINE, class: 'stripe' }),
      svg('text', { x: LEFT - 12, y: top + 16, 'text-anchor': 'end', class: row.marks.some(m => m.what === 'offender') ? 'offender mono' : 'mono', text: `fd ${row.fd}` }));
    for (const life of row.lives) {
      const key = lines.by === 'thread' ? life.opener.tid : call(life.opener.stack) || 'no stack';
      const class_ = colour(key);
      names.set(key, [class_, lines.by === 'thread' ? person(life.opener) : key]);
      const [from, to] = [xOf(life.from), life.to === null ? LEFT + inner() + 6 : xOf(life.to)];
      if (to < LEFT || from > LEFT + inner() + 6) continue;
      const x = Math.max(LEFT, from);
      const bar = svg('rect', { x, y: top + 5, width: Math.max(2, Math.min(to, LEFT + inner() + 6) - x), height: LINE - 10, rx: 3, class: `life ${class_}${to - x > 8 ? ' wide' : ''}`, opacity: life.to === null ? .6 : .95 });
      group.append(bar);
      lines.items.push({ r, at: life.from, row, life, shape: bar });
    }
    for (const mark of row.marks) {
      const x = xOf(mark.at);
      if (x < LEFT - 2 || x > LEFT + inner() + 6) continue;
      const shape = symbol(mark.what, x, top + LINE / 2, 'plain');
      group.append(shape);
      lines.items.push({ r, at: mark.at, row, mark, shape });
    }
    clipped.append(group);
  });
  picture.append(clipped);
  lines.items.sort((a, b) => a.r - b.r || a.at - b.at);
  lines.items.forEach((item, i) => { item.shape.dataset.item = i; for (const part of item.shape.children) part.dataset.item = i; });
  lines.chart.replaceChildren(picture);
  const wrong = seen.rows.filter(r => r.marks.length).length;
  lines.head.textContent = `${plural(rows.length, 'descriptor number', 'descriptor numbers')}${wrong ? `, ${wrong} of them with something wrong` : ''}${seen.more_rows ? `; ${plural(seen.more_rows, 'quieter number', 'quieter numbers')} not shown` : ''}. Time since the process began. The wheel zooms, with Shift it moves; beside the bars it scrolls.`;
  const swatches = [...names.values()].slice(0, 14).map(([class_, text]) => el('span', {}, el('i', { class: `key ${class_}` }), text));
  const marks = [['offender', 'wrong close'], ['victim', 'the victim notices'], ['use', 'wrong use']].map(([what, text]) => {
    const picture = svg('svg', { width: 18, height: 18, 'aria-hidden': 'true' }, symbol(what, 9, 9, ''));
    return el('span', {}, picture, text);
  });
  lines.legend.replaceChildren(...marks, ...swatches, names.size > 14 ? el('span', {}, `and ${names.size - 14} more`) : '');
}

function describe(item) {
  if (item.mark) {
    const m = item.mark;
    return [el('b', { class: 'bad' }, `fd ${item.row.fd}: ${m.text}`), el('div', {}, `${m.who ? `${person(m.who)}, ` : ''}at ${span(m.at)}`),
      m.who && call(m.who.stack) ? el('div', { class: 'mono' }, call(m.who.stack)) : '', m.finding !== null ? el('div', {}, 'Enter or a click shows the finding') : ''].filter(Boolean);
  }
  const l = item.life;
  return [el('b', {}, `fd ${item.row.fd}, life ${l.generation} of ${item.row.generation}: ${l.kind}${l.label ? ` ${l.label}` : ''}`),
    el('div', {}, `opened at ${span(l.from)} by ${person(l.opener)}`), call(l.opener.stack) ? el('div', { class: 'mono' }, call(l.opener.stack)) : '',
    el('div', {}, l.to === null ? (l.closer ? 'being closed' : 'not closed as far as shim saw') : `closed after ${span(l.to - l.from)} by ${person(l.closer)}${l.standing ? `, ${l.standing}` : ''}`),
    l.closer && call(l.closer.stack) ? el('div', { class: 'mono' }, call(l.closer.stack)) : ''].filter(Boolean);
}

const itemAt = event => { const at = event.target.dataset && event.target.dataset.item; return at === undefined ? null : lines.items[at]; };

function hover(event) {
  const item = itemAt(event);
  if (item) showTip(describe(item), event.clientX, event.clientY);
  else hideTip();
}

function clicked(event) {
  const item = itemAt(event);
  if (item && item.mark && item.mark.finding !== null) { hideTip(); goTo(item.mark.finding); }
}

function wheel(event) {
  // With Shift or sideways it moves, otherwise it zooms about the pointer; beside the bars the page scrolls.
  const box = lines.chart.getBoundingClientRect();
  const around = (event.clientX - box.left - LEFT) / inner();
  if (around < 0 || event.ctrlKey && event.shiftKey) return;
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 1000);
  else zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400))), Math.min(1, around));
}

function drag(event) {
  if (event.button !== 0 || event.pointerType === 'touch') return;
  let last = event.clientX;
  const move = e => { if (Math.abs(e.clientX - last) > 2) { pan((last - e.clientX) / inner()); last = e.clientX; } };
  const up = () => { removeEventListener('pointermove', move); removeEventListener('pointerup', up); };
  addEventListener('pointermove', move);
  addEventListener('pointerup', up);
}

function lineKeys(event) {
  const act = { '+': () => zoom(1 / 1.6), '=': () => zoom(1 / 1.6), '-': () => zoom(1.6), 0: fit }[event.key];
  if (act) { act(); refocus(); event.preventDefault(); event.stopPropagation(); return; }
  const at = lines.focus === null ? -1 : lines.items.findIndex(i => i.row === lines.focus.row && (i.life || i.mark) === (lines.focus.life || lines.focus.mark));
  let next = -1;
  if (event.key === 'ArrowRight') next = at + 1;
  else if (event.key === 'ArrowLeft') next = at - 1;
  else if (event.key === 'ArrowDown') next = lines.items.findIndex(i => i.r > (at < 0 ? -1 : lines.items[at].r));
  else if (event.key === 'ArrowUp') { const r = at < 0 ? 0 : lines.items[at].r; next = lines.items.findLastIndex(i => i.r < r); }
  else if (event.key === 'Enter' && at >= 0 && lines.items[at].mark && lines.items[at].mark.finding !== null) { hideTip(); goTo(lines.items[at].mark.finding); return; }
  else return;
  event.preventDefault();
  event.stopPropagation();
  if (next < 0 || next >= lines.items.length) return;
  lines.focus = lines.items[next];
  refocus();
}

function refocus() {
  if (!lines.focus) return;
  for (const item of lines.items) {
    const on = item.row === lines.focus.row && (item.life || item.mark) === (lines.focus.life || lines.focus.mark);
    item.shape.classList.toggle('on', on);
    if (!on) continue;
    item.shape.scrollIntoView({ block: 'nearest' });
    const box = item.shape.getBoundingClientRect();
    showTip(describe(item), box.left, box.bottom - 12);
  }
}
