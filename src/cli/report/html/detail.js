// One finding: the sentence, how it came about, each stack with its source, what the kind means.

const ROLES = { here: 'Here', closed: 'Closed before', opened: 'Opened', victim: 'The victim', allocated: 'Allocated', freed: 'Freed', created: 'Created', deleted: 'Deleted', locked: 'Locked' };

function detail(index) {
  const f = data.findings[index];
  const kind = data.kinds.find(k => k.name === f.kind);
  const copy = el('button', { type: 'button', title: 'Copy as text (c)', id: 'copy', onclick: () => copyText(plainText(f), copy) }, 'Copy');
  const facts = [
    ['first seen', moment(f.first)], f.count > 1 ? [f.kind === 'fd.leak' ? 'descriptors' : f.kind === 'heap.leak' ? 'blocks' : 'times', number(f.count)] : null,
    [f.processes.length > 1 ? 'processes' : 'process', f.processes.slice(0, 6).map(programOf).join(', ') + (f.processes.length + f.more > 6 ? ` and ${number(f.processes.length + f.more - 6)} more` : '')],
    ...f.about,
  ].filter(Boolean);
  return [
    el('button', { type: 'button', class: 'back', onclick: () => list.split.classList.remove('reading') }, '← All findings'),
    el('div', { class: 'kicker' }, el('span', { class: `tag ${f.severity}` }, f.severity), el('span', { class: 'tag info' }, f.kind),
      el('span', { class: 'quiet' }, kind ? kind.summary : ''), copy),
    el('h2', { class: 'sentence' }, f.message),
    el('div', { class: 'facts' }, ...facts.map(([name, value]) => el('span', {}, `${name} `, el('b', {}, value)))),
    f.memory ? memoryOf(f.memory) : '',
    story(index),
    ...f.stacks.map(stackOf),
    kind ? el('details', { class: 'card explain' }, el('summary', {}, `What ${f.kind} means, and how to fix it`), markdown(kind.page.replace(/^# .*\n/, ''))) : '',
  ].filter(Boolean);
}

/** Bytes of a block and around it: its own, those outside of it, and the first that is wrong. */
function memoryOf(memory) {
  const bytes = memory.bytes.match(/../g);
  const kind = offset => `${offset === memory.wrong ? 'wrong' : ''} ${offset >= 0 && offset < memory.size ? 'own' : 'out'}`;
  const signed = n => n < 0 ? `−${-n}` : `+${n}`;
  const rows = [];
  for (let from = 0; from < bytes.length; from += 16) {
    const cells = bytes.slice(from, from + 16).map((byte, i) => [byte, memory.at + from + i]);
    const text = byte => { const code = parseInt(byte, 16); return code > 32 && code < 127 ? String.fromCharCode(code) : '·'; };
    rows.push(el('div', {}, el('span', { class: 'at' }, signed(memory.at + from)), ...cells.flatMap(([byte, offset]) => [' ', el('span', { class: kind(offset), title: signed(offset) }, byte)]), '   '.repeat(17 - cells.length), ...cells.map(([byte, offset]) => el('span', { class: kind(offset) }, text(byte)))));
  }
  const inside = memory.wrong >= memory.at && memory.wrong < memory.at + bytes.length;
  const key = (class_, text) => el('span', {}, el('i', { class: `key ${class_}` }), text);
  const has = test => bytes.some((byte, i) => test(memory.at + i));
  return el('div', { class: 'card' }, el('h3', {}, `Memory from ${signed(memory.at)}, counted from the block's start`), el('div', { class: 'memory mono' }, ...rows),
    el('div', { class: 'legend' }, inside ? key('wrong', `${signed(memory.wrong)}: the first wrong byte`) : '', has(at => at >= 0 && at < memory.size) ? key('own', 'of the block') : '', has(at => at < 0 || at >= memory.size) ? key('out', 'outside of it') : ''));
}

function stackOf(s) { return callsOf(s.role, ROLES[s.role] || s.role, `by ${person(s)}`, s.stack); }

/** A stack with its source under a heading. */
function callsOf(class_, title, by, stack) {
  const all = stacks[stack] || [];
  let shown = false;
  const rows = all.map((at, i) => {
    const f = frame(at);
    const line = [el('span', { class: 'no' }, `#${i}\u00a0\u00a0`), el('span', { class: 'fn' }, f.fn || '??'), f.at ? el('span', { class: 'at' }, f.at) : '', el('span', { class: 'mod' }, f.place)];
    if (!f.source) return el('div', { class: 'frame' }, ...line);
    const first = !shown;
    shown = true;
    return el('details', { class: 'frame', open: first }, el('summary', {}, ...line), source(f));
  });
  return el('div', { class: `stack ${class_}` }, el('h3', {}, `${title} `, el('span', {}, by)),
    ...(rows.length ? rows : [el('div', { class: 'frame quiet' }, 'no stack')]));
}

function source(f) {
  const [first, lines] = f.source;
  return el('div', { class: 'src mono' }, ...lines.map((text, i) => el('div', { class: first + i === f.line ? 'hit' : '' }, el('span', {}, String(first + i)), text || ' ')));
}

/** As `shim report` prints it. */
function plainText(f) {
  const lines = [`${f.severity}: ${f.message}${f.count > 1 ? `  ×${f.count}` : ''}`, `  ${f.kind} in ${f.processes.slice(0, 3).map(programOf).join(', ')}`];
  for (const s of f.stacks) {
    lines.push(`  ${s.role}: ${person(s)}`);
    stacks[s.stack].forEach((at, i) => { const g = frame(at); lines.push(`    #${i} ${g.fn || '??'}${g.at ? `  ${g.at}` : ''}  (${g.place})`); });
    if (!stacks[s.stack].length) lines.push('    (no stack)');
  }
  return lines.join('\n');
}

function copyText(text, button) {
  const done = ok => { button.textContent = ok ? 'Copied' : 'Not copied'; setTimeout(() => { button.textContent = 'Copy'; }, 1400); };
  const byHand = () => {
    const area = el('textarea', { 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const ok = document.execCommand('copy');
    area.remove();
    done(ok);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => done(true), byHand);
  else byHand();
}

const seenOf = new Map();
data.seen.forEach((seen, i) => { const key = `${seen.pid}/${seen.program}`; if (!seenOf.has(key)) seenOf.set(key, i); });

/** The row of a finding's descriptor number, when its process was looked at. */
function rowOf(f) {
  const process = data.processes[f.processes[0]];
  const seen = process && seenOf.get(`${process.pid}/${process.program}`);
  if (f.fd === undefined || seen === undefined) return null;
  const row = data.seen[seen].rows.find(r => r.fd === f.fd);
  return row ? { seen, row } : null;
}

/** What happened to the number, in order: a lane for each thread, a bar for each life, a mark for what was wrong. */
function story(index) {
  const f = data.findings[index];
  const known = seenStory(index) || toldStory(f);
  if (!known) return '';
  const box = el('div', { class: 'story' });
  // As wide as there is room, once there is any.
  const paint = () => box.replaceChildren(drawStory(known.events, known.lives, box.clientWidth || 680));
  new ResizeObserver(paint).observe(box);
  paint();
  return el('div', { class: 'card' }, el('h3', {}, `How it came about: the lives of number ${f.fd}`), box);
}

/** From the lives that the recording remembers. */
function seenStory(index) {
  const f = data.findings[index];
  const found = rowOf(f);
  if (!found || f.generation === undefined) return null;
  const own = found.row.marks.filter(m => m.finding === index && m.text !== LAST);
  const near = found.row.lives.filter(l => Math.abs(l.generation - f.generation) <= 1);
  const until = Math.max(...own.map(m => m.at), ...near.filter(l => l.generation === f.generation).map(l => l.to || l.from));
  const lives = near.filter(l => l.from <= until);
  // A table that was read while it changed, or a number that went round, must not tell another story than the finding does.
  const agrees = (role, party) => f.stacks.filter(s => s.role === role).every(s => lives.some(l => l[party] && l[party].tid === s.tid));
  if (!agrees('opened', 'opener') || !agrees('closed', 'closer')) return null;
  const events = [];
  const told = new Set();
  for (const life of lives) {
    const peer = life.label.split(' → ')[1];
    events.push({ at: life.from, who: life.opener, text: `opens ${f.fd}`, more: peer ? `${life.kind} to ${peer}` : life.label || (life.kind === 'unknown' ? '' : life.kind), life, start: true });
    if (life.to === null) continue;
    const wrong = own.find(m => m.at === life.to && m.what !== 'use');
    events.push({ at: life.to, who: life.closer || life.opener, text: `closes ${f.fd}`, more: wrong ? wrong.text : '', what: wrong && wrong.what, life, end: true });
    told.add(wrong);
  }
  for (const mark of own) {
    const text = { offender: `closes ${f.fd} again`, victim: 'loses it', use: `uses ${f.fd}` }[mark.what];
    if (mark.who && !told.has(mark)) events.push({ at: mark.at, who: mark.who, text, more: mark.text, what: mark.what });
  }
  events.sort((a, b) => a.at - b.at || (a.start ? 1 : 0) - (b.start ? 1 : 0));
  return lives.some(l => l.generation === f.generation) && events.length > 2 ? { events, lives } : null;
}

/** From the stacks of the finding alone: who and in which order, not when. */
function toldStory(f) {
  const who = role => f.stacks.find(s => s.role === role);
  const [here, closed, opened, victim] = ['here', 'closed', 'opened', 'victim'].map(who);
  if (!here || f.fd === undefined || !opened && !closed) return null;
  const life = { opener: opened };
  const open = opened && { who: opened, text: `opens ${f.fd}`, more: '', life, start: true };
  const close = closed && { who: closed, text: `closes ${f.fd}`, more: '' };
  const wrong = { who: here, what: 'offender', text: `closes ${f.fd}`, more: '' };
  let events;
  if (f.kind === 'fd.double-close') events = [open, close && { ...close, life, end: true }, { ...wrong, text: `closes ${f.fd} again` }];
  else if (f.kind === 'fd.use-after-close') events = [open, close && { ...close, life, end: true }, { ...wrong, what: 'use', text: `uses ${f.fd}` }];
  else if (['fd.stale-close', 'fd.closed-libc', 'fd.owner'].includes(f.kind)) events = [close, open, { ...wrong, life, end: true }, victim && { who: victim, what: 'victim', text: 'loses it', more: '' }];
  else return null;
  return { events: events.filter(Boolean), lives: opened ? [life] : [] };
}

const LAST = 'the same again, for the last time';

function drawStory(events, lives, room) {
  const lanes = [...new Map(events.map(e => [e.who.tid, e.who])).values()];
  const [left, high] = [104, 94];
  const step = Math.max(104, Math.min(190, (room - left - 4) / events.length));
  const [width, height] = [left + events.length * step, lanes.length * high + 26];
  const x = i => left + (i + .5) * step;
  const y = who => 40 + lanes.findIndex(l => l.tid === who.tid) * high;
  const picture = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': events.map(e => `${person(e.who)} ${e.text}`).join('; ') });
  for (const lane of lanes) {
    picture.append(svg('line', { x1: left - 8, x2: width - 12, y1: y(lane), y2: y(lane), class: 'lane' }),
      svg('text', { x: 0, y: y(lane) - 1, class: 'strong', text: (lane.thread || 'thread').slice(0, 16) }), svg('text', { x: 0, y: y(lane) + 13, class: 'soft', text: `thread ${lane.tid}` }));
  }
  lives.forEach((life, i) => {
    const from = events.findIndex(e => e.life === life && e.start);
    const to = events.findIndex(e => e.life === life && e.end);
    const end = to < 0 ? width - 14 : x(to);
    picture.append(svg('rect', { x: x(from), y: y(life.opener) - 7, width: Math.max(4, end - x(from)), height: 14, rx: 7, class: `c${i % COLOURS}`, opacity: .8 }));
    if (to >= 0 && y(events[to].who) !== y(life.opener)) picture.append(svg('line', { x1: x(to), x2: x(to), y1: y(life.opener), y2: y(events[to].who), class: events[to].what === 'offender' ? 'offender cross' : 'lane' }));
  });
  events.forEach((event, i) => {
    const [cx, cy] = [x(i), y(event.who)];
    picture.append(symbol(event.what, cx, cy, event.start ? 'open' : 'plain'),
      svg('text', { x: cx, y: cy - 14, 'text-anchor': 'middle', class: event.what || 'strong', text: event.text }),
      ...wrapped(event.more || call(event.who.stack), step / 6.3).map((text, n) => svg('text', { x: cx, y: cy + 22 + n * 13, 'text-anchor': 'middle', class: 'soft', text })),
      svg('text', { x: cx, y: height - 4, 'text-anchor': 'middle', class: 'soft mono', text: event.at === undefined ? `${i + 1}.` : i ? `+${span(event.at - events[i - 1].at)}` : span(event.at) }));
  });
  return picture;
}

/** Text on three lines at most. */
function wrapped(text, most) {
  const rows = [''];
  for (const word of text.split(/\s+/)) {
    const row = rows[rows.length - 1];
    if (row && row.length + word.length + 1 > most) rows.push(word);
    else rows[rows.length - 1] = row ? `${row} ${word}` : word;
  }
  if (rows.length > 3) rows[2] += '…';
  return rows.slice(0, 3).map(row => clip(row, Math.floor(most)));
}

const clip = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

/** A cross for the offender, a triangle for the victim, a diamond for a wrong use, otherwise a dot. */
function symbol(what, x, y, plain) {
  if (what === 'offender') return svg('g', { class: 'mark' }, svg('circle', { cx: x, cy: y, r: 9, class: 'halo', fill: 'var(--panel)' }), svg('path', { d: `M${x - 5} ${y - 5}l10 10m0 -10l-10 10`, class: 'offender cross' }));
  if (what === 'victim') return svg('path', { d: `M${x} ${y - 8}l8 14h-16z`, class: 'victim halo mark' });
  if (what === 'use') return svg('path', { d: `M${x} ${y - 8}l8 8l-8 8l-8 -8z`, class: 'use halo mark' });
  return svg('circle', { cx: x, cy: y, r: 6, class: `${plain} halo` });
}
