// Memory tiers: how full each is, where its pages really are, what each rule and each call stack placed.

const placed = data.tiers || null;
/** Where things stand in a call stack. */
const AT_SITE = { allocations: 0, bytes: 1, peak: 2, live: 3, elsewhere: 4, pages: 5, right: 6, processes: 7 };
const tiers = { search: null, tables: [] };
const shownTiers = () => placed.tiers.map((tier, index) => ({ ...tier, index })).filter(tier => tier.kind !== 'heap' || tier.allocations || tier.refused);

function tiersView() {
  const view = el('div', { class: 'view page' });
  tiers.tables = [];
  tiers.found = el('span', { class: 'quiet', role: 'status' });
  tiers.search = el('input', { type: 'search', placeholder: 'Search rules, calls, files  ( / )', 'aria-label': 'Search the memory tiers', oninput: filterTiers });
  const cards = [tiersCard(), pagesCard(), rulesCard(), placesCard()].filter(Boolean);
  view.append(tierTiles(), ...cards.slice(0, -2), el('div', { class: 'controls' }, tiers.search, tiers.found), ...cards.slice(-2));
  return view;
}

function filterTiers() {
  const words = tiers.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { table, rows, text } of tiers.tables) table.draw(words.length ? rows.filter(row => words.every(word => text(row).includes(word))) : rows);
  tiers.found.textContent = words.length ? tiers.tables.map(({ table, rows, what }) => `${number(table.listed)} of ${plural(rows.length, ...what)}`).join(', ') : '';
}

function tierTiles() {
  const tile = (value, label, class_) => el('div', { class: `tile ${class_ || ''}` }, el('b', {}, value), el('span', {}, label));
  const own = placed.tiers.filter(tier => tier.kind !== 'heap');
  const sum = what => own.reduce((all, tier) => all + tier[what], 0);
  const [pages, right, never] = [sum('pages'), sum('right'), placed.rules.filter(rule => rule.never).length];
  const all = [tile(number(own.length), own.length === 1 ? 'tier' : 'tiers'), tile(size(sum('bytes')), `placed, in ${plural(sum('allocations'), 'block', 'blocks')}`)];
  if (sum('refused')) all.push(tile(number(sum('refused')), `refused for want of room: ${size(sum('refused_bytes'))}`, 'suspect'));
  if (pages) all.push(tile(percent(right / pages), 'of the pages where they belong', right < pages ? 'suspect' : 'none'));
  if (never) all.push(tile(number(never), never === 1 ? 'rule never matched' : 'rules never matched', 'suspect'));
  const whose = `${plural(placed.processes, 'process', 'processes')}${placed.ranks ? `, ${placed.ranks}` : ''}${placed.without ? `; ${number(placed.without)} without tiers` : ''}`;
  return el('div', {}, el('div', { class: 'tiles' }, ...all), el('p', { class: 'quiet whose' }, `Of ${whose}${placed.processes > 1 ? '. Peaks are added up, whenever each was' : ''}.`));
}

/** A part of a bar: so much of the whole. */
function piece(class_, share, title) {
  const part = el('i', { class: class_, title });
  part.style.width = `${Math.min(100, share * 100)}%`;
  return part;
}

/** Live bytes and the high-water mark, of the capacity; without one, of the highest mark. */
function levelOf(tier, most) {
  const whole = Math.max(tier.capacity || most, tier.peak, 1);
  const mark = el('i', { class: 'mark' });
  mark.style.left = `${tier.peak / whole * 100}%`;
  const words = `${size(tier.live)} live, ${size(tier.peak)} at the peak, ${tier.capacity ? `of ${size(tier.capacity)}` : 'no limit'}`;
  return el('div', { class: 'level' }, el('div', { class: `bar gauge${tier.capacity ? '' : ' open'}`, role: 'img', 'aria-label': `${tier.name}: ${words}` }, piece('was', tier.peak / whole), piece('now', tier.live / whole), tier.peak ? mark : ''), el('span', { class: 'quiet' }, words));
}

const tierName = index => index === null || index === undefined || !placed.tiers[index] ? '–' : placed.tiers[index].name;

function tiersCard() {
  const all = shownTiers();
  const most = Math.max(...all.map(tier => tier.peak), 1);
  const bars = all.map(tier => el('div', { class: 'tier' }, el('div', {}, el('b', { class: 'mono' }, tier.name), el('span', { class: 'quiet' }, ` ${tier.made}`),
    tier.fault ? el('p', { class: 'bad' }, `Could not be made: ${tier.fault}`) : '', tier.refused ? el('span', { class: 'tag suspect' }, `${plural(tier.refused, 'allocation', 'allocations')} found no room`) : ''), tier.fault && !tier.allocations ? '' : levelOf(tier, most)));
  const columns = [
    { title: 'Tier', text: true, value: tier => tier.name.toLowerCase(), cell: tier => el('span', { class: 'mono strong' }, tier.name) },
    { title: 'Made of', text: true, value: tier => tier.made },
    { title: 'Allocations', value: tier => tier.allocations, cell: tier => number(tier.allocations) },
    { title: 'Bytes', value: tier => tier.bytes, cell: tier => size(tier.bytes) },
    { title: 'Live', value: tier => tier.live, cell: tier => size(tier.live) },
    { title: 'Peak', value: tier => tier.peak, cell: tier => size(tier.peak) },
    { title: 'Capacity', value: tier => tier.capacity || null, cell: tier => tier.capacity ? size(tier.capacity) : 'no limit' },
    { title: 'Memory', value: tier => tier.committed_most, cell: tier => tier.committed_most ? size(tier.committed_most) : '–' },
    { title: 'Refused', value: tier => tier.refused, cell: tier => tier.refused ? `${number(tier.refused)} (${size(tier.refused_bytes)})` : '–' },
    { title: 'Taken in', value: tier => tier.taken_in, cell: tier => tier.taken_in ? number(tier.taken_in) : '–' },
  ];
  const more = tier => [...tier.spreads.map(([what, words]) => el('p', {}, el('b', {}, `${what}: `), words)), sharesOf(tier)];
  const table = sortable({ label: 'Tiers', class: 'tiers', columns, rows: all, more, has: tier => tier.shares.length > 0 });
  const key = (class_, text) => el('span', {}, el('i', { class: `key ${class_}` }), text);
  return el('div', { class: 'card' }, el('h2', {}, 'Tiers'), all.length ? '' : el('p', { class: 'quiet' }, 'Nothing was made, and nothing placed.'), ...bars,
    el('div', { class: 'legend' }, key('now', 'live'), key('was', 'at the peak'), key('room', 'capacity')), el('h3', { class: 'again' }, 'The same as a table'), table.element);
}

/** What each rank, or process, had of a tier. */
function sharesOf(tier) {
  const columns = [
    { title: 'Who', text: true, value: share => share[0], cell: share => el('span', {}, share[0], share[1] ? el('span', { class: 'tag suspect', title: 'More than three median absolute deviations, and a tenth, from the median' }, 'odd') : '') },
    { title: 'Allocated', value: share => share[2], cell: share => size(share[2]) },
    { title: 'Peak', value: share => share[3], cell: share => size(share[3]) },
    { title: 'Refused', value: share => share[4], cell: share => share[4] ? number(share[4]) : '–' },
  ];
  return el('div', {}, sortable({ label: `Ranks on ${tier.name}`, class: 'shares', columns, rows: tier.shares, has: () => false, step: 20 }).element, tier.more_shares ? el('p', { class: 'quiet' }, `${number(tier.more_shares)} more are not in this page.`) : '');
}

/** Where pages are: of a NUMA tier by node, those of other nodes than its own hatched; of others right or wrong. */
function partsOf(tier) {
  if (tier.kind === 'numa' && tier.node_pages.length) {
    return tier.node_pages.map(([node, pages]) => {
      const right = !tier.nodes.length || tier.nodes.includes(node);
      return { label: `node ${node}${node === 15 ? ' and further' : ''}`, pages, right, class: `c${node % COLOURS}` };
    });
  }
  return [{ label: 'where they belong', pages: tier.right, right: true, class: 'right' }, { label: 'elsewhere', pages: tier.pages - tier.right, right: false, class: 'cx' }].filter(part => part.pages);
}

function pagesCard() {
  const looked = shownTiers().filter(tier => tier.pages);
  if (!looked.length) return null;
  const rows = looked.flatMap(tier => partsOf(tier).map(part => ({ tier, ...part })));
  const words = part => `${part.label}: ${plural(part.pages, 'page', 'pages')}${part.right ? '' : ', not where they belong'}`;
  const bars = looked.map(tier => {
    const parts = partsOf(tier);
    const wrong = tier.pages - tier.right;
    return el('div', { class: 'tier' }, el('div', {}, el('b', { class: 'mono' }, tier.name), el('span', { class: 'quiet' }, ` ${tier.nodes.length ? `belongs on node ${tier.nodes.join(', ')}` : tier.made}${tier.by ? `; by ${tier.by}` : ''}`)),
      el('div', { class: 'level' }, el('div', { class: 'bar placement', role: 'img', 'aria-label': `${tier.name}: ${parts.map(words).join('; ')}` }, ...parts.map(part => piece(`${part.class}${part.right ? '' : ' wrong'}`, part.pages / tier.pages, words(part)))),
        el('span', { class: wrong ? 'bad' : 'quiet' }, wrong ? `${number(wrong)} of ${plural(tier.pages, 'page', 'pages')} elsewhere` : `all ${plural(tier.pages, 'page', 'pages')} where they belong`)));
  });
  const columns = [
    { title: 'Tier', text: true, value: row => row.tier.name.toLowerCase(), cell: row => el('span', { class: 'mono' }, row.tier.name) },
    { title: 'Where', text: true, value: row => row.label },
    { title: 'Pages', value: row => row.pages, cell: row => number(row.pages) },
    { title: 'Share', value: row => row.pages / row.tier.pages, cell: row => percent(row.pages / row.tier.pages) },
    { title: '', text: true, value: row => row.right ? 'right' : 'wrong', cell: row => row.right ? 'right' : el('span', { class: 'tag error' }, 'wrong') },
  ];
  const seen = new Map(rows.map(row => [`${row.class} ${row.label}`, row]));
  const keys = [...seen.values()].map(row => el('span', {}, el('i', { class: `key ${row.class}` }), row.label));
  const anyWrong = rows.some(row => !row.right);
  return el('div', { class: 'card' }, el('h2', {}, 'Placement: where the pages really are'), ...bars, el('div', { class: 'legend' }, ...keys, anyWrong ? el('span', {}, el('i', { class: 'key hatch' }), 'hatched: not where they belong') : ''),
    el('h3', { class: 'again' }, 'The same as a table'), sortable({ label: 'Placement', class: 'placement', columns, rows, has: () => false }).element);
}

function rulesCard() {
  const count = (value, text = number) => value ? text(value) : '–';
  const columns = [
    { title: 'Rule', text: true, value: rule => rule.name.toLowerCase(), cell: rule => el('span', {}, el('span', { class: 'mono strong' }, rule.name), rule.never ? el('span', { class: 'tag suspect' }, 'never matched') : '', rule.pending ? el('span', { class: 'tag info', title: 'It speaks of a module that was not loaded' }, 'pending') : '') },
    { title: 'Where', text: true, value: rule => rule.place, cell: rule => el('span', { class: 'mono quiet' }, rule.place) },
    { title: 'Tier', text: true, value: rule => tierName(rule.tier), cell: rule => el('span', { class: 'mono' }, tierName(rule.tier)) },
    { title: 'Call stacks', value: rule => rule.sites, cell: rule => count(rule.sites) },
    { title: 'Hits', value: rule => rule.hits, cell: rule => rule.hits === null ? 'not counted' : count(rule.hits) },
    { title: 'Placed', value: rule => rule.placed, cell: rule => count(rule.placed) },
    { title: 'Bytes', value: rule => rule.bytes, cell: rule => count(rule.bytes, size) },
    { title: 'Peak', value: rule => rule.peak, cell: rule => count(rule.peak, size) },
    { title: 'Limit', value: rule => rule.limit || null, cell: rule => rule.limit ? size(rule.limit) : '' },
    { title: 'Misfits', value: rule => rule.misfits, cell: rule => rule.misfits ? `${number(rule.misfits)} (${size(rule.misfit_bytes)})` : '–' },
  ];
  const table = sortable({ label: 'Rules', class: 'rules', columns, rows: placed.rules, has: () => false });
  tiers.tables.push({ table, rows: placed.rules, what: ['rule', 'rules'], text: rule => `${rule.name} ${rule.place} ${tierName(rule.tier)}${rule.never ? ' never matched' : ''}${rule.pending ? ' pending' : ''}`.toLowerCase() });
  return el('div', { class: 'card' }, el('h2', {}, 'Rules'), el('p', { class: 'quiet' }, 'Hits are the calls that a rule matched; of rules that leave blocks on the heap only call stacks are counted. Placed are those whose block lies in a tier. Misfits are allocations beyond the limit of their rule.'), table.element);
}

function placesCard() {
  const of = (site, what) => site[3][AT_SITE[what]];
  const column = (title, what, text = number) => ({ title, value: site => of(site, what), cell: site => of(site, what) ? text(of(site, what)) : '–' });
  const ruleName = site => site[2] === null || !placed.rules[site[2]] ? '' : placed.rules[site[2]].name;
  const columns = [
    { title: 'Allocated at', text: true, value: site => call(site[0]), cell: site => el('span', { class: 'mono' }, call(site[0]) || 'no stack') },
    { title: 'Tier', text: true, value: site => tierName(site[1]), cell: site => el('span', { class: 'mono' }, tierName(site[1])) },
    { title: 'Rule', text: true, value: ruleName, cell: site => el('span', { class: 'mono' }, ruleName(site)) },
    column('Blocks', 'allocations'), column('Bytes', 'bytes', size), column('Peak', 'peak', size), column('Live', 'live', size), column('Elsewhere', 'elsewhere'),
    { title: 'Pages right', value: site => of(site, 'pages') ? of(site, 'right') / of(site, 'pages') : null, cell: site => of(site, 'pages') ? `${number(of(site, 'right'))} of ${number(of(site, 'pages'))}` : '' },
  ];
  const more = site => [callsOf('allocated', 'Allocated', placed.processes > 1 ? `in ${plural(of(site, 'processes'), 'process', 'processes')}` : '', site[0])];
  const table = sortable({ label: 'Call stacks of tiers', class: 'places', columns, rows: placed.sites, more });
  tiers.tables.push({ table, rows: placed.sites, what: ['call stack', 'call stacks'], text: site => `${textOfStack(site[0])} ${tierName(site[1])} ${ruleName(site)}`.toLowerCase() });
  return el('div', { class: 'card' }, el('h2', {}, 'Call stacks'), placed.more_sites ? el('p', { class: 'quiet' }, `${plural(placed.more_sites, 'call stack', 'call stacks')} that placed least are not in this page.`) : '', table.element);
}
