// The list of findings: searched, filtered, ordered, and drawn only where it can be seen.

const ROW = 74;
const GRAVITY = { error: 0, suspect: 1, info: 2 };
const list = { shown: [], on: -1, texts: [] };

const programOf = index => data.processes[index] ? `${data.processes[index].program} (${data.processes[index].pid})` : '';

function findingsView() {
  const options = (all, first) => [el('option', { value: '' }, first), ...all.map(([value, text]) => el('option', { value }, text))];
  list.search = el('input', { type: 'search', placeholder: 'Search findings, functions, files  ( / )', 'aria-label': 'Search', oninput: () => refilter() });
  const select = (label, all, first) => el('select', { 'aria-label': label, onchange: () => refilter() }, ...options(all, first));
  list.kind = select('Kind', data.kinds.map(k => [k.name, `${k.name} (${number(k.count)})`]), 'All kinds');
  list.severity = select('Severity', data.severities.filter(s => s[1]).map(([name, n]) => [name, `${name} (${number(n)})`]), 'All severities');
  list.process = select('Process', data.processes.slice(0, 2000).map((p, i) => [String(i), `${p.program} (${p.pid})`]), 'All processes');
  list.order = el('select', { 'aria-label': 'Order', onchange: () => refilter() },
    ...[['', 'As reported'], ['severity', 'By severity'], ['count', 'By count'], ['time', 'By time'], ['kind', 'By kind']].map(([value, text]) => el('option', { value }, text)));
  list.told = el('span', { class: 'shown', 'aria-live': 'polite' });
  list.room = el('div', { class: 'room' });
  list.box = el('div', { class: 'list', role: 'listbox', tabindex: '0', 'aria-label': 'Findings', onscroll: draw }, list.room);
  list.detail = el('div', { class: 'detail', tabindex: '-1', 'aria-label': 'Finding' });
  list.split = el('div', { class: 'split' }, list.box, list.detail);
  new ResizeObserver(draw).observe(list.box);
  return el('div', { class: 'view' },
    el('div', { class: 'filters' }, list.search, list.severity, list.kind, data.processes.length > 1 ? list.process : null, list.order, list.told), list.split);
}

/** Everything of a finding that can be searched for, made when it is first wanted. */
function textOf(index) {
  if (list.texts[index] === undefined) {
    const f = data.findings[index];
    const calls = new Set();
    for (const stack of f.stacks) for (const at of stacks[stack.stack]) calls.add(at);
    const words = [...calls].map(at => `${frames[at][0] || ''} ${frames[at][1] || ''}:${frames[at][2] || ''} ${frames[at][3] === null ? '' : modules[frames[at][3]]}`);
    list.texts[index] = `${f.message} ${f.kind} ${f.severity} ${f.processes.map(programOf).join(' ')} ${words.join(' ')}`.toLowerCase();
  }
  return list.texts[index];
}

function refilter(keep) {
  const words = list.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const [kind, severity, process, order] = [list.kind.value, list.severity.value, list.process.value, list.order.value];
  const shown = [];
  data.findings.forEach((f, index) => {
    if (kind && f.kind !== kind || severity && f.severity !== severity) return;
    if (process && !f.processes.includes(Number(process))) return;
    if (words.length && !words.every(word => textOf(index).includes(word))) return;
    shown.push(index);
  });
  const at = index => data.findings[index];
  const compare = {
    severity: (a, b) => GRAVITY[at(a).severity] - GRAVITY[at(b).severity] || at(b).count - at(a).count,
    count: (a, b) => at(b).count - at(a).count,
    time: (a, b) => at(a).first - at(b).first,
    kind: (a, b) => at(a).kind < at(b).kind ? -1 : at(a).kind > at(b).kind ? 1 : 0,
  }[order];
  if (compare) shown.sort((a, b) => compare(a, b) || a - b);
  const selected = list.shown[list.on];
  list.shown = shown;
  list.room.style.height = `${shown.length * ROW}px`;
  list.told.textContent = shown.length === data.findings.length ? plural(shown.length, 'finding', 'findings') : `${number(shown.length)} of ${plural(data.findings.length, 'finding', 'findings')}`;
  const place = keep === undefined ? shown.indexOf(selected) : shown.indexOf(keep);
  if (keep === undefined) list.box.scrollTop = 0;
  choose(place >= 0 ? place : 0, true);
  draw();
}

function item(place) {
  const f = data.findings[list.shown[place]];
  const here = f.stacks.find(s => stacks[s.stack].length) || f.stacks[0];
  return el('div', {
    class: `item ${f.severity}${place === list.on ? ' on' : ''}`, role: 'option', id: `item-${place}`, 'data-place': place,
    'aria-selected': place === list.on ? 'true' : 'false', onclick: () => { choose(place); list.split.classList.add('reading'); },
  },
  el('div', { class: 'line' }, el('span', { class: `tag ${f.severity}` }, f.kind),
    f.count > 1 ? el('span', { class: 'times' }, `×${number(f.count)}`) : null, el('span', { class: 'call' }, here ? call(here.stack) : '')),
  el('div', { class: 'msg' }, f.message));
}

function draw() {
  const first = Math.max(0, Math.floor(list.box.scrollTop / ROW) - 6);
  const last = Math.min(list.shown.length, Math.ceil((list.box.scrollTop + (list.box.clientHeight || 800)) / ROW) + 6);
  const rows = [];
  for (let place = first; place < last; place++) {
    const row = item(place);
    row.style.top = `${place * ROW}px`;
    rows.push(row);
  }
  list.room.replaceChildren(...rows);
}

function choose(place, quiet) {
  list.on = Math.max(0, Math.min(place, list.shown.length - 1));
  if (!list.shown.length) {
    list.on = -1;
    list.detail.replaceChildren(el('div', { class: 'empty' }, data.findings.length ? 'Nothing here matches.' : el('b', {}, 'Nothing found.'), data.findings.length ? '' : 'The recordings hold no findings.'));
    return;
  }
  const top = list.on * ROW;
  if (top < list.box.scrollTop) list.box.scrollTop = top;
  else if (top + ROW > list.box.scrollTop + list.box.clientHeight) list.box.scrollTop = top + ROW - list.box.clientHeight;
  draw();
  list.box.setAttribute('aria-activedescendant', `item-${list.on}`);
  list.detail.replaceChildren(...detail(list.shown[list.on]));
  list.detail.scrollTop = 0;
  if (!quiet) history.replaceState(null, '', `#finding-${list.shown[list.on] + 1}`);
}

/** Shows a finding whatever is filtered. */
function goTo(finding) {
  open('findings');
  for (const control of [list.search, list.kind, list.severity, list.process]) control.value = '';
  refilter(finding);
  list.split.classList.add('reading');
  history.replaceState(null, '', `#finding-${finding + 1}`);
}
