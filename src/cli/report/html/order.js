// The order graph as a picture: locks as boxes, an arrow from what was held to what was taken meanwhile. A ring is red and thick.
//
//   const graph = orderGraph({ locks, orders, show(thing), whole }); view.append(graph.element)
//   locks and orders are those of a process (report/html/locks.rs); show is called with what the reader looks at:
//   { lock } or { order }, an index of either, or null. graph.choose(thing) chooses, graph.state() is what is drawn and chosen,
//   graph.left { locks, orders } what is not drawn for want of room, graph.implied how many orders because they follow from others
//   (a before b, b before c): all are drawn when whole is true, or they are few and whole is left out.
//
// Keys: arrows go from a box along an edge and on to the next box, up and down to its neighbours; Home; Escape lets go.

const DRAWN = { nodes: 80, edges: 240 };
/** So many orders are few. */
const FEW = 24;
/** Where things stand in an order. */
const [HELD, TAKEN, READS, FIRST, TIMES, RING, ENDED, AT] = [0, 1, 2, 3, 4, 5, 6, 7];

function orderGraph({ locks, orders, show, whole }) {
  const given = orders.map(o => ({ from: o[HELD], to: o[TAKEN], weight: 1 + Math.log2(Math.max(1, o[TIMES])), ring: o[RING], group: o[ENDED] }));
  const chosen = enough(locks.length, given, DRAWN);
  const drawn = whole ?? chosen.length <= FEW ? chosen : essential(locks.length, chosen.map(i => given[i])).map(i => chosen[i]);
  const nodes = [...new Set(drawn.flatMap(i => [orders[i][HELD], orders[i][TAKEN]]))];
  const place = new Map(nodes.map((lock, i) => [lock, i]));
  const label = lock => clip(locks[lock].name, 24);
  const sizes = nodes.map(lock => ({ width: Math.max(104, 26 + 7.4 * Math.max(label(lock).length, locks[lock].kind.length)), height: 44 }));
  const laid = layers(sizes, drawn.map(i => ({ ...given[i], from: place.get(given[i].from), to: place.get(given[i].to) })));
  const margin = 14;
  const [width, height] = [laid.width + 2 * margin, laid.height + 2 * margin];
  const inRing = new Set(drawn.filter(i => orders[i][RING]).flatMap(i => [orders[i][HELD], orders[i][TAKEN]]));

  const edges = drawn.map((order, i) => {
    const { points, back } = laid.edges[i];
    const [ring, ended] = [orders[order][RING], orders[order][ENDED]];
    const at = points.map(([x, y]) => [x + margin, y + margin]);
    const tip = at[at.length - 1];
    const side = back ? 1 : -1;
    const head = ring ? 11 : 8;
    const d = `M${at[0]}${at.slice(1).map((p, k) => {
      const [from, to] = [at[k], k + 2 === at.length ? [p[0] + side * head * .8, p[1]] : p];
      if (from[1] === to[1]) return `L${to}`;
      const middle = (from[0] + to[0]) / 2;
      return `C${middle} ${from[1]} ${middle} ${to[1]} ${to}`;
    }).join('')}`;
    // On the first bend, nearer to the beginning: there and back do not meet.
    const [x, y] = [.658 * at[0][0] + .342 * at[1][0], .784 * at[0][1] + .216 * at[1][1]];
    const thing = { order };
    return { thing, element: svg('g', { class: `edge${ring ? ' ring' : ''}${ended ? ' ended' : ''}`, id: `order-${order}` },
      svg('path', { d, class: 'hit' }), svg('path', { d, class: 'way' }),
      svg('path', { d: `M${tip}l${side * head} ${-head / 2}v${head}Z`, class: 'head' }),
      ring || drawn.length <= FEW ? svg('text', { x, y: y - 4, 'text-anchor': 'middle', class: 'times', text: number(orders[order][TIMES]) }) : null) };
  });
  const boxes = nodes.map((lock, i) => {
    const { x, y, width, height } = laid.nodes[i];
    const ring = inRing.has(lock);
    const middle = y + margin + height / 2;
    return { thing: { lock }, element: svg('g', { class: `node${ring ? ' ring' : ''}`, id: `lock-${lock}` },
      svg('rect', { x: x + margin, y: y + margin, width, height, rx: 7 }),
      svg('text', { x: x + margin + width / 2, y: middle - 3, 'text-anchor': 'middle', class: 'mono strong', text: label(lock) }),
      svg('text', { x: x + margin + width / 2, y: middle + 13, 'text-anchor': 'middle', class: 'soft', text: ring ? `${locks[lock].kind}, in a ring` : locks[lock].kind })) };
  });

  const all = [...edges, ...boxes];
  const same = (a, b) => a && b && a.lock === b.lock && a.order === b.order;
  const find = thing => thing && all.find(one => same(one.thing, thing));
  const ends = i => [orders[i][HELD], orders[i][TAKEN]];
  const near = (a, b) => a.order === undefined ? b.order === undefined ? drawn.some(i => ends(i).includes(a.lock) && ends(i).includes(b.lock)) : ends(b.order).includes(a.lock)
    : b.order === undefined && ends(a.order).includes(b.lock);
  let [pinned, over] = [null, null];

  const picture = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, ...edges.map(e => e.element), ...boxes.map(b => b.element));
  // Smaller where there is no room, as long as it can be read.
  Object.assign(picture.style, { width: '100%', height: 'auto', minWidth: `${Math.round(.7 * width)}px`, maxWidth: `${width}px` });
  const told = el('div', { class: 'told', role: 'status' });
  const box = el('div', { class: 'order-graph', tabindex: '0', role: 'application', 'aria-label': `Order graph of ${plural(nodes.length, 'lock', 'locks')} and ${plural(drawn.length, 'order', 'orders')}; the same as a table below. Arrow keys go from lock to order to lock, Escape lets go` }, picture);

  function light() {
    const on = over || pinned;
    picture.classList.toggle('picking', Boolean(on));
    for (const { thing, element } of all) {
      element.classList.toggle('on', Boolean(on && same(thing, on)));
      element.classList.toggle('near', Boolean(on && !same(thing, on) && near(on, thing)));
    }
    told.textContent = on ? said(on) : '';
    show(on);
  }

  const title = lock => `${locks[lock].kind} ${locks[lock].name}`;
  function said(thing) {
    if (thing.order !== undefined) {
      const o = orders[thing.order];
      return `${title(o[HELD])}${o[READS][0] ? ' (read)' : ''} → ${title(o[TAKEN])}${o[READS][1] ? ' (read)' : ''}: ${plural(o[TIMES], 'time', 'times')}${o[RING] ? ', part of a ring' : ''}${o[ENDED] ? ', of a lock that is no more' : ''}`;
    }
    const [under, held] = [TAKEN, HELD].map(side => drawn.filter(i => orders[i][side] === thing.lock).length);
    return `${title(thing.lock)}: taken under ${plural(under, 'other', 'others')}, held while ${plural(held, 'other', 'others')} ${held === 1 ? 'was' : 'were'} taken`;
  }

  function choose(thing) {
    [pinned, over] = [find(thing) ? thing : null, null];
    light();
    if (!pinned) return;
    const element = find(pinned).element;
    const [own, room] = [element.getBoundingClientRect(), box.getBoundingClientRect()];
    if (own.left < room.left || own.right > room.right) box.scrollLeft += own.left - room.left - (room.width - own.width) / 2;
    if (own.top < room.top || own.bottom > room.bottom) box.scrollTop += own.top - room.top - (room.height - own.height) / 2;
  }

  /** What an arrow key leads to. */
  function step(key) {
    const on = pinned;
    if (!on || key === 'Home') return boxes.reduce((a, b) => laid.nodes[place.get(b.thing.lock)].x < laid.nodes[place.get(a.thing.lock)].x ? b : a).thing;
    const side = { ArrowRight: HELD, ArrowLeft: TAKEN }[key];
    if (on.order !== undefined) {
      if (side !== undefined) return { lock: orders[on.order][side === HELD ? TAKEN : HELD] };
      // The others of the lock that it was come to from.
      const beside = drawn.filter(i => orders[i][came.side] === orders[on.order][came.side]);
      return { order: beside[(beside.indexOf(on.order) + (key === 'ArrowDown' ? 1 : beside.length - 1)) % beside.length] };
    }
    if (side !== undefined) {
      const next = drawn.filter(i => orders[i][side] === on.lock);
      if (next.length) came.side = side;
      // Rings first: they are what one looks for.
      return next.length ? { order: next.find(i => orders[i][RING]) ?? next[0] } : on;
    }
    const own = laid.nodes[place.get(on.lock)];
    const column = boxes.map(b => b.thing).filter(t => Math.abs(laid.nodes[place.get(t.lock)].x - own.x) < 1).sort((a, b) => laid.nodes[place.get(a.lock)].y - laid.nodes[place.get(b.lock)].y);
    const at = column.findIndex(t => t.lock === on.lock) + (key === 'ArrowDown' ? 1 : -1);
    return column[Math.max(0, Math.min(at, column.length - 1))];
  }
  const came = { side: HELD };

  box.addEventListener('keydown', event => {
    if (event.key === 'Escape') { if (!pinned) return; choose(null); }
    else if (['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'Home'].includes(event.key) && boxes.length) choose(step(event.key));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const { thing, element } of all) {
    // What was clicked stays until something else is.
    element.addEventListener('pointerenter', () => { if (!pinned) { over = thing; light(); } });
    element.addEventListener('pointerleave', () => { if (!pinned) { over = null; light(); } });
    element.addEventListener('click', event => { choose(same(pinned, thing) ? null : thing); event.stopPropagation(); });
  }
  box.addEventListener('click', () => choose(null));

  return {
    element: el('div', {}, box, told), choose, said,
    focus: () => box.focus(),
    has: thing => Boolean(find(thing)),
    left: { locks: new Set(orders.flatMap((_, i) => ends(i))).size - nodes.length, orders: orders.length - chosen.length },
    implied: chosen.length - drawn.length, few: chosen.length <= FEW,
    state: () => ({ on: pinned || over, nodes: nodes.length, edges: drawn.length, width, height, rings: drawn.filter(i => orders[i][RING]).length }),
  };
}
