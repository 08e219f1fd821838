//! The screen of `shim top`: a header with the gauge and the curve, and one of the panes below it.
//!
//! All text of the watched program has passed `crate::escape` before it comes here. Nothing here reads or judges.

mod keys;
mod locks;

use super::watch::{Row, Sort, View};
use super::{heap, plain};
use crate::size;
use crate::when::duration;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Gauge, Paragraph, Row as TableRow, Sparkline, Table, TableState, Tabs, Wrap};
use record::kind::Severity;

/// What is shown below the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Sites,
    Heap,
    Locks,
    Keys,
    Findings,
    Descriptors,
    Deadlocks,
}

impl Tab {
    /// Those of which there is something. Locks always: somebody may have to wait at any moment.
    pub fn of(view: &View) -> Vec<Self> {
        let mut tabs = vec![Self::Sites, Self::Heap, Self::Locks, Self::Keys];
        tabs.extend([Self::Findings, Self::Descriptors, Self::Deadlocks]);
        tabs.retain(|tab| match tab {
            Self::Heap => view.heap.is_some(),
            Self::Keys => !view.keys.is_empty(),
            Self::Deadlocks => !view.deadlocks.is_empty(),
            _ => true,
        });
        tabs
    }

    pub fn next(self, tabs: &[Self]) -> Self {
        let at = tabs.iter().position(|tab| *tab == self);
        at.and_then(|at| tabs.get(at + 1)).copied().unwrap_or_default()
    }

    fn name(self, view: &View) -> String {
        match self {
            Self::Sites => "sites".to_owned(),
            Self::Heap => "heap".to_owned(),
            Self::Locks if view.locks.waiters > 0 => format!("locks ({} wait)", view.locks.waiters),
            Self::Locks => "locks".to_owned(),
            Self::Keys => "keys".to_owned(),
            Self::Findings => format!("findings ({})", view.findings.len()),
            Self::Descriptors => "descriptors".to_owned(),
            Self::Deadlocks => "DEADLOCK".to_owned(),
        }
    }
}

/// What the user has chosen.
#[derive(Default)]
pub struct Choice {
    pub tab: Tab,
    pub sort: Sort,
    pub heap_sort: heap::Sort,
    pub lock_sort: super::locks::Sort,
    /// Those that there are.
    pub tabs: Vec<Tab>,
    pub paused: bool,
    pub help: bool,
    pub site: TableState,
    pub heap: TableState,
    pub lock: TableState,
    pub key: TableState,
    pub finding: TableState,
    pub descriptor: TableState,
    /// Why the last look failed.
    pub trouble: Option<String>,
}

const HELP: &str = "\
 q          leave
 ↑ ↓ j k    move
 tab        sites, heap, locks, keys, findings, descriptors
            of the site, deadlocks
 s          sort by open, growth, opened, oldest, verdict;
            the heap by live, growth, total;
            locks by contention, wait, hold
 p          pause, go on
 ?          this help

 OPEN       open now, by the place that opened them
 LIVE       allocated and not freed; ±: the error of an estimate
 +/MIN      how many, or how much, more than a minute ago
 SHARE /S   not to be had at once, since the last look
 red        forgotten: proved; yellow: evidence
            a lock: somebody waits; somebody did";

/// `stacks`: the lines of the selected finding.
pub fn draw(frame: &mut Frame, view: &View, choice: &mut Choice, stacks: &[String]) {
    let [top, curve, tabs, body, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    header(frame, top, view, choice.tab);
    let held = view.heap.as_ref().filter(|_| choice.tab == Tab::Heap);
    let (data, paint) = held.map_or((&view.curve, Color::Cyan), |heap| (&heap.curve, Color::Magenta));
    frame.render_widget(Sparkline::default().data(last(data, curve.width)).style(paint), curve);
    let selected = choice.tabs.iter().position(|tab| *tab == choice.tab);
    let names = choice.tabs.iter().map(|tab| tab.name(view));
    frame.render_widget(Tabs::new(names).select(selected).highlight_style(Modifier::REVERSED), tabs);
    match choice.tab {
        Tab::Sites => sites(frame, body, view, choice),
        Tab::Heap => heap_tab(frame, body, view, choice),
        Tab::Locks => locks::draw(frame, body, view, choice),
        Tab::Keys => keys::draw(frame, body, view, choice),
        Tab::Findings => findings_tab(frame, body, view, choice, stacks),
        Tab::Descriptors => descriptors(frame, body, view, choice),
        Tab::Deadlocks => {
            let lines: Vec<Line> = view.deadlocks.iter().map(|line| Line::from(line.as_str())).collect();
            frame.render_widget(Paragraph::new(lines), body);
        }
    }
    footer(frame, foot, view, choice);
    if choice.help {
        help(frame);
    }
}

fn header(frame: &mut Frame, area: Rect, view: &View, tab: Tab) {
    let [who, gauge, rates, states] = Layout::vertical([Constraint::Length(1); 4]).areas(area);
    let ended = !matches!(view.state, "running" | "starting");
    let state = if ended { format!("{}, after", view.state).red() } else { "up".green() };
    let title = Line::from(vec![
        format!("{} ", view.program).bold(),
        format!("pid {}  ", view.pid).into(),
        state,
        format!(" {}", duration(view.uptime)).into(),
    ]);
    frame.render_widget(title, who);
    if let (Tab::Heap, Some(held)) = (tab, &view.heap) {
        let (live, peak) = (held.held.1.unwrap_or(0), held.totals.peak_bytes.max(1));
        let ratio = (live as f64 / peak as f64).clamp(0.0, 1.0);
        let gauge_ = Gauge::default().ratio(ratio).label(heap::headline(held)).gauge_style(Color::Blue);
        frame.render_widget(gauge_, gauge);
        frame.render_widget(Line::from(heap::rates(held)), rates);
        frame.render_widget(Line::from(heap::standing(held)), states);
        return;
    }
    if tab == Tab::Locks {
        let locks = &view.locks;
        let ratio = if locks.taken > 0.0 { (locks.contended / locks.taken).clamp(0.0, 1.0) } else { 0.0 };
        let label = super::locks::headline(locks);
        frame.render_widget(Gauge::default().ratio(ratio).label(label).gauge_style(Color::Red), gauge);
        frame.render_widget(Line::from(super::locks::rates(locks)), rates);
        return;
    }
    let limit = view.look.limit;
    let known = limit != 0 && limit != u64::MAX;
    let ratio = if known { (view.look.open as f64 / limit as f64).clamp(0.0, 1.0) } else { 0.0 };
    let colour = if ratio >= 0.95 {
        Color::Red
    } else if ratio >= 0.8 {
        Color::Yellow
    } else {
        Color::Green
    };
    let label = if known { format!("{} of {limit} open", view.look.open) } else { format!("{} open", view.look.open) };
    frame.render_widget(Gauge::default().ratio(ratio).label(label).gauge_style(colour), gauge);
    frame.render_widget(Line::from(plain::rates(view)), rates);
    frame.render_widget(Line::from(plain::states(view).unwrap_or_default()), states);
}

/// As much of the curve as has room, the newest at the right.
fn last(curve: &[u64], width: u16) -> &[u64] {
    &curve[curve.len().saturating_sub(usize::from(width))..]
}

fn colour(severity: Option<Severity>) -> Style {
    match severity {
        Some(Severity::Error) => Style::new().fg(Color::Red),
        Some(Severity::Suspect) => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

fn sites(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice) {
    // Two lines a site, so that 80 columns are enough.
    let row = |row: &Row| {
        let oldest = if row.open == 0 { "-".to_owned() } else { duration(row.oldest) };
        let details = [row.last.as_str(), row.tcp.as_str()];
        let details: Vec<&str> = details.into_iter().filter(|t| !t.is_empty()).collect();
        let call = Text::from(vec![
            Line::from(Span::styled(row.call.clone(), colour(row.severity))),
            Line::from(format!("  {}", details.join("; "))).dim(),
        ]);
        let cell = |text: String| Text::from(text).right_aligned();
        TableRow::new(vec![
            cell(row.open.to_string()),
            cell(format!("{:+.0}", row.growth)),
            cell(row.opened.to_string()),
            cell(row.closed.to_string()),
            cell(oldest),
            call,
        ])
        .height(2)
    };
    let widths = [
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Min(20),
    ];
    let head = ["OPEN", "+/MIN", "OPENED", "CLOSED", "OLDEST"].map(|t| Text::from(t).right_aligned());
    let head = TableRow::new(head.into_iter().chain([Text::from("OPENED AT; last operation; TCP")])).bold();
    let table = Table::new(view.rows.iter().map(row), widths).header(head).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.site, view.rows.len());
    frame.render_stateful_widget(table, area, &mut choice.site);
}

fn heap_tab(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice) {
    let rows = view.heap.as_ref().map_or(&[][..], |heap| &heap.rows);
    if rows.is_empty() {
        frame.render_widget(Paragraph::new("no call stacks have allocated, as far as is known"), area);
        return;
    }
    let row = |row: &heap::Row| {
        let call = Text::from(vec![Line::from(row.call.clone()), Line::from(format!("  {}", row.callers)).dim()]);
        let cell = |text: String| Text::from(text).right_aligned();
        let grows = if row.growth.is_some_and(|by| by > 0) { Style::new().fg(Color::Yellow) } else { Style::new() };
        TableRow::new(vec![
            cell(size::bytes(row.live.bytes)),
            cell(row.error.clone()),
            cell(heap::change(row.growth)).style(grows),
            cell(size::count(row.live.blocks)),
            cell(size::bytes(row.total.bytes)),
            call,
        ])
        .height(2)
    };
    let widths = [
        Constraint::Length(8),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Min(20),
    ];
    let head = ["LIVE", "±", "+/MIN", "BLOCKS", "TOTAL"].map(|t| Text::from(t).right_aligned());
    let head = TableRow::new(head.into_iter().chain([Text::from("ALLOCATED AT; for whom")])).bold();
    let table = Table::new(rows.iter().map(row), widths).header(head).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.heap, rows.len());
    frame.render_stateful_widget(table, area, &mut choice.heap);
}

fn findings_tab(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice, stacks: &[String]) {
    if view.findings.is_empty() {
        frame.render_widget(Paragraph::new("nothing found"), area);
        return;
    }
    let list_height = (view.findings.len() as u16 + 1).min(area.height / 2).max(2);
    let [list, detail] = Layout::vertical([Constraint::Length(list_height), Constraint::Min(1)]).areas(area);
    let rows = view.findings.iter().map(|(found, sentence)| {
        let finding = &found.finding;
        let style = colour(Some(finding.severity));
        TableRow::new(vec![
            Text::from(Span::styled(finding.severity.name(), style)),
            Text::from(finding.kind.name()),
            Text::from(format!("×{}", found.count)).right_aligned(),
            Text::from(sentence.clone()),
        ])
    });
    let widths = [Constraint::Length(7), Constraint::Length(16), Constraint::Length(7), Constraint::Min(20)];
    let table = Table::new(rows, widths).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.finding, view.findings.len());
    frame.render_stateful_widget(table, list, &mut choice.finding);
    let lines: Vec<Line> = stacks.iter().map(|line| Line::from(line.as_str())).collect();
    let block = Block::default().borders(ratatui::widgets::Borders::TOP);
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), detail);
}

fn descriptors(frame: &mut Frame, area: Rect, view: &View, choice: &mut Choice) {
    let site = choice.site.selected().and_then(|i| view.rows.get(i));
    let [name, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let title = site.map_or("no site is selected".to_owned(), |row| format!("opened at {}", row.call));
    frame.render_widget(Line::from(title).dim(), name);
    let rows = view.descriptors.iter().map(|d| {
        let used = d.used.map_or("never".to_owned(), |ago| format!("{} ago", duration(ago)));
        TableRow::new(vec![
            Text::from(d.fd.to_string()).right_aligned(),
            Text::from(duration(d.age)).right_aligned(),
            Text::from(used).right_aligned(),
            Text::from(d.last.clone()),
            Text::from(d.what.clone()),
        ])
    });
    let head = TableRow::new(["     FD", "     AGE", "        USED", "LAST", "WHAT"]).bold();
    let widths = [
        Constraint::Length(7),
        Constraint::Length(8),
        Constraint::Length(12),
        Constraint::Length(20),
        Constraint::Min(20),
    ];
    let table = Table::new(rows, widths).header(head).row_highlight_style(Modifier::REVERSED);
    select(&mut choice.descriptor, view.descriptors.len());
    frame.render_stateful_widget(table, list, &mut choice.descriptor);
}

/// Something is selected where there is something, and nothing that is gone.
fn select(state: &mut TableState, len: usize) {
    match (state.selected(), len) {
        (_, 0) => state.select(None),
        (None, _) => state.select(Some(0)),
        (Some(at), len) if at >= len => state.select(Some(len - 1)),
        _ => {}
    }
}

fn footer(frame: &mut Frame, area: Rect, view: &View, choice: &Choice) {
    let ended = match view.state {
        "running" | "starting" => None,
        "executed another program" => Some("the process executed another program"),
        _ => Some("the process has ended"),
    };
    let text = match (&choice.trouble, ended) {
        (Some(why), _) => Line::from(why.clone()).red(),
        (None, Some(ended)) => Line::from(format!("{ended}: q leaves")).red(),
        (None, None) => {
            let paused = if choice.paused { "PAUSED  " } else { "" };
            let sort = match choice.tab {
                Tab::Heap => choice.heap_sort.name(),
                Tab::Locks => choice.lock_sort.name(),
                _ => choice.sort.name(),
            };
            Line::from(format!("{paused}q quit  tab view  s sort: {sort}  p pause  ? help")).dim()
        }
    };
    frame.render_widget(text, area);
}

fn help(frame: &mut Frame) {
    let area = frame.area();
    let (width, height) = (66.min(area.width), 20.min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title(" shim top ")), place);
}
