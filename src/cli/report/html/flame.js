// A flame graph: a tree of calls, each box as wide as its share; only what is at least a pixel wide is drawn, on a canvas.
//
// Needs el, showTip and hideTip (elements.js) and flame.css, and nothing of the page's data, so that any page can have one:
//
//   const graph = flameGraph({
//     up, frames,        for each node: how far before it its parent is (0: none), and its frame; parents come first
//     name(frame),       the text in a box
//     group(frame),      what gives a box its hue, such as the module; the first groups asked for get the first hues
//     key(frame),        siblings of the same key are one box
//     text(frame),       what else than the name a search looks at; may be left out
//     tip(box),          elements for the tip of a box; say(box), the same as one line of text
//     label,             what the picture is, for those who cannot see it
//   });
//   document.body.append(graph.element);
//   graph.show({ values, before, more });
//
// `values` are the nodes' own values, without those of their children. With `before`, the same of another time, the picture is of a
// difference: a box is as wide as the larger of the two, red where it grew and blue where it shrank. `more` are further arrays to
// be summed in the same way. A box is { id, frame, frames, value, before, own, more, share, parent, rest }: its first frame and all that
// are one in it, with its children's values in them; rest is how many boxes too small to be drawn it stands for.
//
// Also: graph.key(f) changes the key, graph.up(bool) puts the roots at the bottom, graph.search(text) dims what does not match and
// returns { share, boxes }, graph.zoom(id) and graph.home(), graph.rows(most) is the picture as a table would have it, graph.hue(group)
// is the number of its hue (class f0 to f7), graph.state() is where it is, graph.onzoom is called with the box. Keys: arrows, Enter, Escape, Home.

const FLAME_ROW = 20;
const HUES = 8;

function flameGraph(given) {
  const canvas = el('canvas', { 'aria-hidden': 'true' });
  const told = el('div', { class: 'told', role: 'status' });
  const box = el('div', { class: 'flame', tabindex: '0', role: 'application', 'aria-label': `${given.label}; arrow keys go from call to call, Enter zooms, Escape goes back` }, canvas);
  const element = el('div', {}, box, told);
  const graph = { element, onzoom: null };
  let [tree, sums, focus, on, upward, hits, drawn, width, deepest] = [null, null, 0, 0, false, null, [], 0, 0];
  let key = given.key || (frame => frame);

  /** Nodes whose way from the root has the same keys are one: id 0 is all of them. */
  function gather() {
    const { up, frames } = given;
    const count = frames.length;
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(count * 2 + 2)));
    const [ids, parent, keys, first, depth] = [0, 0, 0, 0, 0].map(() => new Int32Array(count + 1));
    const numbers = new Map();
    const ofFrame = new Map();
    let last = 0;
    first[0] = -1;
    for (let node = 0; node < count; node++) {
      const frame = frames[node];
      let own = ofFrame.get(frame);
      if (own === undefined) {
        const text = key(frame);
        own = numbers.get(text);
        if (own === undefined) numbers.set(text, own = numbers.size + 1);
        ofFrame.set(frame, own);
      }
      const above = up[node] ? ids[node - up[node]] : 0;
      let slot = (Math.imul(above, 0x9e3779b1) ^ Math.imul(own, 0x85ebca6b)) >>> 0;
      for (slot = (slot ^ slot >>> 15) & slots.length - 1; slots[slot]; slot = slot + 1 & slots.length - 1) {
        const known = slots[slot];
        if (parent[known] === above && keys[known] === own) break;
      }
      if (!slots[slot]) {
        slots[slot] = ++last;
        [parent[last], keys[last], first[last], depth[last]] = [above, own, frame, depth[above] + 1];
      }
      ids[node] = slots[slot];
    }
    // Children stand together: those of id are kids[from[id]] to kids[from[id + 1]].
    const from = new Int32Array(last + 3);
    for (let id = 1; id <= last; id++) from[parent[id] + 2]++;
    for (let id = 1; id < from.length; id++) from[id] += from[id - 1];
    const kids = new Int32Array(last);
    for (let id = 1; id <= last; id++) kids[from[parent[id] + 1]++] = id;
    return { ids, parent, keys, first, depth, from, kids, last };
  }

  const add = (own, values) => {
    for (let node = 0; node < values.length; node++) own[tree.ids[node]] += values[node];
    return own;
  };
  const upwards = own => {
    for (let id = tree.last; id > 0; id--) own[tree.parent[id]] += own[id];
    return own;
  };

  graph.show = what => {
    graph.shown = what;
    if (!tree) tree = gather();
    const own = values => add(new Float64Array(tree.last + 1), values);
    const after = own(what.values);
    const before = what.before && own(what.before);
    const wide = before ? after.map((value, id) => Math.max(value, before[id])) : after.slice();
    sums = { own: after, value: upwards(after.slice()), before: before && upwards(before), wide: upwards(wide), more: (what.more || []).map(values => upwards(own(values))), sorted: new Uint8Array(tree.last + 1) };
    if (!sums.wide[focus]) focus = 0;
    on = focus;
    graph.search(graph.wanted || '');
    changed();
  };

  graph.key = next => { key = next; tree = null; focus = on = 0; if (graph.shown) graph.show(graph.shown); };
  graph.up = next => { upward = next; paint(); };
  graph.home = () => graph.zoom(0);
  graph.zoom = id => { focus = on = id; changed(); };

  function changed() {
    paint();
    say(on);
    if (graph.onzoom) graph.onzoom(about(focus));
  }

  function children(id) {
    const { from, kids } = tree;
    const own = kids.subarray(from[id], from[id + 1]);
    if (!sums.sorted[id]) {
      sums.sorted[id] = 1;
      own.sort((a, b) => sums.wide[b] - sums.wide[a] || a - b);
    }
    return own;
  }

  function about(id, rest) {
    const { value, before, own, wide, more } = sums;
    return { id, frame: id ? tree.first[id] : null, get frames() { return id && !rest ? sites(id) : []; }, value: value[id], before: before ? before[id] : null, own: own[id], more: more.map(m => m[id]), share: wide[0] ? wide[id] / wide[0] : 0, parent: id ? tree.parent[id] : null, rest: rest || null };
  }

  /** The frames that are one in a box. */
  function sites(id) {
    const all = new Set();
    for (let node = 0; node < tree.ids.length - 1 && all.size < 40; node++) if (tree.ids[node] === id) all.add(given.frames[node]);
    return [...all];
  }

  graph.search = text => {
    graph.wanted = text;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    hits = null;
    if (!words.length) { paint(); return null; }
    const known = new Map();
    hits = new Uint8Array(tree.last + 1);
    let [share, boxes] = [0, 0];
    for (let id = 1; id <= tree.last; id++) {
      const frame = tree.first[id];
      let hit = known.get(frame);
      if (hit === undefined) {
        const name = `${given.name(frame)} ${given.text ? given.text(frame) : ''}`.toLowerCase();
        known.set(frame, hit = words.every(word => name.includes(word)));
      }
      // 2: inside of a match, whose value counts already.
      const inside = hits[tree.parent[id]] > 0;
      hits[id] = hit ? inside ? 3 : 1 : inside ? 2 : 0;
      if (!hit || !sums.wide[id]) continue;
      boxes++;
      if (!inside) share += sums.wide[id];
    }
    paint();
    return { share: sums.wide[0] ? share / sums.wide[0] : 0, boxes };
  };

  /** What is wide enough to be seen, below the focus; its callers above it. Rows of [id, x, width, rest]. */
  function layout() {
    const rows = [];
    const put = (row, ...what) => { (rows[row] = rows[row] || []).push(what); };
    for (let id = focus; id; id = tree.parent[id]) put(tree.depth[tree.parent[id]], tree.parent[id], 0, width, 0);
    const scale = width / (sums.wide[focus] || 1);
    const pending = [[focus, 0]];
    while (pending.length) {
      const [id, x] = pending.pop();
      const row = tree.depth[id];
      put(row, id, x, sums.wide[id] * scale, 0);
      const own = children(id);
      let at = x;
      for (let i = 0; i < own.length; i++) {
        const wide = sums.wide[own[i]] * scale;
        if (wide >= 1) { pending.push([own[i], at]); at += wide; continue; }
        let rest = 0;
        let count = 0;
        for (let j = i; j < own.length && sums.wide[own[j]]; j++) { rest += sums.wide[own[j]]; count++; }
        if (rest * scale >= 1) put(row + 1, id, at, rest * scale, count);
        break;
      }
    }
    for (const row of rows) row.sort((a, b) => a[1] - b[1]);
    return rows;
  }

  const style = name => getComputedStyle(box).getPropertyValue(name).trim();

  function colours() {
    const mix = (a, b, share) => {
      const [x, y] = [a, b].map(hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)));
      return `rgb(${x.map((part, i) => Math.round(part + (y[i] - part) * share)).join(',')})`;
    };
    const panel = style('--panel');
    const hues = Array.from({ length: HUES }, (_, i) => style(`--flame-${i}`));
    // Neighbours of one hue differ a little, always in the same way.
    const shades = hues.map(hue => [0, .13, .26].map(share => mix(hue, panel, share)));
    const [same, grew, shrank] = ['--flame-same', '--flame-grew', '--flame-shrank'].map(style);
    const other = shades[HUES - 1];
    return (id, rest) => {
      if (rest) return mix(style('--flame-same'), panel, .3);
      if (sums.before) {
        const by = (sums.value[id] - sums.before[id]) / (sums.wide[id] || 1);
        return mix(same, by > 0 ? grew : shrank, Math.min(1, Math.abs(by) * .9 + (by ? .1 : 0)));
      }
      if (!id) return same;
      return (shades[graph.hue(given.group(tree.first[id]))] || other)[tree.keys[id] % 3];
    };
  }

  const hues = new Map();
  /** The hue of a group; those that come late share the last one. */
  graph.hue = group => {
    if (!hues.has(group)) hues.set(group, Math.min(hues.size, HUES - 1));
    return hues.get(group);
  };

  function paint() {
    if (!sums || !box.clientWidth) return;
    width = box.clientWidth;
    drawn = layout();
    deepest = drawn.length - 1;
    const [height, dense] = [drawn.length * FLAME_ROW, Math.min(devicePixelRatio || 1, 2)];
    [canvas.width, canvas.height] = [width * dense, height * dense];
    [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
    const pen = canvas.getContext('2d');
    pen.scale(dense, dense);
    pen.font = `12px ${style('--sans')}`;
    pen.textBaseline = 'middle';
    const [colour, ink, letter] = [colours(), style('--ink'), pen.measureText('abcdefghij_:mnopqrst').width / 20];
    drawn.forEach((row, depth) => {
      const y = top(depth);
      for (const [id, x, wide, rest] of row) {
        const dim = hits && id && (rest || !(hits[id] & 1)) || tree.depth[id] < tree.depth[focus] && !rest;
        pen.globalAlpha = dim ? .35 : 1;
        pen.fillStyle = colour(id, rest);
        pen.fillRect(x, y, Math.max(1, wide - (wide > 4 ? 1 : .3)), FLAME_ROW - 1);
        const room = Math.floor((wide - 9) / letter);
        if (room < 3) continue;
        let text = rest ? `${rest} smaller` : id ? given.name(tree.first[id]) : 'all';
        if (text.length > room || pen.measureText(text).width > wide - 8) text = cut(text, room - 1, pen, wide - 8);
        pen.fillStyle = ink;
        pen.fillText(text, x + 4, y + FLAME_ROW / 2);
      }
    });
    pen.globalAlpha = 1;
    outline(pen, ink);
  }

  function cut(text, most, pen, room) {
    for (let length = Math.min(most, text.length); length > 1; length--) {
      const short = `${text.slice(0, length)}…`;
      if (pen.measureText(short).width <= room) return short;
    }
    return '';
  }

  const top = depth => (upward ? deepest - depth : depth) * FLAME_ROW;

  function outline(pen, ink) {
    const found = (drawn[tree.depth[on]] || []).find(([id, , , rest]) => id === on && !rest);
    if (!found || !box.matches(':focus-visible') && on === focus) return;
    [pen.strokeStyle, pen.lineWidth] = [ink, 2];
    pen.strokeRect(found[1] + 1, top(tree.depth[on]) + 1, Math.max(2, found[2] - 3), FLAME_ROW - 3);
  }

  function at(event) {
    const place = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const row = Math.floor(y / FLAME_ROW);
    return (drawn[upward ? deepest - row : row] || []).find(([, from, wide]) => x >= from && x < from + wide);
  }

  function say(id) { told.textContent = given.say(about(id)); }

  function choose(id) {
    on = id;
    say(id);
    paint();
    const [high, place] = [top(tree.depth[id]), box.getBoundingClientRect()];
    const scroller = box.closest('.view');
    if (!scroller) return;
    const seen = scroller.getBoundingClientRect();
    if (place.top + high < seen.top) scroller.scrollTop += place.top + high - seen.top;
    else if (place.top + high + FLAME_ROW > seen.bottom) scroller.scrollTop += place.top + high + FLAME_ROW - seen.bottom;
  }

  box.addEventListener('pointermove', event => {
    const found = at(event);
    box.classList.toggle('hit', Boolean(found));
    if (!found) { hideTip(); return; }
    showTip(given.tip(about(found[0], found[3])), event.clientX, event.clientY);
  });
  box.addEventListener('pointerleave', hideTip);
  box.addEventListener('click', event => {
    const found = at(event);
    if (found) { hideTip(); graph.zoom(found[0]); }
  });
  box.addEventListener('focusin', () => paint());
  box.addEventListener('focusout', () => { hideTip(); paint(); });
  box.addEventListener('keydown', event => {
    if (!sums || event.ctrlKey || event.metaKey || event.altKey) return;
    const [inward, outward] = upward ? ['ArrowUp', 'ArrowDown'] : ['ArrowDown', 'ArrowUp'];
    const row = (drawn[tree.depth[on]] || []).filter(([, , , rest]) => !rest);
    const place = row.findIndex(([id]) => id === on);
    if (event.key === inward) { const child = children(on)[0]; if (child && sums.wide[child]) choose(child); }
    else if (event.key === outward) { if (on) choose(tree.parent[on]); }
    else if (event.key === 'ArrowRight') { if (row[place + 1]) choose(row[place + 1][0]); }
    else if (event.key === 'ArrowLeft') { if (place > 0) choose(row[place - 1][0]); }
    else if (event.key === 'Enter' || event.key === ' ') graph.zoom(on);
    else if (event.key === 'Home') graph.home();
    else if (event.key === 'Escape' && focus) graph.zoom(tree.parent[focus]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** The boxes below the focus, the widest first. */
  graph.rows = most => {
    const found = [];
    const pending = [focus];
    // The widest `most` boxes have parents among them: a box is never wider than what it is in.
    while (pending.length && found.length < most) {
      let best = 0;
      for (let i = 1; i < pending.length; i++) if (sums.wide[pending[i]] > sums.wide[pending[best]]) best = i;
      const [id] = pending.splice(best, 1);
      if (id) found.push(about(id));
      for (const child of children(id).subarray(0, most)) if (sums.wide[child]) pending.push(child);
    }
    return found;
  };

  graph.state = () => ({ focus: about(focus), on: about(on), boxes: drawn.reduce((sum, row) => sum + row.length, 0), rows: drawn.length });
  new ResizeObserver(() => { if (box.clientWidth !== width) paint(); }).observe(box);
  new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  return graph;
}
