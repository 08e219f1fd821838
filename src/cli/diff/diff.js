// The page of `shim diff`: a flame graph of the difference, the call stacks that changed, the findings that came and went.

const MEASURES = [['live', 'Live', 'not freed'], ['peak', 'At the peak', 'when most was live'], ['total', 'In all', 'ever allocated'], ['lost', 'Lost', 'definitely lost at the look for leaks']];
/** Where a measure stands in a site, and what it has: blocks and bytes before and after, and the variance of the change. */
const place = by => MEASURES.findIndex(([name]) => name === by);
const valueOf = site => site[3][place(view.by)];
const bytesOf = site => valueOf(site)[3] - valueOf(site)[1];
const view = { by: data.by, words: '', shown: 50 };

const signed = (value, text) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${text(Math.abs(value))}`;
const way = value => value > 0 ? 'grew' : value < 0 ? 'shrank' : '';

function summary() {
  const { before, after } = data;
  byId('program').textContent = `${before.whom} → ${after.whom}`;
  document.title = `${before.whom} → ${after.whom} — shim diff`;
  const tile = (label, key, text) => {
    const by = after[key] - before[key];
    return el('div', { class: 'tile' }, el('b', { class: way(by) }, signed(by, text)), el('span', {}, label), el('span', { class: 'was' }, `${text(before[key])} → ${text(after[key])}`));
  };
  const both = before.watched && after.watched;
  const tiles = both ? [tile('live', 'live', size), tile('at the peak', 'peak', size), tile('allocated in all', 'requested', size), tile('lost', 'lost', size), tile('allocating calls', 'calls', number)] : [];
  const counts = ['new', 'gone', 'changed'].map(state => [state, data.findings.filter(f => f.state === state).length]).filter(([, n]) => n);
  for (const [state, n] of counts) tiles.push(el('div', { class: `tile ${state === 'new' ? 'error' : ''}` }, el('b', {}, number(n)), el('span', {}, `${n === 1 ? 'finding' : 'findings'} ${state === 'changed' ? 'changed in number' : state}`)));
  const notes = [both ? '' : `The heap was watched ${before.watched ? 'before only' : after.watched ? 'after only' : 'on neither side'}: there is nothing to compare.`, ...data.notes];
  byId('summary').replaceChildren(...tiles, ...notes.filter(Boolean).map(text => el('p', { class: 'lost' }, text)));
}

const searched = site => chain(site[0]).map(index => `${frames[index][0] || ''} ${frames[index][1] || ''} ${moduleOf(index)}`).join(' ').toLowerCase();

function flameCard() {
  const byFunction = index => frames[index][0] ? `${moduleOf(index)} ${frames[index][0]}` : index;
  const tipOf = box => {
    if (box.rest) return [el('b', {}, `${plural(box.rest, 'smaller call', 'smaller calls')}`)];
    const f = box.frame === null ? null : frame(box.frame);
    return [el('b', {}, f ? f.fn || f.place : 'all'), f && f.at ? el('div', { class: 'mono' }, f.at) : '', f ? el('div', { class: 'mono' }, moduleOf(box.frame)) : '',
      el('div', {}, `${size(box.before)} → ${size(box.value)}: ${signed(box.value - box.before, size)}`)].filter(Boolean);
  };
  const graph = view.graph = flameGraph({
    up: data.tree.up, frames: data.tree.frames, name: brief, group: moduleOf, key: byFunction, text: index => `${frames[index][0] || ''} ${frames[index][1] || ''} ${moduleOf(index)}`,
    label: 'Flame graph of what changed on the heap by call: red grew, blue shrank', tip: tipOf, say: box => tipOf(box).map(line => line.textContent).join(' · '),
  });
  const reset = el('button', { type: 'button', onclick: () => graph.home(), title: 'Zoom out (Home)' }, 'All');
  graph.onzoom = box => { reset.disabled = !box.id; };
  const found = el('span', { class: 'quiet', role: 'status' });
  view.search = el('input', { type: 'search', placeholder: 'Search calls, files, modules  ( / )', 'aria-label': 'Search the heap', oninput: event => {
    view.words = event.target.value;
    const hit = graph.search(view.words);
    found.textContent = hit ? `${plural(hit.boxes, 'call matches', 'calls match')}: ${percent(hit.share)}` : '';
    view.drawSites();
  } });
  view.drawFlame = () => {
    const [values, before] = [0, 0].map(() => new Float64Array(data.tree.frames.length));
    for (const site of data.sites) {
      if (site[0] === null) continue;
      values[site[0]] += valueOf(site)[3];
      before[site[0]] += valueOf(site)[1];
    }
    graph.show({ values, before });
  };
  const measures = MEASURES.filter(([by]) => by === view.by || data.sites.some(site => site[3][place(by)][1] !== site[3][place(by)][3]));
  const key = (class_, text) => el('span', {}, el('i', { class: `key ${class_}` }), text);
  return el('div', { class: 'card' }, el('h2', {}, 'What changed, by call'),
    el('div', { class: 'controls' }, choiceOf('Measure', measures, view.by, by => { view.by = by; view.shown = 50; view.drawFlame(); view.drawSites(); }),
      choiceOf('Direction', [[false, 'Icicle', 'The start of the program on top'], [true, 'Flame', 'The start of the program at the bottom']], false, graph.up), reset),
    el('div', { class: 'controls' }, view.search, found),
    el('p', { class: 'quiet' }, 'Call stacks in which nothing changed are left out. A box is as wide as the larger of the two sides.'),
    graph.element,
    el('div', { class: 'legend' }, key('kg', 'grew'), key('ks', 'shrank'), key('ke', 'as before')));
}

function sitesCard() {
  const body = el('tbody');
  const more = el('button', { type: 'button', onclick: () => { view.shown += 200; view.drawSites(); } });
  const title = el('h2');
  view.drawSites = () => {
    const words = view.words.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = data.sites.filter(site => bytesOf(site) && words.every(word => searched(site).includes(word)));
    rows.sort((a, b) => Math.abs(bytesOf(b)) - Math.abs(bytesOf(a)));
    view.listed = rows.length;
    title.textContent = `${plural(rows.length, 'call stack', 'call stacks')} that changed`;
    body.replaceChildren(...rows.slice(0, view.shown).map(row));
    more.hidden = rows.length <= view.shown;
    more.textContent = `${number(rows.length - view.shown)} more`;
  };
  const heads = [['change', 1], ['error', 1], ['before', 1], ['after', 1], ['blocks', 1], ['call', 0]];
  const left = data.more_sites ? el('p', { class: 'quiet' }, `${plural(data.more_sites, 'call stack', 'call stacks')} more, the smallest changes, are not in this page.`) : '';
  return el('div', { class: 'card' }, title, left, el('table', { class: 'rows' }, el('thead', {}, el('tr', {}, ...heads.map(([text, num]) => el('th', { class: num ? 'num' : '' }, text)))), body), more);
}

function row(site) {
  const [blocksBefore, before, blocksAfter, after, variance] = valueOf(site);
  const [by, blocks] = [after - before, blocksAfter - blocksBefore];
  const calls = chain(site[0]);
  const named = calls[site[1]] === undefined ? calls[0] : calls[site[1]];
  const at = named === undefined ? null : frame(named).at;
  const state = site[2] === 'changed' ? '' : el('span', { class: 'quiet' }, `  ${site[2]}`);
  const cell = (text, class_) => el('td', { class: `num ${class_ || ''}` }, text);
  return el('tr', {}, cell(signed(by, size), way(by)), cell(errorOf(Math.abs(by), variance)), cell(size(before)), cell(size(after)), cell(signed(blocks, number)),
    el('td', { class: 'mono' }, el('details', {}, el('summary', {}, named === undefined ? 'no stack' : brief(named), at ? el('span', { class: 'quiet' }, `  ${at.split('/').pop()}`) : '', state), callsOf(calls))));
}

const callsOf = calls => el('ol', { start: 0 }, ...calls.map(index => {
  const f = frame(index);
  return el('li', {}, f.fn || '??', f.at ? el('span', { class: 'quiet' }, `  ${f.at}`) : '', el('span', { class: 'quiet' }, `  ${f.place}`));
}));

function findingsCard() {
  const one = f => el('div', { class: 'change' },
    el('p', {}, el('span', { class: `tag ${f.severity}` }, f.severity), ' ', el('b', {}, f.state), '  ', el('span', { class: 'mono' }, f.kind), `  ${f.before === null ? '' : `×${number(f.before)}`}${f.state === 'changed' ? ' → ' : ''}${f.after === null ? '' : `×${number(f.after)}`}`),
    el('p', { class: 'sentence' }, f.message),
    el('details', {}, el('summary', {}, plural(f.stacks.length, 'stack', 'stacks')), ...f.stacks.map(([role, stack]) => el('div', { class: 'mono' }, el('b', {}, role), stacks[stack].length ? callsOf(stacks[stack]) : '  (no stack)'))));
  const more = data.more_findings ? el('p', { class: 'quiet' }, `${plural(data.more_findings, 'finding', 'findings')} more are not in this page.`) : '';
  return el('div', { class: 'card' }, el('h2', {}, 'Findings'), ...data.findings.map(one), more);
}

summary();
theme();
byId('theme').addEventListener('click', toggleTheme);
{
  const page = el('div', { class: 'view page' });
  byId('views').append(page);
  if (data.sites.length) {
    page.append(flameCard(), sitesCard());
    view.drawFlame();
    view.drawSites();
  } else if (data.before.watched && data.after.watched) {
    page.append(el('p', { class: 'empty' }, el('b', {}, 'Nothing changed'), 'No call stack holds more or less than before.'));
  }
  page.append(data.findings.length ? findingsCard() : el('p', { class: 'empty' }, el('b', {}, 'No finding is new or gone'), 'What was found is what was found before.'));
}
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest && event.target.closest('input');
  if (event.key === 'Escape' && typing) { typing.value = ''; typing.dispatchEvent(new Event('input')); typing.blur(); }
  else if (!typing && event.key === '/' && view.search) { view.search.focus(); event.preventDefault(); }
  else if (!typing && event.key === 't') toggleTheme();
});
document.documentElement.dataset.rendered = data.sites.length;
