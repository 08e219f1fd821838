//! The pane of locks: a lock in two lines, its numbers and who has it; of the selected one all below.

use super::{Choice, select};
use crate::top::locks::{self, HEAD, Row};
use crate::top::watch::View;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Paragraph, Row as TableRow, Table};

/// Of the columns of [`HEAD`].
const WIDTHS: [u16; 8] = [7, 9, 7, 6, 9, 6, 6, 7];

pub fn draw(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice) {
    let rows = &view.locks.rows;
    if rows.is_empty() {
        frame.render_widget(Paragraph::new("no thread waits for a lock"), area);
        return;
    }
    let [list, detail] = Layout::vertical([Constraint::Min(3), Constraint::Length(5)]).areas(area);
    let row = |row: &Row| {
        // Red: somebody waits now. Yellow: somebody did since the last look.
        let style = match &row.used {
            _ if row.waiters > 0 => Style::new().fg(Color::Red),
            Some(used) if used.rate > 0.0 => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        let name = Line::from(row.name.clone()).style(style);
        let first = row.details.first().map_or("", String::as_str);
        let lock = Text::from(vec![name, Line::from(format!("  {first}")).dim()]);
        let cells = locks::cells(row).map(|cell| Text::from(cell).right_aligned());
        TableRow::new(cells.into_iter().chain([lock])).height(2)
    };
    let head = HEAD.map(|name| Text::from(name).right_aligned());
    let head = TableRow::new(head.into_iter().chain([Text::from("LOCK; who has it")])).bold();
    let widths = WIDTHS.map(Constraint::Length).into_iter().chain([Constraint::Min(15)]);
    let table = Table::new(rows.iter().map(row), widths).header(head).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.lock, rows.len());
    frame.render_stateful_widget(table, list, &mut choice.lock);
    let selected = choice.lock.selected().and_then(|at| rows.get(at));
    let lines: Vec<Line> = selected.iter().flat_map(|row| &row.details).map(|part| Line::from(part.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::default().borders(Borders::TOP)), detail);
}
