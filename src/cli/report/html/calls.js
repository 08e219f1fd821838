// Calls and amounts of the heap in words, for every page that has a flame graph. Needs elements.js, and data.tree where chain is asked for.

/** Bytes as a person says them. */
function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1023.5 && unit < units.length - 1) { value /= 1024; unit++; }
  return `${Number.isInteger(value) || Math.abs(value) >= 100 ? number(Math.round(value)) : value.toPrecision(3)} ${units[unit]}`;
}
const amount = (value, unit) => unit ? size(value) : plural(Math.round(value), 'block', 'blocks');
const percent = share => share >= .9995 ? '100 %' : share >= .1 ? `${(share * 100).toFixed(1)} %` : share > 0 ? `${(share * 100).toPrecision(2)} %` : '0 %';

/** The standard error of so many bytes; ~ where it is a guess, nothing where the number is exact. */
function errorOf(bytes, variance) {
  const share = bytes ? Math.sqrt(variance) / bytes : 0;
  return share > .5 ? '~' : share ? `±${Math.max(1, Math.round(share * 100))} %` : '';
}

/** The calls of a node, innermost first. */
function chain(node) {
  const calls = [];
  for (let at = node; at !== null && at !== undefined; at = data.tree.up[at] ? at - data.tree.up[at] : null) calls.push(data.tree.frames[at]);
  return calls;
}

const short = new Map();
/** A function without its arguments and the arguments of its templates. */
function brief(index) {
  if (short.has(index)) return short.get(index);
  const f = frame(index);
  let name = f.fn || f.place.split('/').pop();
  if (!name.startsWith('<') && !/operator\s*[<>-]/.test(name)) {
    name = name.replace(/\(anonymous namespace\)/g, '{anonymous}');
    for (let before = ''; before !== name;) { before = name; name = name.replace(/<[^<>]*>/g, ''); }
    // What is in front of a template's name is its result.
    name = name.replace(/\(.*$| \[clone.*$/g, '').trim().replace(/^.* /, '') || f.fn;
  }
  short.set(index, name);
  return name;
}
const moduleOf = index => frames[index][3] === null ? 'no module' : modules[frames[index][3]].split('/').pop();

/** A row of buttons of which one is on. */
function choiceOf(label, all, on, act) {
  const buttons = all.map(([value, text, title]) => el('button', { type: 'button', title, 'aria-pressed': String(value === on), onclick: event => {
    for (const button of buttons) button.setAttribute('aria-pressed', String(button === event.currentTarget));
    act(value);
  } }, text));
  return el('div', { class: 'choice', role: 'group', 'aria-label': label }, ...buttons);
}
