//! `shim top`: a running program's descriptors, heap, locks and keys, live, through its recording.
//!
//! ```text
//! target ─→ watch (a look a second) ─→ screen   keys choose, nothing is written to the program
//!                                   └→ plain    --once, or when stdout is no terminal
//! ```
//!
//! The terminal is restored on every way out: the end of the loop, a panic (ratatui's hook), a signal. A process that
//! ends while it is watched stays on the screen, and is said to have ended, until the user leaves.

mod heap;
mod keys;
mod locks;
mod plain;
mod screen;
mod watch;

use crate::args::TopArgs;
use crate::message::{Failure, exit, say};
use crate::report::{Render, text::Text};
use crate::target;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::widgets::TableState;
use screen::{Choice, Tab};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use watch::{View, Wanted, Watch};

const REFRESH: Duration = Duration::from_secs(1);
/// Between the two looks of `--once` that make a rate.
const ONCE: Duration = Duration::from_millis(500);

pub fn top(args: &TopArgs) -> Result<ExitCode, Failure> {
    let fail = |line| Failure::new(exit::PARTLY, line);
    let target = target::find(&args.target).map_err(fail)?;
    let mut watch = Watch::new(target);
    if args.once || !io::stdout().is_terminal() {
        return once(&mut watch);
    }
    // The first look before the terminal is touched: what cannot be read is a line, and no flicker.
    let view = watch.look(Wanted::default()).map_err(fail)?;
    live(&mut watch, view)
}

fn once(watch: &mut Watch) -> Result<ExitCode, Failure> {
    let fail = |line| Failure::new(exit::PARTLY, line);
    let mut view = watch.look(Wanted::default()).map_err(fail)?;
    if watch.lives() {
        sleep(ONCE);
        view = watch.look(Wanted::default()).map_err(fail)?;
    }
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let mut out = BufWriter::new(io::stdout().lock());
    plain::write(&view, watch, colour, &mut out)?;
    out.flush()?;
    watch.symbols.take_problems().iter().for_each(say);
    Ok(ExitCode::SUCCESS)
}

fn live(watch: &mut Watch, view: View) -> Result<ExitCode, Failure> {
    let caught = Arc::new(AtomicUsize::new(0));
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        signal_hook::flag::register_usize(signal, caught.clone(), signal as usize)
            .map_err(|e| Failure::new(exit::PARTLY, format!("signals: {}", crate::message::reason(&e))))?;
    }
    let mut terminal = ratatui::try_init()
        .map_err(|e| Failure::new(exit::PARTLY, format!("terminal: {}", crate::message::reason(&e))))?;
    let ended = run(&mut terminal, watch, view, &caught);
    ratatui::restore();
    let signal = caught.load(Ordering::Relaxed);
    if signal != 0 {
        // As it would have ended without the screen.
        signal_hook::low_level::emulate_default_handler(signal as i32).ok();
    }
    ended.map_err(|e| Failure::new(exit::PARTLY, format!("terminal: {}", crate::message::reason(&e))))?;
    Ok(ExitCode::SUCCESS)
}

fn run(terminal: &mut DefaultTerminal, watch: &mut Watch, mut view: View, caught: &AtomicUsize) -> io::Result<()> {
    let mut choice = Choice::default();
    let mut next = Instant::now() + REFRESH;
    let mut stacks = Vec::new();
    choice.tabs = Tab::of(&view);
    while caught.load(Ordering::Relaxed) == 0 {
        if choice.tab == Tab::Findings {
            stacks = lines(&view, choice.finding.selected().unwrap_or(0), watch);
        }
        terminal.draw(|frame| screen::draw(frame, &view, &mut choice, &stacks))?;
        let wait = next.saturating_duration_since(Instant::now()).min(Duration::from_millis(200));
        let mut due = Instant::now() >= next;
        if poll(wait)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            match press(key, &mut choice) {
                Pressed::Leave => return Ok(()),
                Pressed::Look => due = true,
                Pressed::Nothing => {}
            }
        }
        if due && !choice.paused {
            let (held, lock) = (heap_site(&view, &choice), selected_lock(&view, &choice));
            let listed = choice.site.selected().and_then(|at| view.rows.get(at)).map(|row| row.stack);
            let wanted = Wanted {
                sort: choice.sort,
                heap: choice.heap_sort,
                locks: choice.lock_sort,
                listed: listed.filter(|_| choice.tab == Tab::Descriptors),
            };
            match watch.look(wanted) {
                Ok(new) => {
                    // The selected site stays selected wherever it went.
                    let at = new.rows.iter().position(|row| Some(row.stack) == listed);
                    choice.site.select(at.or(choice.site.selected()));
                    choice.tabs = Tab::of(&new);
                    let at = new.heap.iter().flat_map(|heap| &heap.rows).position(|row| Some(row.stack) == held);
                    choice.heap.select(at.or(choice.heap.selected()));
                    let at = new.locks.rows.iter().position(|row| Some(row.address) == lock);
                    choice.lock.select(at.or(choice.lock.selected()));
                    (view, choice.trouble) = (new, None);
                }
                Err(why) => choice.trouble = Some(why),
            }
            next = Instant::now() + REFRESH;
        }
    }
    Ok(())
}

/// The stack of the selected row of the heap.
fn heap_site(view: &View, choice: &Choice) -> Option<u32> {
    Some(view.heap.as_ref()?.rows.get(choice.heap.selected()?)?.stack)
}

/// The address of the selected lock.
fn selected_lock(view: &View, choice: &Choice) -> Option<u64> {
    Some(view.locks.rows.get(choice.lock.selected()?)?.address)
}

/// A signal interrupts the wait, which is no fault.
fn poll(wait: Duration) -> io::Result<bool> {
    match event::poll(wait) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        other => other,
    }
}

enum Pressed {
    Leave,
    /// The next look is due now.
    Look,
    Nothing,
}

fn press(key: KeyEvent, choice: &mut Choice) -> Pressed {
    if choice.help {
        choice.help = false;
        return Pressed::Nothing;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Pressed::Leave,
        KeyCode::Char('q') | KeyCode::Esc => return Pressed::Leave,
        KeyCode::Char('?') | KeyCode::Char('h') => choice.help = true,
        KeyCode::Char('p') | KeyCode::Char(' ') => choice.paused = !choice.paused,
        KeyCode::Char('s') if choice.tab == Tab::Heap => {
            choice.heap_sort = choice.heap_sort.next();
            // What comes first now is wanted, not what was selected.
            choice.heap.select(Some(0));
            return Pressed::Look;
        }
        KeyCode::Char('s') if choice.tab == Tab::Locks => {
            choice.lock_sort = choice.lock_sort.next();
            choice.lock.select(Some(0));
            return Pressed::Look;
        }
        KeyCode::Char('s') => {
            choice.sort = choice.sort.next();
            return Pressed::Look;
        }
        KeyCode::Tab => {
            choice.tab = choice.tab.next(&choice.tabs);
            return Pressed::Look;
        }
        KeyCode::Down | KeyCode::Char('j') => selected(choice).select_next(),
        KeyCode::Up | KeyCode::Char('k') => selected(choice).select_previous(),
        KeyCode::PageDown => selected(choice).scroll_down_by(10),
        KeyCode::PageUp => selected(choice).scroll_up_by(10),
        KeyCode::Home | KeyCode::Char('g') => selected(choice).select_first(),
        KeyCode::End | KeyCode::Char('G') => selected(choice).select_last(),
        _ => {}
    }
    Pressed::Nothing
}

fn selected(choice: &mut Choice) -> &mut TableState {
    match choice.tab {
        Tab::Sites => &mut choice.site,
        Tab::Heap => &mut choice.heap,
        Tab::Locks => &mut choice.lock,
        Tab::Keys => &mut choice.key,
        Tab::Findings => &mut choice.finding,
        Tab::Descriptors | Tab::Deadlocks => &mut choice.descriptor,
    }
}

/// The selected finding with its stacks, as `shim report` prints it.
fn lines(view: &View, at: usize, watch: &mut Watch) -> Vec<String> {
    let Some((found, _)) = view.findings.get(at) else { return Vec::new() };
    let mut text = Vec::new();
    // Into memory: this cannot fail.
    Text::default().finding(found, &mut watch.symbols, &mut text).ok();
    String::from_utf8_lossy(&text).trim().lines().map(str::to_owned).collect()
}
