// The heap of each process that has one: how much, when, of which sizes, and by which calls.

const MEASURES = [['live', 'Live', 'at the end'], ['peak', 'At the peak', 'when most was live'], ['total', 'In all', 'ever allocated'], ['lost', 'Lost', 'definitely lost at the look for leaks']];
/** Where each measure stands in a site. */
const PLACE = { total: 1, live: 2, peak: 3, lost: 4 };
/** What a byte of a site adds to the variance of a sum, and which call names the site. */
const [UNCERTAIN, NAMED] = [5, 6];
const heaps = data.seen.filter(s => s.heap).sort((a, b) => b.heap.peak - a.heap.peak);
const heap = { seen: null, by: 'live', unit: 1, words: '' };

const varianceOf = (site, by) => site[PLACE[by]][1] * site[UNCERTAIN];

/** The call that a person would name, where it is, and who made it. */
function callOf(site) {
  if (site[0] === null) return ['no stack', '', ''];
  const calls = chain(site[0]).slice(site[NAMED]);
  const at = frame(calls[0]).at;
  // The first of another function: many call their own kind.
  const caller = calls.find(index => brief(index) !== brief(calls[0]));
  return [brief(calls[0]), at ? at.split('/').pop() : '', caller === undefined ? '' : `← ${brief(caller)}`];
}
const oneLine = site => callOf(site).filter(Boolean).join('  ');

function heapView() {
  const view = el('div', { class: 'view page' });
  heap.body = el('div');
  if (heaps.length > 1) {
    view.append(el('div', { class: 'controls' }, el('select', { 'aria-label': 'Process', onchange: event => heapOf(heaps[event.target.value]) },
      ...heaps.map((s, i) => el('option', { value: i }, `${s.program} (${s.pid})${s.heap.peak ? `: ${size(s.heap.peak)} at the peak` : ''}`)))));
  }
  view.append(heap.body);
  heapOf(heaps[0]);
  return view;
}

function heapOf(seen) {
  Object.assign(heap, { seen, words: '', graph: null, shown: 50, order: null });
  const h = seen.heap;
  const some = by => h.sites.some(site => site[PLACE[by]][1]);
  heap.by = ['live', 'peak', 'total'].find(some) || 'total';
  // What a process holds when it ends is often next to nothing.
  if (heap.by === 'live' && h.live[1] < h.peak / 20 && some('peak')) heap.by = 'peak';
  const cards = [heapTiles(seen), h.points.length ? heapCurve(seen) : null, h.sites.length ? flameCard(seen) : null, h.sites.length ? sitesCard() : null, h.sizes.length ? sizesCard(h) : null];
  heap.body.replaceChildren(...cards.filter(Boolean));
  if (heap.graph) heap.drawFlame();
}

function heapTiles(seen) {
  const h = seen.heap;
  const tile = (value, label, class_) => el('div', { class: `tile ${class_ || ''}` }, el('b', {}, value), el('span', {}, label));
  const when = seen.state === 'running' ? 'now' : 'at the end';
  const blocks = plural(h.live[0], 'block', 'blocks');
  const tiles = [h.live[1] === null ? tile(number(h.live[0]), `${h.live[0] === 1 ? 'block' : 'blocks'} live ${when}`) : tile(size(h.live[1]), `live ${when}, in ${blocks}`)];
  if (h.peak) tiles.push(tile(size(h.peak), h.peak_at ? `at the peak, after ${span(h.peak_at)}` : 'at the peak'));
  if (!h.total[1] && h.requested) tiles.push(tile(size(h.requested), 'asked for in all'));
  if (h.total[1]) tiles.push(tile(size(h.total[1]), `allocated in all, in ${plural(h.total[0], 'block', 'blocks')}`));
  const [allocations, frees, reallocations] = h.calls;
  if (allocations) tiles.push(tile(number(allocations), `allocating calls; ${number(frees)} frees${reallocations ? `, ${number(reallocations)} reallocs` : ''}`));
  const leaks = h.looked && h.looked[1];
  const CLASSES = [['definitely lost', 'error'], ['indirectly lost', 'error'], ['possibly lost', 'suspect'], ['still reachable', 'info']];
  const told = {
    count: `Totals only: heap=count${h.sampling ? `, from a sample of one byte in ${size(h.sampling)}` : ', which counts blocks and what was asked for'}. With heap=sites the call stacks are there too, of a sample; with heap=full, of every block.`,
    sites: `One byte in ${size(h.sampling)} was sampled, on average: what call stacks have are estimates, with their standard error; ~ marks what is as good as a guess.`,
    full: 'Every block was followed: the numbers are exact.',
  };
  return el('div', { class: 'card' }, el('h2', {}, `The heap of ${seen.program} (${seen.pid})`), el('div', { class: 'tiles' }, ...tiles),
    leaks ? el('div', { class: 'tiles leaks', role: 'group', 'aria-label': 'What was never freed' }, ...CLASSES.map(([name, class_], i) => tile(size(leaks[i][1]), `${name}, ${plural(leaks[i][0], 'block', 'blocks')}`, leaks[i][1] ? class_ : 'none'))) : '',
    leaks ? el('p', { class: 'quiet' }, `Looked for leaks after ${span(h.looked[0])}.`) : '',
    el('p', { class: 'quiet' }, h.level === 'sites' && !h.sampling ? told.full : told[h.level] || ''));
}

function heapCurve(seen) {
  const h = seen.heap;
  const chart = el('div', { class: 'chart' });
  // What is called the same is one area; and estimates may say more than there was.
  const names = [...new Set(h.curve.map(site => oneLine(h.sites[site])))];
  const area = h.curve.map(site => names.indexOf(oneLine(h.sites[site])));
  const points = h.points.map(([at, , live, parts]) => {
    const sums = names.map(() => 0);
    parts.forEach((part, i) => { sums[area[i]] += part; });
    const all = sums.reduce((a, b) => a + b, 0);
    return [at, live, 0, all > live ? sums.map(part => part * live / all) : sums];
  });
  const most = Math.max(h.peak, points.reduce((a, p) => Math.max(a, p[1]), 0));
  const picture = { points, parts: names.length, most, text: size, mark: h.peak ? { at: h.peak_at, value: h.peak, text: `peak ${size(h.peak)}` } : null, left: 66, label: `Live bytes over time, ${size(h.peak)} at most` };
  watchChart(chart, picture, index => [el('b', {}, `${size(points[index][1])} in ${plural(h.points[index][1], 'block', 'blocks')} at ${span(points[index][0])}`),
    ...names.map((name, i) => points[index][3][i] ? el('div', { class: 'mono' }, `${size(Math.round(points[index][3][i]))}  ${name}`) : null).filter(Boolean)]);
  const legend = names.map((name, i) => el('span', { class: 'mono' }, el('i', { class: `key c${i % COLOURS}` }), name));
  return el('div', { class: 'card' }, el('h2', {}, 'Live bytes over time'), chart, el('div', { class: 'legend' }, ...legend, legend.length ? el('span', {}, el('i', { class: 'key cx' }), 'all other calls') : ''));
}

function flameCard(seen) {
  const h = seen.heap;
  const byFunction = index => frames[index][0] ? `${frames[index][3]} ${frames[index][0]}` : index;
  const graph = heap.graph = flameGraph({
    up: data.tree.up, frames: data.tree.frames, name: brief, group: moduleOf, key: byFunction, text: index => `${frames[index][0] || ''} ${frames[index][1] || ''} ${moduleOf(index)}`,
    label: 'Flame graph of the heap by call', tip: flameTip, say: box => flameTip(box).map(line => line.textContent).join(' · '),
  });
  // The program itself has the first hue, then whoever has most.
  const shares = new Map();
  for (const site of h.sites) for (const index of new Set(chain(site[0]).map(moduleOf))) shares.set(index, (shares.get(index) || 0) + site[PLACE.total][1]);
  const own = seen.exe.split('/').pop();
  const names = [...shares.keys()].sort((a, b) => (b === own) - (a === own) || shares.get(b) - shares.get(a));
  names.forEach(graph.hue);
  const found = el('span', { class: 'quiet', role: 'status' });
  heap.search = el('input', { type: 'search', placeholder: 'Search calls, files, modules  ( / )', 'aria-label': 'Search the heap', oninput: event => {
    heap.words = event.target.value;
    const hit = graph.search(heap.words);
    found.textContent = hit ? `${plural(hit.boxes, 'call matches', 'calls match')}: ${percent(hit.share)}` : '';
    heap.drawSites();
  } });
  const measures = MEASURES.filter(([by]) => by === heap.by || h.sites.some(site => site[PLACE[by]][1]));
  const table = el('details', { class: 'twin', ontoggle: () => twin() }, el('summary', {}, 'The same as a table'), el('div'));
  const twin = () => { if (table.open) table.lastChild.replaceChildren(flameTable(graph)); };
  const reset = el('button', { type: 'button', onclick: () => graph.home(), title: 'Zoom out (Home)' }, 'All');
  graph.onzoom = box => { reset.disabled = !box.id; twin(); };
  heap.drawFlame = () => {
    const count = data.tree.frames.length;
    const [values, bytes, blocks, variance] = [0, 0, 0, 0].map(() => new Float64Array(count));
    for (const site of h.sites) {
      const [node, own] = [site[0], site[PLACE[heap.by]]];
      if (node === null) continue;
      values[node] += own[heap.unit];
      bytes[node] += own[1];
      blocks[node] += own[0];
      variance[node] += varianceOf(site, heap.by);
    }
    graph.show({ values, more: [bytes, blocks, variance] });
    if (heap.words) heap.search.dispatchEvent(new Event('input'));
  };
  const lines = el('input', { type: 'checkbox', id: 'by-line', onchange: event => graph.key(event.target.checked ? index => index : byFunction) });
  return el('div', { class: 'card' }, el('h2', {}, 'Who holds it'),
    el('div', { class: 'controls' }, choiceOf('Measure', measures, heap.by, by => { heap.by = by; heap.order = null; heap.drawFlame(); heap.drawSites(); }),
      choiceOf('Unit', [[1, 'Bytes'], [0, 'Blocks']], heap.unit, unit => { heap.unit = unit; heap.drawFlame(); }),
      choiceOf('Direction', [[false, 'Icicle', 'The start of the program on top'], [true, 'Flame', 'The start of the program at the bottom']], false, graph.up),
      el('label', { for: 'by-line' }, lines, ' each line apart'), reset),
    el('div', { class: 'controls' }, heap.search, found),
    h.more ? el('p', { class: 'quiet' }, `${plural(h.more, 'call stack', 'call stacks')} more, the smallest, with ${size(h.rest[0][1])} in all and ${size(h.rest[1][1])} live, are not in this picture.`) : '',
    graph.element,
    el('div', { class: 'legend' }, ...names.slice(0, HUES - 1).map((name, i) => el('span', { class: 'mono' }, el('i', { class: `key f${i}` }), name)), names.length >= HUES ? el('span', {}, el('i', { class: `key f${HUES - 1}` }), `${plural(names.length - HUES + 1, 'other module', 'other modules')}`) : ''),
    table);
}

function flameTip(box) {
  const [bytes, blocks, variance] = box.more;
  const error = errorOf(bytes, variance);
  const numbers = `${size(bytes)} in ${plural(Math.round(blocks), 'block', 'blocks')}, ${percent(box.share)}${error ? `, ${error}` : ''}`;
  if (box.rest) return [el('b', {}, `${plural(box.rest, 'call', 'calls')}, each too small to be drawn`)];
  if (!box.id) return [el('b', {}, 'All calls'), el('div', {}, numbers)];
  const all = box.frames.map(frame);
  const places = [...new Set(all.map(f => f.at).filter(Boolean))];
  const own = box.own ? el('div', {}, `itself ${amount(box.own, heap.unit)}`) : null;
  return [el('b', {}, all[0].fn || '??'), el('div', {}, numbers), own, places.length ? el('div', { class: 'mono' }, places.slice(0, 3).join(', ') + (places.length > 3 ? ` and ${places.length - 3} more` : '')) : null,
    el('div', { class: 'mono' }, all.length === 1 ? all[0].place : modules[frames[box.frame][3]] || '')].filter(Boolean);
}

function flameTable(graph) {
  const rows = graph.rows(100).map(box => {
    const f = frame(box.frame);
    return el('tr', {}, el('td', {}, el('button', { type: 'button', class: 'bare mono', onclick: () => graph.zoom(box.id) }, brief(box.frame)), ' ', el('span', { class: 'quiet mono' }, f.at ? f.at.split('/').pop() : '')),
      el('td', { class: 'mono' }, moduleOf(box.frame)), el('td', { class: 'num' }, size(box.more[0])), el('td', { class: 'num' }, number(Math.round(box.more[1]))), el('td', { class: 'num' }, percent(box.share)), el('td', { class: 'num' }, box.own ? amount(box.own, heap.unit) : ''), el('td', { class: 'num' }, errorOf(box.more[0], box.more[2])));
  });
  const name = el('p', { class: 'quiet' }, rows.length ? `The ${rows.length === 100 ? '100 largest' : rows.length} below what is zoomed to, the largest first; a click zooms.` : 'Nothing is below what is zoomed to.');
  return el('div', { class: 'wide' }, name, el('table', {}, el('thead', {}, el('tr', {}, ...['call', 'module', 'bytes', 'blocks', 'share', 'itself', 'error'].map((t, i) => el('th', { class: i > 1 ? 'num' : '' }, t)))), el('tbody', {}, ...rows)));
}

const COLUMNS = [['Live', s => s[2][1], size], ['Peak', s => s[3][1], size], ['In all', s => s[1][1], size], ['Lost', s => s[4][1], size], ['Live blocks', s => s[2][0], number], ['Blocks', s => s[1][0], number], ['Error', s => s[PLACE[heap.by]][1] ? -Math.sqrt(varianceOf(s, heap.by)) / s[PLACE[heap.by]][1] : -9, null]];

const columns = () => COLUMNS.filter(([, , text]) => text || heap.seen.heap.sampling);

/** Call stacks, ordered by what was chosen; each opens to its calls. */
function sitesCard() {
  const body = el('tbody');
  const more = el('button', { type: 'button', onclick: () => { heap.shown += 200; heap.drawSites(); } });
  const heads = columns().map(([title], i) => el('th', { class: 'num' }, el('button', { type: 'button', class: 'bare', onclick: () => { heap.order = { column: i, up: heap.order && heap.order.column === i && !heap.order.up }; heap.drawSites(); } }, title)));
  heap.drawSites = () => {
    const order = heap.order || { column: { live: 0, peak: 1, total: 2, lost: 3 }[heap.by], up: false };
    heads.forEach((head, i) => { if (i === order.column) head.setAttribute('aria-sort', order.up ? 'ascending' : 'descending'); else head.removeAttribute('aria-sort'); });
    const value = COLUMNS[order.column][1];
    const words = heap.words.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = site => words.every(word => chain(site[0]).some(index => searched(index).includes(word)));
    const all = (words.length ? heap.seen.heap.sites.filter(matches) : heap.seen.heap.sites.slice()).sort((a, b) => (value(b) - value(a)) * (order.up ? -1 : 1) || b[PLACE.total][1] - a[PLACE.total][1]);
    body.replaceChildren(...all.slice(0, heap.shown).map(siteRow));
    more.hidden = all.length <= heap.shown;
    more.textContent = `${number(all.length - heap.shown)} more`;
    heap.listed = all.length;
  };
  heap.drawSites();
  return el('div', { class: 'card' }, el('h2', {}, 'Call stacks'), el('div', { class: 'wide' }, el('table', { class: 'sites' }, el('thead', {}, el('tr', {}, el('th', {}, 'Allocated at'), ...heads)), body)), more);
}

const texts = new Map();
function searched(index) {
  if (!texts.has(index)) texts.set(index, `${brief(index)} ${frames[index][0] || ''} ${frames[index][1] || ''} ${moduleOf(index)}`.toLowerCase());
  return texts.get(index);
}

function siteRow(site) {
  const [call, at, caller] = callOf(site);
  const box = el('details', { ontoggle: () => { if (box.open && box.children.length === 1) box.append(el('div', {}, ...chain(site[0]).map(callRow))); } }, el('summary', { class: 'mono' }, call, el('span', { class: 'quiet' }, ` ${at} ${caller}`.replace(/ +$/, ''))));
  return el('tr', {}, el('td', {}, box), ...columns().map(([, value, text]) => el('td', { class: 'num' }, text ? value(site) ? text(value(site)) : '–' : errorOf(site[PLACE[heap.by]][1], varianceOf(site, heap.by)))));
}

function callRow(index, i) {
  const f = frame(index);
  return el('div', { class: 'frame' }, el('span', { class: 'no' }, `#${i}\u00a0\u00a0`), el('span', { class: 'fn' }, f.fn || '??'), f.at ? el('span', { class: 'at' }, f.at) : '', el('span', { class: 'mod' }, f.place));
}

/** Classes of sizes as two rows of bars. */
function sizesCard(h) {
  const [blocks, bytes] = [0, 1].map(unit => Math.max(...h.sizes.map(s => s[1][unit]), 1));
  const bar = (value, most, class_) => {
    const filled = el('i', { class: class_ });
    filled.style.width = `${value / most * 100}%`;
    return el('div', { class: 'bar', 'aria-hidden': 'true' }, filled);
  };
  const limit = n => n === 47 ? `more than ${size(2 ** 46)}` : n ? `${size(2 ** (n - 1))} – ${size(2 ** n)}` : 'up to 1 B';
  const rows = h.sizes.map(([n, own]) => el('tr', {}, el('td', { class: 'num' }, limit(n)), el('td', { class: 'num' }, number(own[0])), el('td', { class: 'fill' }, bar(own[0], blocks, 'c0')), el('td', { class: 'num' }, size(own[1])), el('td', { class: 'fill' }, bar(own[1], bytes, 'c1'))));
  return el('div', { class: 'card' }, el('h2', {}, 'Sizes of what was allocated'), el('table', { class: 'sizes' }, el('thead', {}, el('tr', {}, el('th', { class: 'num' }, 'size'), el('th', { class: 'num' }, 'blocks'), el('th'), el('th', { class: 'num' }, 'bytes'), el('th'))), el('tbody', {}, ...rows)));
}
