//! The pane of locks: a lock in two lines, its numbers and who is about it.

use super::{Choice, select};
use crate::top::locks::{self, HEAD, Row};
use crate::top::watch::View;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Paragraph, Row as TableRow, Table};

/// Of the columns of [`HEAD`].
const WIDTHS: [u16; 8] = [7, 9, 7, 7, 9, 7, 7, 7];

pub fn draw(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice) {
    let rows = &view.locks.rows;
    if rows.is_empty() {
        frame.render_widget(Paragraph::new("no thread waits for a lock"), area);
        return;
    }
    let row = |row: &Row| {
        // Red: somebody waits now. Yellow: somebody did since the last look.
        let style = match &row.used {
            _ if row.waiters > 0 => Style::new().fg(Color::Red),
            Some(used) if used.rate > 0.0 => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        let name = Line::from(row.name.clone()).style(style);
        let lock = Text::from(vec![name, Line::from(format!("  {}", row.details)).dim()]);
        let cells = locks::cells(row).map(|cell| Text::from(cell).right_aligned());
        TableRow::new(cells.into_iter().chain([lock])).height(2)
    };
    let head = HEAD.map(|name| Text::from(name).right_aligned());
    let head = TableRow::new(head.into_iter().chain([Text::from("LOCK; who has it")])).bold();
    let widths = WIDTHS.map(Constraint::Length).into_iter().chain([Constraint::Min(20)]);
    let table = Table::new(rows.iter().map(row), widths).header(head).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.lock, rows.len());
    frame.render_stateful_widget(table, area, &mut choice.lock);
}
