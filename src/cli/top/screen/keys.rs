//! The pane of keys: those of nobody any more are dim.

use super::{Choice, select};
use crate::top::keys::{self, Row};
use crate::top::watch::View;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Row as TableRow, Table};

pub fn draw(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice) {
    let [count, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    frame.render_widget(Line::from(keys::headline(&view.keys)).dim(), count);
    let row = |row: &Row| {
        let shown = TableRow::new(vec![
            Text::from(row.index.to_string()).right_aligned(),
            Text::from(row.state),
            Text::from(row.variable.clone()),
            Text::from(row.destructor.clone()),
            Text::from(row.created.clone()),
        ]);
        if row.is_taken { shown } else { shown.dim() }
    };
    let head = TableRow::new(["  KEY", "STATE", "VARIABLE", "DESTRUCTOR", "CREATED BY"]).bold();
    let widths =
        [Constraint::Length(5), Constraint::Length(7), Constraint::Fill(1), Constraint::Fill(1), Constraint::Fill(1)];
    let table = Table::new(view.keys.iter().map(row), widths).header(head).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.key, view.keys.len());
    frame.render_stateful_widget(table, list, &mut choice.key);
}
