//! From the JSON of `shim report` to the lines of an `.expect` file.
//!
//! `KIND SEVERITY count=N ROLE=FUNCTION:LINE…`: of each stack the program's call into libc. The roles `here`, `closed` and
//! `opened` of a descriptor finding are always there, `?` where no stack is known, and so are those that the kind of a heap
//! finding has; others follow when the finding has them.
//! A frame outside the test's own file is `FUNCTION@FILE:LINE`, one of a header in /usr `FUNCTION@FILE`.

use serde_json::Value;

/// Roles that every finding of a family, or of a kind, has.
const BASE: &[(&str, &[&str])] = &[
    ("fd.", &["here", "closed", "opened"]),
    ("heap.double-free", &["here", "freed", "allocated"]),
    ("heap.use-after-free", &["here", "freed", "allocated"]),
    ("heap.write-after-free", &["freed", "allocated"]),
    ("heap.mismatch", &["here", "allocated"]),
    ("heap.invalid-free", &["here"]),
    ("heap.overflow", &["allocated"]),
    ("heap.underflow", &["allocated"]),
    ("heap.leak", &["allocated"]),
    ("key.", &["here"]),
];

pub struct Finding {
    pub line: String,
    pub shown: bool,
    kind: String,
    fd: Option<i64>,
    message: String,
}

/// One finding per line of JSON, as sorted lines.
pub fn parse(json: &str, own_file: &str) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for line in json.lines().filter(|line| !line.trim().is_empty()) {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("shim report --json: {e}: {line}"))?;
        findings
            .push(Finding::read(&value, own_file).ok_or_else(|| format!("shim report --json: what is this? {line}"))?);
    }
    findings.sort_by(|a, b| a.line.cmp(&b.line));
    Ok(findings)
}

impl Finding {
    fn read(value: &Value, own_file: &str) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let (kind, severity) = (text("kind")?, text("severity")?);
        let mut line = format!("{kind} {severity} count={}", value.get("count")?.as_u64()?);

        let stacks = value.get("stacks")?.as_array()?;
        let role_of = |stack: &Value| stack.get("role").and_then(Value::as_str).unwrap_or("?").to_owned();
        let base = BASE.iter().find(|(family, _)| kind.starts_with(family)).map_or(&[][..], |(_, roles)| roles);
        let mut roles: Vec<String> = base.iter().map(|role| (*role).to_owned()).collect();
        for stack in stacks {
            let role = role_of(stack);
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        for role in roles {
            let stack = stacks.iter().find(|stack| role_of(stack) == role);
            let frame = stack.and_then(|s| s.get("frames")).and_then(|frames| frames.get(0));
            line.push_str(&format!(" {role}={}", frame.map_or_else(|| "?".into(), |f| place(f, own_file))));
        }
        Some(Self {
            line,
            shown: matches!(severity, "error" | "suspect"),
            kind: kind.to_owned(),
            fd: value.get("resource").and_then(|r| r.get("fd")).and_then(Value::as_i64),
            message: text("message").unwrap_or_default().to_owned(),
        })
    }

    /// Found in the recording of a process that could not say it any more.
    pub fn is_posthumous(&self) -> bool {
        self.message.contains("the process did not exit")
    }

    /// Is this line of stderr the announcement of this finding?
    pub fn is_announced_by(&self, line: &str) -> bool {
        let Some(sentence) = line.strip_prefix("shim: ") else { return false };
        let number = self.fd.map(|fd| format!("fd {fd}")).unwrap_or_default();
        let says = |words: &str| match sentence.find(words).map(|at| &sentence[at + words.len()..]) {
            Some(rest) => rest.starts_with(&number) && !rest[number.len()..].starts_with(|c: char| c.is_ascii_digit()),
            None => false,
        };
        match self.kind.as_str() {
            "fd.double-close" => says("double close of "),
            "fd.stale-close" => says("stale close of "),
            "fd.closed-libc" => says("close of a descriptor of the C library: "),
            "fd.owner" => says(" of ") && sentence.contains("belongs to"),
            "fd.use-after-close" => says("use of ") && sentence.contains("after its close"),
            // How many and how old they are changes while the program runs; how they went and which is shown does not.
            "fd.leak" => {
                let way = self.message.split(": ").next().unwrap_or_default();
                sentence.starts_with(way) && (says("such as ") || says("descriptor, "))
            }
            _ => !self.message.is_empty() && sentence.starts_with(&self.message),
        }
    }
}

fn place(frame: &Value, own_file: &str) -> String {
    let text = |key: &str| frame.get(key).and_then(Value::as_str);
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let function = text("function").unwrap_or("?");
    let line = frame.get("line").and_then(Value::as_u64);
    match (text("file").map(base), line) {
        (Some(file), Some(line)) if file == own_file => format!("{function}:{line}"),
        // Where it stands in a header of the compiler, and whether it is C there, is the compiler's business.
        (Some(file), _) if text("file").is_some_and(|path| path.starts_with("/usr/")) => {
            format!("{}@{file}", function.split('(').next().unwrap_or_default())
        }
        (Some(file), Some(line)) => format!("{function}@{file}:{line}"),
        _ => format!("{function}@{}", text("module").map(base).unwrap_or_default()),
    }
}
