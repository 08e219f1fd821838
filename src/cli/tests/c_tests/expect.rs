//! The `.expect` file: what shim must say of the program beside it, section by section.
//!
//! ```text
//! # A comment.
//! native: SIGABRT            how it ends by itself, without an `ok` then; `any`: as it likes
//! [observe, protect]         one run for each name; the options are FOLDER=NAME: fd=observe, in heap/ heap=full
//! fd.double-close error count=1 here=main:15 closed=main:13 opened=main:12
//!
//! [exitcode]
//! options: fd=observe:error_exitcode=99      other options than FOLDER=NAME; {here} is the folder of the program's source
//! exit: 99                   the status, or SIGABRT, where it is not that of the run without shim; `any`: whatever it is
//! stdout: a line             the lines, all of them, where they are not those of the run without shim
//! stdout: differs            or: whatever they are
//! stderr: colour             this is part of stderr, which then may have other lines too
//! findings: any              whatever they are
//! ```
//!
//! A finding is `KIND SEVERITY count=N ROLE=FUNCTION:LINE…`, see [`crate::findings`]. Lines are sorted. `UPDATE_EXPECT=1`
//! rewrites findings only: directives are decisions, and decisions are made by hand. A test whose file was written has
//! failed: what nobody has read is not expected.

use std::fmt::Write;

#[derive(Clone, Debug, Default)]
pub struct Expectation {
    preamble: Vec<String>,
    /// How the run without shim ends, where that is not 0.
    pub native: Option<String>,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    pub names: Vec<String>,
    /// Comments and directives, as written.
    head: Vec<String>,
    options: Option<String>,
    pub exit: Option<String>,
    pub stdout: Stdout,
    pub stderr: Vec<String>,
    /// `None`: any.
    pub findings: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Stdout {
    #[default]
    Native,
    Lines(Vec<String>),
    Any,
}

impl Section {
    fn new(names: Vec<String>) -> Self {
        Self { names, findings: Some(Vec::new()), ..Self::default() }
    }

    /// `family`: the option that a name is a value of.
    pub fn options(&self, family: &str, name: &str) -> String {
        self.options.clone().unwrap_or_else(|| format!("{family}={name}"))
    }

    /// Findings that a user is shown.
    pub fn speaks(&self) -> bool {
        self.findings.iter().flatten().any(|finding| is_shown(finding))
    }
}

/// Errors and suspects are printed; an info is only recorded.
pub fn is_shown(finding: &str) -> bool {
    matches!(finding.split(' ').nth(1), Some("error" | "suspect"))
}

impl Expectation {
    /// For a program that has no file yet.
    pub fn clean(family: &str) -> Self {
        let names = if family == "heap" { ["full", "protect"] } else { ["observe", "protect"] };
        let sections = vec![Section::new(names.map(str::to_owned).to_vec())];
        Self { preamble: Vec::new(), native: None, sections }
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let mut this = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(names) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                this.sections.push(Section::new(names.split(',').map(|n| n.trim().to_owned()).collect()));
                continue;
            }
            let Some(section) = this.sections.last_mut() else {
                if let Some(end) = line.strip_prefix("native:") {
                    this.native = Some(end.trim().to_owned());
                } else if !line.starts_with('#') {
                    return Err(format!("line {number}: before the first [section]: {line}"));
                }
                this.preamble.push(line.to_owned());
                continue;
            };
            section.line(line).map_err(|why| format!("line {number}: {why}"))?;
        }
        if this.sections.is_empty() {
            return Err("no [section]".into());
        }
        Ok(this)
    }

    pub fn write(&self) -> String {
        let mut text = String::new();
        for line in &self.preamble {
            let _ = writeln!(text, "{line}");
        }
        if self.native.is_some() {
            text.push('\n');
        }
        for (i, section) in self.sections.iter().enumerate() {
            let gap = if i > 0 { "\n" } else { "" };
            let _ = writeln!(text, "{gap}[{}]", section.names.join(", "));
            for line in section.head.iter().chain(section.findings.iter().flatten()) {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// Takes over the findings of a run, `got[i]` for the i-th name of all sections. A section splits when its names differ.
    /// True: something is otherwise than before.
    pub fn bless(&mut self, got: &[Vec<String>]) -> bool {
        let mut got = got.iter();
        let mut sections: Vec<Section> = Vec::new();
        for section in &self.sections {
            let first = sections.len();
            for (name, found) in section.names.iter().zip(&mut got) {
                let findings = section.findings.as_ref().map(|_| found.clone());
                match sections[first..].iter_mut().find(|s| s.findings == findings) {
                    Some(equal) => equal.names.push(name.clone()),
                    None => sections.push(Section { names: vec![name.clone()], findings, ..section.clone() }),
                }
            }
        }
        std::mem::replace(&mut self.sections, sections) != self.sections
    }
}

impl Section {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let is_finding = line.split(' ').next().is_some_and(|word| word.contains('.') && !word.ends_with(':'));
        if is_finding && !line.starts_with('#') {
            let findings = self.findings.as_mut().ok_or("a finding, and `findings: any`")?;
            findings.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            findings.sort();
            return Ok(());
        }
        self.head.push(line.to_owned());
        if line.starts_with('#') {
            return Ok(());
        }
        let (key, value) = line.split_once(':').ok_or_else(|| format!("neither finding nor directive: {line}"))?;
        let value = value.trim().to_owned();
        match (key, value.as_str()) {
            ("options", _) => self.options = Some(value),
            ("exit", _) => self.exit = Some(value),
            ("stdout", "differs") => self.stdout = Stdout::Any,
            ("stdout", _) => match &mut self.stdout {
                Stdout::Lines(lines) => lines.push(value),
                other => *other = Stdout::Lines(vec![value]),
            },
            ("stderr", _) => self.stderr.push(value),
            ("findings", "any") => self.findings = None,
            _ => return Err(format!("unknown directive: {line}")),
        }
        Ok(())
    }
}
