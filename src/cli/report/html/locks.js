// Locks and keys of each process that has some: threads that wait for each other, how locks were used, in which order they
// were taken, who has the keys.

const lockers = data.seen.filter(s => s.locks).sort((a, b) => b.locks.deadlocks.length - a.locks.deadlocks.length || ringsOf(b) - ringsOf(a) || waitedOf(b) - waitedOf(a));
const locks = { seen: null, search: null, graph: null, tables: [] };
/** Where things stand in the use of a lock. */
const USE = { taken: 0, read: 1, contended: 2, hands: 3, waited: 4, waitedMost: 5, held: 6, heldMost: 7, at: 8 };

function ringsOf(seen) { return seen.locks.orders.filter(o => o[RING]).length; }
function waitedOf(seen) { return seen.locks.locks.reduce((sum, lock) => sum + (lock.use ? lock.use[USE.waited] : 0), 0); }
const hasLocks = s => Boolean(s.locks.locks.length || s.locks.deadlocks.length);
const locksTitle = () => [lockers.some(hasLocks) ? 'Locks' : '', lockers.some(s => s.locks.keys.length) ? 'Keys' : ''].filter(Boolean).join(' and ').replace('s and K', 's and k');

function locksView() {
  const view = el('div', { class: 'view page' });
  locks.body = el('div');
  if (lockers.length > 1) {
    view.append(el('div', { class: 'controls' }, el('select', { 'aria-label': 'Process', onchange: event => locksOf(lockers[event.target.value]) },
      ...lockers.map((s, i) => el('option', { value: i }, `${s.program} (${s.pid})${s.locks.deadlocks.length ? ': deadlock' : s.locks.locks.length ? `: ${plural(s.locks.locks.length, 'lock', 'locks')}` : ''}`)))));
  }
  view.append(locks.body);
  locksOf(lockers[0]);
  return view;
}

function locksOf(seen) {
  Object.assign(locks, { seen, graph: null, tables: [] });
  const l = seen.locks;
  locks.found = el('span', { class: 'quiet', role: 'status' });
  locks.search = el('input', { type: 'search', placeholder: 'Search locks, keys, calls, files  ( / )', 'aria-label': 'Search the locks', oninput: filterLocks });
  const tables = [l.locks.length ? lockTable(l) : null, l.orders.length ? orderCard(l) : null, l.keys.length ? keysCard(l) : null].filter(Boolean);
  locks.body.replaceChildren(...l.deadlocks.map(ring => deadlockCard(ring, l)), el('div', { class: 'controls' }, locks.search, locks.found), ...tables);
}

/** What is searched for, in all tables of the view; the picture stays whole. */
function filterLocks() {
  const words = locks.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { table, rows, text } of locks.tables) table.draw(words.length ? rows.filter(row => words.every(word => text(row).includes(word))) : rows);
  locks.found.textContent = words.length ? locks.tables.map(({ table, rows, what }) => `${number(table.listed)} of ${plural(rows.length, ...what)}`).join(', ') : '';
}

const known = stack => stack !== null && stack !== undefined;
const textOfStack = stack => known(stack) ? stacks[stack].map(searched).join(' ') : '';
const textOfLock = lock => `${lock.kind} ${lock.name} ${lock.address} ${lock.module || ''}`.toLowerCase();
const nameOf = lock => el('span', {}, el('span', { class: 'mono strong' }, lock.name), lock.module ? el('span', { class: 'quiet mono' }, ` (${lock.module})`) : '');
const lockTitle = lock => `${lock.kind} ${lock.name}`;
const reading = reads => reads ? ' (read)' : '';

function deadlockCard(ring, l) {
  const named = new Map(l.locks.map(lock => [lock.address, lock]));
  const title = ring.length === 1 ? 'Deadlock: a thread waits for itself' : `Deadlock: ${ring.length} threads wait for each other`;
  return el('section', { class: 'card dead', 'aria-label': title }, el('h2', {}, title), ...ring.flatMap(step => {
    const lock = named.get(step.lock);
    const name = step.name || (lock ? lock.name : step.lock);
    return [el('p', { class: 'sentence' }, `${person(step)} waits for ${step.kind} `, el('span', { class: 'mono strong' }, name), name !== step.lock ? el('span', { class: 'quiet mono' }, ` ${step.lock}`) : '',
      `${step.waited ? ` for ${span(step.waited)}` : ''}, which ${person(step.holder)} has`),
    callsOf('victim', 'Waits', `as ${person(step)}`, step.waits), callsOf('locked', 'Locked', `by ${person(step.holder)}`, step.locked)];
  }));
}

function lockTable(l) {
  const of = index => lock => lock.use ? lock.use[index] : null;
  const per = (index, by) => lock => lock.use && lock.use[USE[by]] ? lock.use[USE[index]] / lock.use[USE[by]] : lock.use ? 0 : null;
  const shown = (value, text) => lock => value(lock) === null ? '' : value(lock) ? text(value(lock)) : '–';
  const column = (title, value, text) => ({ title, value, cell: shown(value, text) });
  const inRing = new Set(l.orders.filter(o => o[RING]).flatMap(o => [o[HELD], o[TAKEN]]).map(i => l.locks[i]));
  const columns = [
    { title: 'Lock', text: true, value: lock => lock.name.toLowerCase(), cell: lock => el('span', {}, nameOf(lock), inRing.has(lock) ? el('span', { class: 'tag error' }, 'in a ring') : '') },
    { title: 'Kind', text: true, value: lock => lock.kind },
    column('Taken', of(USE.taken), number), column('Contended', of(USE.contended), number), column('Share', per('contended', 'taken'), percent),
    column('Waited', of(USE.waited), span), column('Longest wait', of(USE.waitedMost), span),
    column('Held', of(USE.held), span), column('Longest hold', of(USE.heldMost), span), column('Mean hold', per('held', 'taken'), ns => span(Math.round(ns))),
  ];
  const more = lock => {
    const at = lock.use ? lock.use[USE.at] : [];
    const parts = [['created', 'Made, or first taken', at[0], ''], ['locked', 'Held longest', at[1], lock.use && lock.use[USE.heldMost] ? `for ${span(lock.use[USE.heldMost])}` : ''], ['victim', 'Waited for longest', at[2], lock.use && lock.use[USE.waitedMost] ? `for ${span(lock.use[USE.waitedMost])}` : '']]
      .filter(([, , stack]) => known(stack)).map(([class_, title, stack, by]) => callsOf(class_, title, by, stack));
    const facts = lock.use ? [lock.use[USE.read] ? `${number(lock.use[USE.read])} of them for reading` : '', lock.use[USE.hands] ? `changed hands ${plural(lock.use[USE.hands], 'time', 'times')}` : ''].filter(Boolean) : [];
    return [el('p', { class: 'quiet' }, [lock.address, ...facts].join(', ')), ...parts];
  };
  const table = sortable({ label: 'Locks', class: 'locks', columns, rows: l.locks, more });
  locks.tables.push({ table, rows: l.locks, what: ['lock', 'locks'], text: lock => `${textOfLock(lock)} ${lock.use ? lock.use[USE.at].map(textOfStack).join(' ') : ''}` });
  const unmeasured = l.locks.filter(lock => !lock.use).length;
  const notes = [
    unmeasured === l.locks.length ? 'How often and how long they were taken was not measured: lock_times=1 does that.' : unmeasured ? `${plural(unmeasured, 'lock was', 'locks were')} not measured.` : '',
    l.orders.length ? '' : 'No order of locks is recorded: locks=order keeps which was taken while another was held.',
    l.more_locks ? `${plural(l.more_locks, 'lock', 'locks')} more, of those that were waited for least, are not in this page.` : '',
    l.beyond ? `${plural(l.beyond, 'lock or order', 'locks or orders')} found no place in the tables of the process.` : '',
  ].filter(Boolean);
  return el('div', { class: 'card' }, el('h2', {}, 'Locks'), ...notes.map(note => el('p', { class: 'quiet' }, note)), table.element);
}

function orderCard(l) {
  const panel = el('div', { class: 'order-detail', tabindex: '0', role: 'region', 'aria-label': 'What was chosen in the picture' });
  const hint = () => el('p', { class: 'quiet' }, 'Point at a lock or an arrow, or use the arrow keys, to see where it was taken. A click holds it.');
  const go = (thing, ...content) => el('div', {}, el('button', { type: 'button', class: 'bare', onclick: () => { graph.choose(thing); graph.focus(); } }, ...content));
  const place = el('div', { class: 'order-place' });
  const note = el('p', { class: 'quiet' });
  let graph = null;
  const draw = whole => {
    graph = locks.graph = orderGraph({ locks: l.locks, orders: l.orders, whole, show: thing => {
      panel.replaceChildren(...!thing ? [hint()] : thing.order !== undefined ? orderDetail(l, l.orders[thing.order]) : lockDetail(l, thing.lock, go));
    } });
    place.replaceChildren(graph.element);
    panel.replaceChildren(hint());
    const { locks: locksLeft, orders: ordersLeft } = graph.left;
    note.textContent = [graph.implied ? `${plural(graph.implied, 'order', 'orders')} that ${graph.implied === 1 ? 'follows' : 'follow'} from others ${graph.implied === 1 ? 'is' : 'are'} left out of the picture.` : '',
      ordersLeft ? `Not drawn: ${plural(locksLeft, 'lock', 'locks')} and ${plural(ordersLeft, 'order', 'orders')}. Drawn are rings first, then what touches them, then what was seen most. The table has all.` : ''].filter(Boolean).join(' ');
  };
  draw();
  const all = graph.few ? '' : el('div', { class: 'controls' }, el('label', { for: 'all-orders' }, el('input', { type: 'checkbox', id: 'all-orders', onchange: event => draw(event.target.checked) }), ' draw orders that follow from others, too'));
  const columns = [
    { title: 'Held', text: true, value: o => l.locks[o[HELD]].name.toLowerCase(), cell: o => el('span', {}, `${l.locks[o[HELD]].kind} `, nameOf(l.locks[o[HELD]]), reading(o[READS][0])) },
    { title: 'Taken meanwhile', text: true, value: o => l.locks[o[TAKEN]].name.toLowerCase(), cell: o => el('span', {}, `${l.locks[o[TAKEN]].kind} `, nameOf(l.locks[o[TAKEN]]), reading(o[READS][1])) },
    { title: 'Times', value: o => o[TIMES], cell: o => number(o[TIMES]) },
    { title: 'Where', text: true, value: o => known(o[AT][1]) ? call(o[AT][1]) : '', cell: o => el('span', { class: 'mono' }, known(o[AT][1]) ? call(o[AT][1]) : 'no stack') },
    { title: '', text: true, value: o => o[RING] ? 'a' : o[ENDED] ? 'b' : 'c', cell: o => el('span', {}, o[RING] ? el('span', { class: 'tag error' }, 'in a ring') : '', o[ENDED] ? el('span', { class: 'tag info', title: 'One of the two locks is no more' }, 'ended') : '') },
  ];
  const table = sortable({ label: 'Orders of locks', class: 'orders', columns, rows: l.orders, more: o => orderDetail(l, o).slice(1) });
  locks.tables.push({ table, rows: l.orders, what: ['order', 'orders'], text: o => `${textOfLock(l.locks[o[HELD]])} ${textOfLock(l.locks[o[TAKEN]])} ${o[AT].map(textOfStack).join(' ')}` });
  const rings = l.orders.some(o => o[RING]);
  const line = (class_, text) => el('span', {}, svg('svg', { width: 34, height: 12, 'aria-hidden': 'true', class: 'order-key' }, svg('g', { class: `edge ${class_}` }, svg('path', { d: 'M0 6H26', class: 'way' }), svg('path', { d: 'M34 6l-9 -5v10Z', class: 'head' }))), text);
  return el('div', { class: 'card' }, el('h2', {}, 'Order: what was taken while something else was held'),
    rings ? el('p', {}, el('b', { class: 'bad' }, 'Some orders lead back to where they began. '), 'Threads that go round such a ring at the same time can wait for each other for ever; whether that can happen here, the findings say.') : el('p', { class: 'quiet' }, 'No order leads back to where it began.'),
    note,
    l.more_orders ? el('p', { class: 'quiet' }, `${plural(l.more_orders, 'order', 'orders')} more are not in this page.`) : '',
    all, el('div', { class: 'order-split' }, place, panel),
    el('div', { class: 'legend' }, line('', 'the lock at its end was taken while the other was held'), rings ? line('ring', 'part of a ring') : '', l.orders.some(o => o[ENDED]) ? line('ended', 'one of the two locks is no more') : ''),
    el('h3', { class: 'again' }, 'The same as a table'), table.element);
}

function orderDetail(l, o) {
  const [held, taken] = [l.locks[o[HELD]], l.locks[o[TAKEN]]];
  const facts = [plural(o[TIMES], 'time', 'times'), o[FIRST] ? `first by thread ${o[FIRST]}` : '', o[RING] ? 'part of a ring' : '', o[ENDED] ? 'one of the two is no more' : ''].filter(Boolean);
  return [el('h3', {}, `${lockTitle(held)}${reading(o[READS][0])} → ${lockTitle(taken)}${reading(o[READS][1])}`), el('p', { class: 'quiet' }, facts.join(', ')),
    callsOf('locked', `${lockTitle(held)} taken`, '', o[AT][0]), callsOf('here', `then ${lockTitle(taken)}`, '', o[AT][1])];
}

function lockDetail(l, index, go) {
  const lock = l.locks[index];
  const part = (title, side, other) => {
    const all = l.orders.map((o, i) => i).filter(i => l.orders[i][side] === index);
    const drawn = i => locks.graph.has({ order: i });
    return all.length ? [el('h4', {}, `${title} (${number(all.length)})`), ...all.slice(0, 12).map(i => {
      const o = l.orders[i];
      const text = [el('span', { class: 'mono' }, l.locks[o[other]].name), el('span', { class: 'quiet' }, `  ${plural(o[TIMES], 'time', 'times')}${o[RING] ? ', in a ring' : ''}`)];
      return drawn(i) ? go({ order: i }, ...text) : el('div', {}, ...text);
    }), all.length > 12 ? el('p', { class: 'quiet' }, `and ${number(all.length - 12)} more`) : ''] : [];
  };
  const u = lock.use;
  const at = u ? u[USE.at] : [];
  return [el('h3', {}, `${lock.kind} `, nameOf(lock)), el('p', { class: 'quiet' }, u ? `taken ${plural(u[USE.taken], 'time', 'times')}, ${number(u[USE.contended])} of them after a wait; waited ${span(u[USE.waited])}, held ${span(u[USE.held])}` : lock.address),
    ...part('Taken while it was held', HELD, TAKEN), ...part('Held when it was taken', TAKEN, HELD),
    known(at[0]) ? callsOf('created', 'Made, or first taken', '', at[0]) : '', known(at[1]) ? callsOf('locked', 'Held longest', `for ${span(u[USE.heldMost])}`, at[1]) : '', known(at[2]) ? callsOf('victim', 'Waited for longest', `for ${span(u[USE.waitedMost])}`, at[2]) : ''].filter(Boolean);
}

const KEY_STATES = { live: 'live', deleted: 'deleted', unseen: 'created unseen', libc: 'the C library’s', decoy: 'kept from everybody', shim: 'shim’s own', '?': 'not known' };

function keysCard(l) {
  const columns = [
    { title: 'Key', value: k => k.index, cell: k => String(k.index) },
    { title: 'Variable', text: true, value: k => (k.variable || '').toLowerCase(), cell: k => el('span', { class: 'mono' }, k.variable || '–') },
    { title: 'State', text: true, value: k => KEY_STATES[k.state] || k.state },
    { title: 'Destructor', text: true, value: k => (k.destructor || '').toLowerCase(), cell: k => el('span', { class: 'mono' }, k.destructor || '–') },
    { title: 'Created by', text: true, value: k => k.created ? call(k.created[1]) : '', cell: k => k.created ? el('span', {}, el('span', { class: 'mono' }, call(k.created[1]) || 'no stack'), el('span', { class: 'quiet' }, ` thread ${k.created[0]}`)) : '–' },
    { title: 'Lives', value: k => k.lives, cell: k => number(k.lives) },
  ];
  const more = k => [['created', 'Created', k.created], ['deleted', 'Deleted', k.deleted]].filter(([, , by]) => by).map(([class_, title, [tid, stack]]) => callsOf(class_, title, `by thread ${tid}`, stack));
  const table = sortable({ label: 'Thread-specific keys', class: 'keys', columns, rows: l.keys, more, has: k => Boolean(k.created || k.deleted) });
  locks.tables.push({ table, rows: l.keys, what: ['key', 'keys'], text: k => `${k.index} ${k.state} ${k.variable || ''} ${k.destructor || ''} ${[k.created, k.deleted].map(by => by ? textOfStack(by[1]) : '').join(' ')}`.toLowerCase() });
  const taken = l.keys.filter(k => !['deleted', '?'].includes(k.state)).length;
  return el('div', { class: 'card' }, el('h2', {}, 'Thread-specific keys'), el('p', { class: 'quiet' }, `${number(taken)} in use ${locks.seen.state === 'running' ? 'now' : 'at the end'}.`), table.element);
}
