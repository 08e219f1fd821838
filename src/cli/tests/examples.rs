//! The files of `docs/examples/`: what a reader will copy must work as it stands.
//!
//! Runs them with the library and the command that `make build` made; wants it before it, as the C tests do.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary directory, and where everything is.
struct Place {
    folder: tempfile::TempDir,
    examples: PathBuf,
    release: PathBuf,
}

impl Place {
    fn new() -> Self {
        let exe = std::env::current_exe().unwrap();
        // target/<profile>/deps/examples-<hash>
        let release = exe.ancestors().nth(3).unwrap().join("release");
        for name in ["libshim.so", "shim"] {
            assert!(release.join(name).exists(), "{}: not there; run `make build` first", release.join(name).display());
        }
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
        Self { folder: tempfile::tempdir().unwrap(), examples, release }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.examples.join(name)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A clean environment but for PATH.
    fn sh(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg(self.examples.join(script)).env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS");
        command.env("SHIM_LIBRARY", self.release.join("libshim.so")).current_dir(self.folder.path());
        command
    }

    fn recordings(&self, folder: &str) -> usize {
        fs::read_dir(self.path(folder)).map_or(0, |entries| {
            entries.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "shim")).count()
        })
    }

    /// A program of the C tests.
    fn compile(&self, name: &str) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../c-tests/fd").join(name).with_extension("c");
        let program = self.path(name);
        let done =
            Command::new("gcc").args(["-g", "-O1", "-pthread", "-o"]).arg(&program).arg(source).status().unwrap();
        assert!(done.success());
        program
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is(output: &Output, code: i32, stdout: &str) {
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), stdout), "{}", text(&output.stderr));
}

#[test]
fn the_entry_point_watches_when_it_is_asked_to() {
    let place = Place::new();
    fs::create_dir(place.path("re:cord")).unwrap();
    let run = |shim: Option<&str>| {
        let mut command = place.sh("container/entrypoint.sh");
        command.args(["/bin/sh", "-c", "echo $$ \"$LD_PRELOAD\""]).env("SHIM_RECORD", place.path("re:cord"));
        shim.map(|value| command.env("SHIM", value));
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        (pid, child.wait_with_output().unwrap())
    };
    for off in [None, Some(""), Some("off")] {
        let (pid, output) = run(off);
        is(&output, 0, &format!("{pid} \n"));
    }
    assert_eq!(place.recordings("re:cord"), 0);
    for (n, preset) in [(1, "observe"), (2, "protect"), (3, "hunt")] {
        let (pid, output) = run(Some(preset));
        let library = place.release.join("libshim.so");
        is(&output, 0, &format!("{pid} {}\n", library.display()));
        assert_eq!(text(&output.stderr), "");
        // The shell's, and no other: the entry point itself is not watched. env is.
        assert!(place.recordings("re:cord") >= n, "{preset}");
    }
}

#[test]
fn the_entry_point_without_its_library_starts_the_program() {
    let place = Place::new();
    let output = place
        .sh("container/entrypoint.sh")
        .args(["echo", "up"])
        .env("SHIM", "observe")
        .env("SHIM_LIBRARY", "/nowhere.so")
        .output()
        .unwrap();
    is(&output, 0, "up\n");
    assert!(text(&output.stderr).contains("/nowhere.so: not there"));
}

#[test]
fn the_job_fails_on_an_error_that_is_not_known() {
    let place = Place::new();
    let (faulty, clean) = (place.compile("leak_refused"), place.compile("leak_refused_clean"));
    let run = |program: &Path, suppressions: &str| {
        let mut command = place.sh("ci/shim-check.sh");
        command.arg(program).env("SHIM", place.release.join("shim")).env("SUPPRESSIONS", suppressions).output().unwrap()
    };
    is(&run(&clean, ""), 0, "ok\n");
    fs::remove_dir_all(place.path("shim-recordings")).unwrap();
    let output = run(&faulty, "");
    is(&output, 99, "ok\n");
    assert!(text(&output.stderr).contains("to accept them for now:"), "{}", text(&output.stderr));
    let suppress = Command::new(place.release.join("shim"))
        .args(["suppress", "shim-recordings", "-o", "shim.supp"])
        .current_dir(place.folder.path())
        .output()
        .unwrap();
    assert!(suppress.status.success(), "{}", text(&suppress.stderr));
    is(&run(&faulty, "shim.supp"), 0, "ok\n");
    is(&run(Path::new("false"), ""), 1, "");
}

#[test]
fn the_workflow_calls_the_job() {
    let place = Place::new();
    let workflow = place.text("ci/github.yml");
    assert!(!workflow.contains('\t'));
    let script = workflow.lines().find_map(|l| l.trim().strip_prefix("run: sh docs/examples/")).unwrap();
    assert!(place.examples.join(script.split(' ').next().unwrap()).exists());
    // Where Python has a parser for it.
    let parse =
        "import sys, yaml; d = yaml.safe_load(open(sys.argv[1])); assert d['jobs']['descriptors']['steps'][2]['run']";
    let has = Command::new("python3").args(["-c", "import yaml"]).output().is_ok_and(|o| o.status.success());
    if has {
        let output =
            Command::new("python3").args(["-c", parse]).arg(place.examples.join("ci/github.yml")).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

/// `Environment=` of the drop-in, as systemd hands it to a unit named `demo`, with the state directory in `state`.
fn environment(unit: &str, state: &str) -> Vec<(String, String)> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    let expanded = lines
        .map(|l| l.replace("%%", "\0").replace("%p", "demo").replace('\0', "%").replace("/var/lib/demo-shim", state));
    expanded.map(|l| l.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()).collect()
}

#[test]
fn the_drop_in_says_what_the_library_understands() {
    let place = Place::new();
    let state = place.path("state");
    fs::create_dir(&state).unwrap();
    let unit = place.text("systemd/shim.conf");
    let mut section = "";
    for line in unit.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        match line.strip_prefix('[') {
            Some(_) => section = line,
            None => assert!(line.contains('=') && section == "[Service]", "{line}"),
        }
    }
    let environment = environment(&unit, state.to_str().unwrap());
    assert_eq!(environment.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["LD_PRELOAD", "SHIM_OPTIONS"]);
    let mut command = Command::new(place.compile("leak_refused"));
    command.env("LD_PRELOAD", place.release.join("libshim.so")).env("SHIM_OPTIONS", &environment[1].1);
    let output = command.output().unwrap();
    is(&output, 0, "ok\n");
    assert_eq!(text(&output.stderr), "", "the report goes to a file");
    assert_eq!(place.recordings("state"), 1);
    let report =
        fs::read_dir(&state).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().is_some_and(|e| e == "txt"));
    assert!(
        fs::read_to_string(report.unwrap()).unwrap().contains("connect() failed with ECONNREFUSED here, never closed")
    );
}

/// systemd's own opinion, where it is there to be asked.
#[test]
fn systemd_takes_the_drop_in() {
    let place = Place::new();
    if !Command::new("systemd-analyze").arg("--version").output().is_ok_and(|o| o.status.success()) {
        return;
    }
    let unit = place.path("demo.service");
    let hardened = "[Service]\nExecStart=/bin/true\nDynamicUser=yes\nProtectSystem=strict\nPrivateTmp=yes\nMemoryDenyWriteExecute=yes\nSystemCallFilter=@system-service\n";
    let verify = |drop_in: &str| {
        fs::write(&unit, hardened).unwrap();
        fs::create_dir_all(place.path("demo.service.d")).unwrap();
        fs::write(place.path("demo.service.d/shim.conf"), drop_in).unwrap();
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&unit)
            .env("SYSTEMD_UNIT_PATH", format!("{}:", place.folder.path().display()))
            .output()
            .unwrap();
        text(&output.stderr).lines().filter(|l| l.contains("demo.service")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(verify(&place.text("systemd/shim.conf")), Vec::<String>::new());
    assert!(!verify("[Service]\nLimitNOFILE=many\n").is_empty(), "the question is understood");
}

/// A launcher that starts the command once for each rank, and says which it is in `variable`.
fn launcher(place: &Place, name: &str, variable: &str) -> PathBuf {
    let path = place.path(name);
    // As the real ones do, it skips its own options and ends with the status of a rank that failed.
    let script = format!(
        "#!/bin/sh\nranks=2\nwhile :; do case $1 in -n) ranks=$2; shift 2;; -x) shift 2;; --ntasks=*) ranks=${{1#*=}}; shift;; -*) shift;; *) break;; esac; done\n\
         rank=0 status=0\nwhile [ $rank -lt $ranks ]; do {variable}=$rank \"$@\" || status=$?; rank=$((rank + 1)); done\nexit $status\n"
    );
    fs::write(&path, script).unwrap();
    let done = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
    assert!(done.success());
    path
}

#[test]
fn jobs_of_mpi_keep_their_status_and_know_their_ranks() {
    let place = Place::new();
    launcher(&place, "srun", "SLURM_PROCID");
    let mpirun = launcher(&place, "mpirun", "OMPI_COMM_WORLD_RANK");
    let mpiexec = launcher(&place, "mpiexec", "PMI_RANK");
    let path = format!("{}:{}", place.folder.path().display(), std::env::var("PATH").unwrap());
    let local = place.path("local");
    let run = |script: &str, arguments: &[&str]| {
        let mut command = place.sh(script);
        command.args(arguments).args(["sh", "-c", "echo out; exit 7"]).env("PATH", &path);
        command.env("SHIM", place.release.join("shim")).env("MPIRUN", &mpirun).env("MPIEXEC", &mpiexec);
        command
            .env("SLURM_JOB_ID", "12")
            .env("SHIM_LOCAL", &local)
            .env("RECORDINGS", place.path(&script.replace('/', "-")));
        command.output().unwrap()
    };
    for script in ["mpi/openmpi.sh", "mpi/mpich.sh"] {
        let output = run(script, &["3"]);
        is(&output, 7, "out\nout\nout\n");
        assert_eq!(text(&output.stderr), "", "{script}");
        let report = Command::new(place.release.join("shim"))
            .arg("report")
            .arg(place.path(&script.replace('/', "-")))
            .output()
            .unwrap();
        is(&report, 0, "== shim: no findings in 3 processes, ranks 0–2\n");
    }
    let output = run("mpi/slurm.sh", &[]);
    // The ranks, then the report of the copies from the nodes.
    is(&output, 7, "out\nout\n== shim: no findings in 2 processes, ranks 0–1\n");
    assert_eq!(fs::read_dir(&local).map_or(0, Iterator::count), 0, "the node is left clean");
    assert_eq!(fs::read_dir(place.path("shim.12")).unwrap().count(), 1);
}

/// Where Tcl and Python are there to be asked.
#[test]
fn the_module_file_and_the_recipe_are_whole() {
    let place = Place::new();
    let module = place.text("modulefile/shim");
    assert!(module.starts_with("#%Module1.0\n"));
    let asked = "proc module-whatis args {}; proc conflict args {}; proc prepend-path args {puts $args}; proc setenv args {puts $args}; set env(SHIM_PREFIX) /opt/s; source [lindex $argv 0]";
    let script = place.path("ask.tcl");
    fs::write(&script, asked).unwrap();
    if let Ok(output) = Command::new("tclsh").arg(&script).arg(place.examples.join("modulefile/shim")).output() {
        is(&output, 0, "PATH /opt/s/bin\nSHIM_LIBRARY /opt/s/lib/libshim.so\n");
    }
    let parse = "import ast, sys; t = ast.parse(open(sys.argv[1]).read()); print([n.name for n in t.body if isinstance(n, ast.ClassDef)])";
    if let Ok(output) =
        Command::new("python3").args(["-c", parse]).arg(place.examples.join("spack/package.py")).output()
    {
        is(&output, 0, "['Shim']\n");
    }
    let recipe = place.text("spack/package.py");
    assert!(!recipe.contains("http") && !recipe.contains("sha256"), "nothing that does not exist");
}
