// Open descriptors over time, states of TCP, and who the processes were.

function curvesView() {
  const with_curves = data.seen.filter(s => s.curve);
  const view = el('div', { class: 'view page' });
  if (!with_curves.length) view.append(el('p', { class: 'empty' }, 'No samples: the processes were short, or opened nothing while they ran.'));
  for (const seen of with_curves) view.append(curveCard(seen));
  return view;
}

function curveCard(seen) {
  const chart = el('div', { class: 'chart' });
  const { sites, points } = seen.curve;
  const last = points[points.length - 1];
  const most = points.reduce((a, p) => Math.max(a, p[1]), 0);
  const picture = { points, parts: sites.length, most, limit: last[2], text: number, left: 46, label: `Open descriptors over time, at most ${most}` };
  watchChart(chart, picture, index => [el('b', {}, `${number(points[index][1])} open at ${span(points[index][0])}`), ...sites.map((s, i) => [points[index][3][i], s]).filter(([n]) => n).map(([n, s]) => el('div', { class: 'mono' }, `${number(n)}  ${call(s[0]) || 'no stack'}`))]);
  const rows = sites.map(([stack, opened, closed], i) => el('tr', {}, el('td', {}, el('i', { class: `key c${i % COLOURS}` }), ' ', el('span', { class: 'mono' }, call(stack) || 'no stack')),
    el('td', { class: 'num' }, number(opened)), el('td', { class: 'num' }, number(closed)), el('td', { class: 'num' }, number(Math.max(0, opened - closed)))));
  return el('div', { class: 'card' }, el('h2', {}, `${seen.program} (${seen.pid})`),
    el('p', { class: 'quiet' }, `${number(most)} open at most${last[2] ? `, of ${number(last[2])} allowed` : ''}; ${number(last[1])} at the last sample.`), chart,
    el('table', {}, el('thead', {}, el('tr', {}, el('th', {}, 'Opened at'), el('th', { class: 'num' }, 'opened'), el('th', { class: 'num' }, 'closed'), el('th', { class: 'num' }, 'open'))), el('tbody', {}, ...rows)));
}

/** Keeps a picture of areas as wide as there is room; `lines` are the elements of the tip at a point. */
function watchChart(chart, picture, lines) {
  const { points, left } = picture;
  new ResizeObserver(() => chart.replaceChildren(areas(picture, Math.max(300, chart.clientWidth || 900)))).observe(chart);
  chart.addEventListener('pointermove', event => {
    const box = chart.getBoundingClientRect();
    const at = points[0][0] + (event.clientX - box.left - left) / (box.width - left - 14) * (points[points.length - 1][0] - points[0][0]);
    showTip(lines(points.reduce((a, p, i) => Math.abs(p[0] - at) < Math.abs(points[a][0] - at) ? i : a, 0)), event.clientX, event.clientY);
  });
  chart.addEventListener('pointerleave', hideTip);
}

/** Points are [time, all, limit, parts]: the parts on top of each other, then what is left of all. */
function areas(picture_, width) {
  const { points, parts, most, limit, text, mark, left, label } = picture_;
  const [height, top, bottom] = [260, mark ? 22 : 12, 26];
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const high = Math.max(1, limit && limit < most * 1.6 ? Math.max(limit, most) * 1.05 : most * 1.12);
  const x = at => left + (at - first) / Math.max(1, last - first) * (width - left - 14);
  const y = n => top + (1 - n / high) * (height - top - bottom);
  const picture = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label });
  for (const n of text === size ? sizeTicks(high) : ticks(0, high, 5)) picture.append(svg('line', { x1: left, x2: width - 14, y1: y(n), y2: y(n), class: 'grid' }), svg('text', { x: left - 8, y: y(n) + 4, 'text-anchor': 'end', class: 'soft', text: text(Math.round(n * 100) / 100) }));
  for (const at of timeTicks(first, last, Math.max(3, width / 150))) picture.append(svg('text', { x: x(at), y: height - 7, 'text-anchor': x(at) > width - 34 ? 'end' : 'middle', class: 'soft', text: span(at) }));
  const base = points.map(() => 0);
  const layer = (values, class_) => {
    const upper = points.map((p, i) => `${x(p[0]).toFixed(1)} ${y(base[i] + values[i]).toFixed(1)}`);
    const lower = points.map((p, i) => `${x(p[0]).toFixed(1)} ${y(base[i]).toFixed(1)}`).reverse();
    picture.append(svg('path', { d: `M${upper.join('L')}L${lower.join('L')}Z`, class: class_, opacity: .85 }));
    values.forEach((v, i) => { base[i] += v; });
  };
  for (let s = 0; s < parts; s++) layer(points.map(p => p[3][s]), `c${s % COLOURS}`);
  layer(points.map((p, i) => Math.max(0, p[1] - base[i])), 'cx');
  if (limit && limit <= high) picture.append(svg('line', { x1: left, x2: width - 14, y1: y(limit), y2: y(limit), class: 'limit' }), svg('text', { x: width - 16, y: y(limit) - 5, 'text-anchor': 'end', class: 'offender', text: `limit ${number(limit)}` }));
  if (mark) {
    const at = Math.min(Math.max(x(mark.at), left), width - 14);
    const anchor = at > width - 90 ? 'end' : at < left + 60 ? 'start' : 'middle';
    picture.append(svg('line', { x1: at, x2: at, y1: y(mark.value), y2: height - bottom, class: 'peak' }), svg('circle', { cx: at, cy: y(mark.value), r: 4, class: 'peak' }), svg('text', { x: at, y: y(mark.value) - 9, 'text-anchor': anchor, class: 'strong', text: mark.text }));
  }
  return picture;
}

/** Round steps in powers of two. */
function sizeTicks(high) {
  const unit = 1024 ** Math.floor(Math.log2(Math.max(1, high)) / 10);
  return ticks(0, high / unit, 5).map(n => n * unit);
}

const TCP = { ESTABLISHED: 'connected', CLOSE_WAIT: 'the peer has closed; this side never did', FIN_WAIT2: 'this side has shut down, the peer has not, and the descriptor is still open', FIN_WAIT1: 'this side has shut down; no answer yet',
  LISTEN: 'waits for connections', CLOSE: 'no connection (never made, or reset)', SYN_SENT: 'still connecting', SYN_RECV: 'being accepted', LAST_ACK: 'both sides have closed', TIME_WAIT: 'closed, waiting', CLOSING: 'both sides are closing' };

function tcpView() {
  const view = el('div', { class: 'view page' });
  const all = data.leaks.filter(l => l.states.length);
  if (!all.length) { view.append(el('p', { class: 'empty' }, 'No TCP connection among what was never closed.')); return view; }
  const colour = colours();
  const states = [...new Set(all.flatMap(l => l.states.map(s => s[0])))];
  states.forEach(colour);
  const most = Math.max(...all.map(l => l.states.reduce((a, s) => a + s[1], 0)));
  const grid = el('div', { class: 'tcp' });
  for (const leak of all.sort((a, b) => b.count - a.count).slice(0, 200)) {
    const f = data.findings[leak.finding];
    const opened = f.stacks.find(s => s.role === 'opened') || f.stacks[0];
    const total = leak.states.reduce((a, s) => a + s[1], 0);
    const bar = el('div', { class: 'bar', role: 'img', 'aria-label': leak.states.map(([s, n]) => `${n} ${s}`).join(', ') });
    bar.style.width = `${Math.max(1, total / most * 100)}%`;
    for (const [state, n] of leak.states) {
      const piece = el('i', { class: colour(state), title: `${n} ${state}` });
      piece.style.flexGrow = n;
      bar.append(piece);
    }
    const link = el('a', { href: `#finding-${leak.finding + 1}`, onclick: event => { event.preventDefault(); goTo(leak.finding); } }, opened ? call(opened.stack) || 'no stack' : 'no stack');
    grid.append(link, el('div', {}, bar), el('span', { class: 'quiet' }, leak.states.map(([s, n]) => `${number(n)} ${s}`).join(', ')));
  }
  view.append(el('div', { class: 'card' }, el('h2', {}, 'States of TCP of what was never closed, by the call that opened it'), grid,
    el('div', { class: 'legend' }, ...states.map(s => el('span', {}, el('i', { class: `key ${colour(s)}` }), `${s}: ${TCP[s] || ''}`)))));
  return view;
}

function kindsView() {
  const view = el('div', { class: 'view page' });
  for (const kind of data.kinds) view.append(el('div', { class: 'card', id: `kind-${kind.name}` }, markdown(kind.page)));
  if (!data.kinds.length) view.append(el('p', { class: 'empty' }, 'No kinds of findings to explain.'));
  return view;
}

function processesView() {
  const rows = data.seen.map(s => el('tr', {}, el('td', { class: 'num' }, String(s.pid)), el('td', {}, s.program), el('td', { class: 'mono' }, s.command.join(' ') || s.exe),
    el('td', {}, s.state === 'exited' ? `exited, status ${s.status}` : s.state), el('td', {}, moment(s.started)), el('td', { class: 'num' }, span(s.end)), el('td', { class: 'mono' }, s.options)));
  return el('div', { class: 'view page' }, el('div', { class: 'card' }, el('table', {},
    el('thead', {}, el('tr', {}, ...['pid', 'program', 'command', 'state', 'started', 'lasted', 'options'].map(t => el('th', {}, t)))), el('tbody', {}, ...rows)),
  data.more_seen ? el('p', { class: 'quiet' }, `${plural(data.more_seen, 'process', 'processes')} more were merged and not looked at one by one.`) : ''));
}
