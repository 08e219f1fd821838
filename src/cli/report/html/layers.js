// The layout of a directed graph in layers, from left to right. It knows nothing of locks, nor of the document.
//
// layers(nodes, edges): nodes [{ width, height }], edges [{ from, to, weight, ring }] between their indices, none from a node to itself
//   → { nodes: [{ x, y, width, height, layer }], edges: [{ points: [[x, y], …], back }], width, height }, in the order given
//   x and y are the left upper corner. Points lead from `from` to `to`, level at both ends; `back` runs from right to left.
//   A node grows with the edges that end at it, and is as wide as its layer.
// enough(count, edges, room): which edges to draw, of [{ from, to, weight, ring, group }]; room { nodes, edges }
//   → indices: first rings, the shortest first and each as a whole, then what touches them, then by weight.
//   An edge of a ring that was chosen stands in a ring that was chosen; `group` keeps apart what makes no ring together.
// essential(count, edges): which edges are left when those go that follow from others, and are in no ring → indices
//
// How: of a ring the lightest edges run back (Eades, Lin, Smyth); layers by the longest path; edges over several layers get a
// place in each; the order in a layer is that of the barycentres, the best of a few sweeps; places by least squares that keep
// the order (pool adjacent violators). Parts that hang together are laid out by themselves, and put on shelves.

const LAYOUT = { gap: 64, wide: 150, row: 16, thin: 12, port: 9, tall: 320, shelf: 900, sweeps: 10, near: 8, far: 200 };

function layers(nodes, edges) {
  const part = parts(nodes.length, edges);
  const placed = { nodes: new Array(nodes.length), edges: new Array(edges.length), width: 0, height: 0 };
  const drawn = part.map(own => {
    const at = new Map(own.nodes.map((node, i) => [node, i]));
    const inner = own.edges.map(i => ({ ...edges[i], from: at.get(edges[i].from), to: at.get(edges[i].to) }));
    return { own, ring: inner.some(e => e.ring), ...onePart(own.nodes.map(node => nodes[node]), inner) };
  }).sort((a, b) => b.ring - a.ring || b.own.nodes.length - a.own.nodes.length || a.own.nodes[0] - b.own.nodes[0]);
  const most = Math.max(LAYOUT.shelf, ...drawn.map(d => d.width));
  let [x, y, tall] = [0, 0, 0];
  for (const { own, ...d } of drawn) {
    if (x && x + d.width > most) [x, y, tall] = [0, y + tall + 2 * LAYOUT.row, 0];
    d.nodes.forEach((node, i) => { placed.nodes[own.nodes[i]] = { ...node, x: node.x + x, y: node.y + y }; });
    d.edges.forEach((edge, i) => { placed.edges[own.edges[i]] = { ...edge, points: edge.points.map(p => [p[0] + x, p[1] + y]) }; });
    placed.width = Math.max(placed.width, x + d.width);
    placed.height = Math.max(placed.height, y + d.height);
    tall = Math.max(tall, d.height);
    x += d.width + LAYOUT.gap;
  }
  return placed;
}

/** What hangs together. */
function parts(count, edges) {
  const up = Array.from({ length: count }, (_, i) => i);
  const root = at => { while (up[at] !== at) at = up[at] = up[up[at]]; return at; };
  for (const e of edges) up[root(e.from)] = root(e.to);
  const found = new Map();
  const of = at => { const r = root(at); if (!found.has(r)) found.set(r, { nodes: [], edges: [] }); return found.get(r); };
  for (let i = 0; i < count; i++) of(i).nodes.push(i);
  edges.forEach((e, i) => of(e.from).edges.push(i));
  return [...found.values()];
}

/** Nodes in an order in which the edges that lead back weigh little. */
function feedback(count, edges) {
  const [out, into] = [new Float64Array(count), new Float64Array(count)];
  const touching = Array.from({ length: count }, () => []);
  for (const e of edges) {
    out[e.from] += e.weight; into[e.to] += e.weight;
    touching[e.from].push(e); touching[e.to].push(e);
  }
  const left = new Set(out.keys());
  const [first, last] = [[], []];
  const degree = (node, side) => touching[node].some(e => e[side] === node && left.has(e.from) && left.has(e.to));
  const take = (node, to) => {
    left.delete(node);
    for (const e of touching[node]) { if (e.from === node) into[e.to] -= e.weight; else out[e.from] -= e.weight; }
    to.push(node);
  };
  while (left.size) {
    let ends = true;
    while (ends) {
      ends = false;
      for (const node of [...left]) {
        if (!degree(node, 'from')) { take(node, last); ends = true; }
        else if (!degree(node, 'to')) { take(node, first); ends = true; }
      }
    }
    if (left.size) take([...left].reduce((a, b) => out[b] - into[b] > out[a] - into[a] ? b : a), first);
  }
  const place = new Int32Array(count);
  first.concat(last.reverse()).forEach((node, i) => { place[node] = i; });
  return place;
}

function onePart(nodes, edges) {
  const place = feedback(nodes.length, edges);
  const ends = edges.map(e => place[e.from] < place[e.to] ? { tail: e.from, head: e.to, back: false } : { tail: e.to, head: e.from, back: true });
  const [after, before] = [nodes.map(() => []), nodes.map(() => [])];
  for (const e of ends) { after[e.tail].push(e.head); before[e.head].push(e.tail); }
  const sorted = nodes.map((_, i) => i).sort((a, b) => place[a] - place[b]);
  const layer = new Int32Array(nodes.length);
  for (const node of sorted) for (const next of after[node]) layer[next] = Math.max(layer[next], layer[node] + 1);
  // What begins by itself stands beside what it leads to.
  for (const node of sorted) if (!before[node].length && after[node].length) layer[node] = Math.min(...after[node].map(next => layer[next])) - 1;

  // Items: nodes, and a place in each layer that an edge crosses.
  const rows = Array.from({ length: Math.max(...layer) + 1 }, () => []);
  const items = nodes.map((node, i) => ({ node: i, layer: layer[i], width: node.width, height: Math.min(LAYOUT.tall, Math.max(node.height, LAYOUT.port * (Math.max(after[i].length, before[i].length) + 1))), next: [], last: [], y: 0 }));
  for (const i of sorted) rows[layer[i]].push(items[i]);
  const chains = ends.map(({ tail, head }) => {
    const chain = [items[tail]];
    for (let at = layer[tail] + 1; at < layer[head]; at++) {
      const item = { node: -1, layer: at, width: 0, height: LAYOUT.thin, next: [], last: [], y: 0 };
      rows[at].push(item);
      chain.push(item);
    }
    chain.push(items[head]);
    for (let i = 1; i < chain.length; i++) { chain[i - 1].next.push(chain[i]); chain[i].last.push(chain[i - 1]); }
    return chain;
  });
  untangle(rows);
  settle(rows);

  const widths = rows.map(row => Math.max(...row.map(item => item.width)));
  const crossing = rows.map(row => row.reduce((sum, item) => sum + item.next.length, 0));
  const xs = [0];
  for (let i = 0; i < rows.length; i++) xs.push(xs[i] + widths[i] + (i + 1 < rows.length ? Math.min(LAYOUT.wide, LAYOUT.gap + 3 * crossing[i]) : 0));
  const top = Math.min(...rows.flatMap(row => row.map(item => item.y - item.height / 2)));
  const height = Math.max(...rows.flatMap(row => row.map(item => item.y + item.height / 2))) - top;

  // Where edges leave and arrive: in the order of what they lead to, so that they do not cross at once.
  const ports = new Map();
  const spread = (item, side) => {
    const own = chains.map((chain, i) => ({ i, other: side ? chain[1] : chain[chain.length - 2], self: side ? chain[0] : chain[chain.length - 1] })).filter(p => p.self === item);
    own.sort((a, b) => a.other.y - b.other.y || a.i - b.i);
    const step = Math.min(LAYOUT.port * 1.6, (item.height - 10) / Math.max(1, own.length));
    own.forEach((p, k) => ports.set(p.i * 2 + side, item.y - top + (k - (own.length - 1) / 2) * step));
  };
  for (const item of items) { spread(item, 0); spread(item, 1); }
  const routed = chains.map((chain, i) => {
    const points = [[xs[chain[0].layer] + widths[chain[0].layer], ports.get(i * 2 + 1)]];
    for (const item of chain.slice(1, -1)) points.push([xs[item.layer], item.y - top], [xs[item.layer] + widths[item.layer], item.y - top]);
    points.push([xs[chain[chain.length - 1].layer], ports.get(i * 2)]);
    return { points: ends[i].back ? points.reverse() : points, back: ends[i].back };
  });
  return { nodes: items.map(item => ({ x: xs[item.layer], y: item.y - top - item.height / 2, width: widths[item.layer], height: item.height, layer: item.layer })), edges: routed, width: xs[rows.length], height };
}

function crossings(rows) {
  let count = 0;
  for (const row of rows) {
    const lines = row.flatMap(item => item.next.map(next => [item.at, next.at]));
    for (let i = 0; i < lines.length; i++) for (let j = i + 1; j < lines.length; j++) if ((lines[i][0] - lines[j][0]) * (lines[i][1] - lines[j][1]) < 0) count++;
  }
  return count;
}

/** Orders the layers, in place. */
function untangle(rows) {
  const number = row => row.forEach((item, i) => { item.at = i; });
  rows.forEach(number);
  let best = rows.map(row => row.slice());
  let least = crossings(rows);
  for (let sweep = 0; sweep < LAYOUT.sweeps && least; sweep++) {
    const side = sweep % 2 ? 'next' : 'last';
    for (const row of sweep % 2 ? rows.slice().reverse() : rows) {
      for (const item of row) item.centre = item[side].length ? item[side].reduce((sum, other) => sum + other.at, 0) / item[side].length : item.at;
      row.sort((a, b) => a.centre - b.centre || a.at - b.at);
      number(row);
    }
    const now = crossings(rows);
    if (now < least) { least = now; best = rows.map(row => row.slice()); }
  }
  best.forEach((row, i) => { rows[i] = row; number(row); });
}

/** Gives each item its height on the page, near to what it is joined to. */
function settle(rows) {
  for (const row of rows) {
    let y = 0;
    for (const item of row) {
      item.off = y + item.height / 2;
      item.y = item.off;
      y += item.height + LAYOUT.row;
    }
    const middle = y / 2;
    for (const item of row) item.y -= middle;
  }
  for (let pass = 0; pass < 8; pass++) {
    for (const row of pass % 2 ? rows.slice().reverse() : rows) {
      const blocks = [];
      for (const item of row) {
        const near = item.last.concat(item.next);
        const wanted = near.length ? near.reduce((sum, other) => sum + other.y, 0) / near.length : item.y;
        // Long edges are to be straight.
        const weight = item.node < 0 ? 4 : 1;
        blocks.push({ sum: (wanted - item.off) * weight, weight, items: [item] });
        while (blocks.length > 1) {
          const [a, b] = blocks.slice(-2);
          if (a.sum / a.weight <= b.sum / b.weight) break;
          blocks.splice(-2, 2, { sum: a.sum + b.sum, weight: a.weight + b.weight, items: a.items.concat(b.items) });
        }
      }
      for (const block of blocks) for (const item of block.items) item.y = block.sum / block.weight + item.off;
    }
  }
}

function enough(count, edges, room) {
  const [chosen, nodes] = [new Set(), new Set()];
  const add = all => {
    const own = all.filter(i => !chosen.has(i));
    const more = new Set(own.flatMap(i => [edges[i].from, edges[i].to]).filter(node => !nodes.has(node)));
    if (chosen.size + own.length > room.edges || nodes.size + more.size > room.nodes) return;
    for (const i of own) chosen.add(i);
    for (const node of more) nodes.add(node);
  };
  const plain = edges.map((_, i) => i).filter(i => edges[i].from !== edges[i].to);
  const heavy = (a, b) => edges[b].weight - edges[a].weight || a - b;
  const ways = new Map();
  for (const i of plain.filter(i => edges[i].ring)) {
    const { group, from } = edges[i];
    if (!ways.has(group)) ways.set(group, Array.from({ length: count }, () => []));
    ways.get(group)[from].push(i);
  }
  const shortest = rings(count, edges);
  const search = (all, most) => all.map(i => [i, shortest(i, ways.get(edges[i].group), most)]).filter(([, ring]) => ring)
    .sort((a, b) => a[1].length - b[1].length || heavy(a[0], b[0])).forEach(([, ring]) => add(ring));
  const inRings = plain.filter(i => edges[i].ring).sort(heavy);
  search(inRings, LAYOUT.near);
  // What is in long rings only, as far as there is room: to look for all of them takes too long.
  search(inRings.filter(i => !chosen.has(i)).slice(0, LAYOUT.far), room.nodes);
  const rest = plain.filter(i => !edges[i].ring).sort(heavy);
  const inRing = new Set(nodes);
  for (const i of rest) if (inRing.has(edges[i].from) || inRing.has(edges[i].to)) add([i]);
  for (const i of rest) add([i]);
  return [...chosen].sort((a, b) => a - b);
}

/** Finds the shortest ring through an edge, of so many edges at most; null when there is none. */
function rings(count, edges) {
  const [came, far, seen] = [new Int32Array(count), new Int32Array(count), new Int32Array(count).fill(-1)];
  return (edge, ways, most) => {
    const { from, to } = edges[edge];
    const queue = [to];
    [came[to], far[to], seen[to]] = [edge, 1, edge];
    for (let at = 0; at < queue.length && seen[from] !== edge && far[queue[at]] < most; at++) {
      for (const i of ways[queue[at]]) {
        const next = edges[i].to;
        if (seen[next] === edge) continue;
        [came[next], far[next], seen[next]] = [i, far[queue[at]] + 1, edge];
        queue.push(next);
      }
    }
    if (seen[from] !== edge) return null;
    const ring = [];
    for (let node = from; ring[ring.length - 1] !== edge; node = edges[came[node]].from) ring.push(came[node]);
    return ring;
  };
}

function essential(count, edges) {
  const ways = Array.from({ length: count }, () => new Set());
  edges.forEach((e, i) => ways[e.from].add(i));
  const follows = edge => {
    const { from, to, group } = edges[edge];
    const reached = new Set([from]);
    for (const node of reached) {
      for (const i of ways[node]) {
        if (i === edge || edges[i].group !== group) continue;
        if (edges[i].to === to) return true;
        reached.add(edges[i].to);
      }
    }
    return false;
  };
  // The lightest go first; what is left still leads wherever all of them did.
  const order = edges.map((_, i) => i).filter(i => !edges[i].ring).sort((a, b) => edges[a].weight - edges[b].weight || b - a);
  for (const i of order) if (follows(i)) ways[edges[i].from].delete(i);
  return ways.flatMap(own => [...own]).sort((a, b) => a - b);
}
