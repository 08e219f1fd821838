// A table for any view: sorted by a click on a column, only as long as was asked for, each row opening to what is behind it.
//
//   const table = sortable({ label, class, columns, rows, more, has, step });
//   columns [{ title, value(row), cell(row), text }]   value null or '': unknown, always last; cell: text or an element, of the value
//                                                      itself if it is left out; text: ordered as text, and from A to Z first
//   more(row) → elements, made when they are first wanted; has(row): is anything behind it, always if it is left out
//   view.append(table.element); table.draw(rows)       shows other rows, in the order that was chosen
//   table.listed is how many rows there are to show

function sortable({ label, class: class_, columns, rows, more, has = () => true, step = 50 }) {
  const body = el('tbody');
  const rest = el('button', { type: 'button', onclick: () => { shown += 4 * step; draw(); } });
  let [all, shown, order] = [rows, step, null];
  const heads = columns.map((column, i) => el('th', { class: column.text ? '' : 'num', scope: 'col' }, el('button', { type: 'button', class: 'bare', onclick: () => {
    const same = order && order.column === i;
    order = { column: i, up: same ? !order.up : Boolean(column.text) };
    draw();
  } }, column.title)));
  const known = value => value !== null && value !== undefined && value !== '';

  function compare(a, b) {
    const { value } = columns[order.column];
    const [x, y] = [value(a), value(b)];
    if (!known(x) || !known(y)) return known(y) - known(x);
    const by = typeof x === 'string' ? x < y ? -1 : x > y ? 1 : 0 : x - y;
    return order.up ? by : -by;
  }

  function rowOf(row) {
    const cells = columns.map(column => {
      const content = column.cell ? column.cell(row) : column.value(row);
      return el('td', { class: column.text ? '' : 'num' }, known(content) ? content : '');
    });
    if (!has(row)) return [el('tr', {}, ...cells)];
    const behind = el('tr', { class: 'behind', hidden: true }, el('td', { colspan: columns.length }));
    const button = el('button', { type: 'button', class: 'bare unfold', 'aria-expanded': 'false', onclick: () => {
      behind.hidden = !behind.hidden;
      button.setAttribute('aria-expanded', String(!behind.hidden));
      if (!behind.firstChild.firstChild) behind.firstChild.append(...more(row));
    } }, ...cells[0].childNodes);
    cells[0].replaceChildren(button);
    return [el('tr', {}, ...cells), behind];
  }

  function draw() {
    heads.forEach((head, i) => { if (order && i === order.column) head.setAttribute('aria-sort', order.up ? 'ascending' : 'descending'); else head.removeAttribute('aria-sort'); });
    const sorted = order ? all.slice().sort(compare) : all;
    body.replaceChildren(...sorted.slice(0, shown).flatMap(rowOf));
    rest.hidden = sorted.length <= shown;
    rest.textContent = `${number(sorted.length - shown)} more`;
    table.listed = sorted.length;
  }

  const table = {
    listed: 0,
    draw: rows => { all = rows; draw(); },
    element: el('div', {}, el('div', { class: 'wide' }, el('table', { class: class_, 'aria-label': label }, el('thead', {}, el('tr', {}, ...heads)), body)), rest),
  };
  draw();
  return table;
}
