// Puts the page together: summary, views, keys, theme, paper.

const views = [
  ['findings', 'Findings', findingsView, () => data.findings.length],
  ['lifelines', 'Lifelines', lifelinesView, () => 0],
  ['curves', 'Open descriptors', curvesView, () => 0],
  ...heaps.length ? [['heap', 'Heap', heapView, () => 0]] : [],
  ...lockers.length ? [['locks', locksTitle(), locksView, () => 0]] : [],
  ...placed ? [['tiers', 'Memory tiers', tiersView, () => 0]] : [],
  ['tcp', 'TCP states', tcpView, () => data.leaks.filter(l => l.states.length).length],
  ['kinds', 'What it means', kindsView, () => 0],
  ['processes', 'Processes', processesView, () => data.seen.length],
];
const made = new Map();
let opened = '';
/** The search of the view that is open, and what Enter in it leads to; the findings have their own. */
const ownSearch = () => ({ heap: heap.search, locks: locks.search, tiers: tiers.search })[opened];
const leaveSearch = () => { if (opened === 'heap') heap.graph.element.firstChild.focus(); else if (opened === 'locks' && locks.graph) locks.graph.focus(); else ownSearch().blur(); };

function open(name) {
  opened = name;
  hideTip();
  if (!made.has(name)) {
    const view = views.find(v => v[0] === name)[2]();
    view.id = `view-${name}`;
    view.setAttribute('role', 'tabpanel');
    byId('views').append(view);
    made.set(name, view);
    if (name === 'findings') refilter();
    if (name === 'lifelines') drawLines();
  }
  for (const [other, view] of made) view.hidden = other !== name;
  for (const tab of byId('tabs').children) {
    const on = tab.dataset.view === name;
    tab.setAttribute('aria-selected', String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  if (name === 'findings') draw();
}

function summary() {
  const tile = (value, label, class_) => el('div', { class: `tile ${class_ || ''}` }, el('b', {}, value), el('span', {}, label));
  const words = { error: ['error', 'errors'], suspect: ['suspect', 'suspects'], info: ['for information', 'for information'] };
  const parts = data.severities.filter(([name, n]) => n || name === 'error').map(([name, n]) => tile(number(n), n === 1 ? words[name][0] : words[name][1], n ? name : 'none'));
  const occurrences = data.findings.reduce((a, f) => a + f.count, 0);
  if (occurrences > data.findings.length) parts.push(tile(number(occurrences), 'occurrences'));
  parts.push(tile(number(data.recordings), data.recordings === 1 ? 'process recorded' : 'processes recorded'));
  const longest = data.seen.reduce((a, s) => Math.max(a, s.end), 0);
  if (longest) parts.push(tile(span(longest), data.seen.length > 1 ? 'the longest ran' : 'recorded'));
  const peak = data.seen.reduce((a, s) => Math.max(a, s.curve ? s.curve.points.reduce((b, p) => Math.max(b, p[1]), 0) : 0), 0);
  if (peak) parts.push(tile(number(peak), 'descriptors open at most'));
  parts.push(tile(data.kinds.length ? data.kinds.slice(0, 3).map(k => k.name).join(' ') + (data.kinds.length > 3 ? ' …' : '') : 'none', data.kinds.length === 1 ? 'kind' : 'kinds', 'kinds'));
  parts.pop();
  const hung = lockers.reduce((a, s) => a + s.locks.deadlocks.reduce((b, ring) => b + ring.length, 0), 0);
  if (hung) parts.unshift(tile(number(hung), hung === 1 ? 'thread in a deadlock' : 'threads in a deadlock', 'error'));
  const held = heaps.reduce((a, s) => Math.max(a, s.heap.peak), 0);
  if (held) parts.push(tile(size(held), 'of heap at most'));
  const lost = [data.left_out ? `${plural(data.left_out, 'finding', 'findings')} more, left out by --limit` : '', data.losses ? `Not recorded, for want of room or of a way to see it: ${data.losses}` : '', ...data.notes].filter(Boolean);
  byId('summary').replaceChildren(...parts, ...lost.map(text => el('p', { class: 'lost' }, text)));
  const first = data.seen[0];
  const versions = [...new Set(data.seen.map(s => s.shim).filter(Boolean))].join(', ');
  byId('program').textContent = first ? `${first.command.join(' ') || first.exe}${data.recordings > 1 ? ` and ${number(data.recordings - 1)} more` : `  pid ${first.pid}`}${versions ? `  ·  shim ${versions}` : ''}` : `shim ${data.shim}`;
  document.title = `${first ? `${first.program}: ` : ''}${plural(data.total, 'finding', 'findings')} — shim report`;
}

const KEYS = [['/', 'search'], ['j  k', 'next and previous finding'], ['Enter', 'read the finding'], ['Esc', 'back; clear the search'], [`1 … ${views.length}`, 'the views'], ['c', 'copy the finding as text'],
  ['← → ↑ ↓', 'from life to life in the lifelines, from call to call in the flame graph, along the order of locks'], ['Enter  Esc  Home', 'zoom into the flame graph, back, all of it'], ['+  -  0', 'zoom the lifelines, fit'], ['t', 'light or dark'], ['?', 'this']];

function showKeys() {
  const dialog = byId('keys');
  dialog.replaceChildren(el('h2', {}, 'Keys'), el('dl', {}, ...KEYS.flatMap(([key, text]) => [el('dt', {}, el('kbd', {}, key)), el('dd', {}, text)])), el('button', { type: 'button', onclick: () => dialog.close() }, 'Close'));
  dialog.showModal();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId('keys').open) return;
  const typing = event.target.closest && event.target.closest('input, select, textarea');
  if (event.key === 'Escape') {
    if (typing && typing === ownSearch()) { typing.value = ''; typing.dispatchEvent(new Event('input')); typing.blur(); leaveSearch(); }
    else if (typing) { list.search.value = ''; refilter(); typing.blur(); list.box.focus(); }
    else if (list.split) { list.split.classList.remove('reading'); list.box.focus(); }
    hideTip();
    return;
  }
  if (typing) {
    if (typing === ownSearch() && event.key === 'Enter') leaveSearch();
    else if (typing.type === 'search' && typing !== ownSearch() && (event.key === 'Enter' || event.key === 'ArrowDown')) { list.box.focus(); event.preventDefault(); }
    return;
  }
  const findings = opened === 'findings';
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 }[event.key];
  const inDetail = event.target.closest && event.target.closest('.detail');
  if (findings && step !== undefined && (!inDetail || 'jk'.includes(event.key))) { choose(list.on + step); event.preventDefault(); }
  else if (findings && event.key === 'Enter' && event.target === list.box) { list.split.classList.add('reading'); list.detail.focus(); event.preventDefault(); }
  else if (event.key === '/' && ownSearch()) { ownSearch().focus(); ownSearch().select(); event.preventDefault(); }
  else if (event.key === '/') { open('findings'); list.search.focus(); list.search.select(); event.preventDefault(); }
  else if (event.key === 'c' && findings && byId('copy')) byId('copy').click();
  else if (event.key === 't') toggleTheme();
  else if (event.key === '?') showKeys();
  else if (/^[1-9]$/.test(event.key) && views[Number(event.key) - 1]) open(views[Number(event.key) - 1][0]);
  else if (opened === 'lifelines' && ['+', '=', '-', '0'].includes(event.key)) lineKeys(event);
}

/** What goes on paper: the findings one after the other, with their stacks. */
function paper() {
  const shown = (list.shown.length ? list.shown : data.findings.map((f, i) => i)).slice(0, 200);
  byId('paper').replaceChildren(...shown.map(index => {
    const f = data.findings[index];
    return el('div', { class: 'one' }, el('p', {}, el('span', { class: `tag ${f.severity}` }, f.severity), ' ', el('span', { class: 'mono' }, f.kind), f.count > 1 ? `  ×${number(f.count)}` : ''),
      el('h2', { class: 'sentence' }, f.message), story(index), ...f.stacks.map(stackOf));
  }), el('p', {}, data.findings.length > shown.length ? `${number(data.findings.length - shown.length)} more in the page itself.` : ''));
}

summary();
theme();
byId('theme').addEventListener('click', toggleTheme);
byId('help').addEventListener('click', showKeys);
byId('tabs').append(...views.map(([name, title, , count]) => el('button', { type: 'button', role: 'tab', 'data-view': name, onclick: () => open(name) }, title, count() ? el('span', { class: 'n' }, number(count())) : '')));
byId('tabs').addEventListener('keydown', event => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const at = views.findIndex(v => v[0] === opened);
  open(views[(at + by + views.length) % views.length][0]);
  byId('tabs').querySelector('[aria-selected="true"]').focus();
  event.preventDefault();
  event.stopPropagation();
});
addEventListener('keydown', keys);
addEventListener('beforeprint', paper);
addEventListener('afterprint', () => byId('paper').replaceChildren());
addEventListener('resize', hideTip);

/** `#finding-3` and `#lifelines` lead there. */
function follow() {
  const name = decodeURIComponent(location.hash.slice(1));
  const finding = /^finding-(\d+)$/.exec(name);
  if (finding && data.findings[finding[1] - 1]) goTo(finding[1] - 1);
  else open(views.some(v => v[0] === name) ? name : home);
}
// A run without findings hung, or was made for its profile.
const hangs = lockers.some(s => s.locks.deadlocks.length);
const home = data.findings.length ? 'findings' : hangs ? 'locks' : placed ? 'tiers' : heaps.length ? 'heap' : lockers.length ? 'locks' : 'findings';
open('findings');
follow();
addEventListener('hashchange', follow);
document.documentElement.dataset.findings = String(data.findings.length);
document.documentElement.dataset.rendered = performance.now().toFixed(0);
