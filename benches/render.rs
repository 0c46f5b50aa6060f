//! How long the whole process takes, beside plain tools on the same files: `cp -r` and `diff -r`. It measures, and fails where the
//! program takes much longer than these. On a busy machine all of them are slower, so only proportions are compared.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it measures processes, and prints what it measured"
)]

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// The program that is measured: the one that the variable names, else the one that is built with this.
fn program() -> String {
    std::env::var("BLUEPRINT_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_blueprint").to_owned())
}

/// The shortest of so many runs: load of the machine only ever makes a run longer.
const RUNS: usize = 9;

/// A first render may take so many times as long as a copy of its files, in memory.
const COLD: f64 = 3.0;

/// `check` may take so many times as long as `diff -r` of the same files, beyond what `validate` takes.
const CHECK: f64 = 2.0;

/// What the shortest times differ by without a reason.
const NOISE: Duration = Duration::from_millis(15);

/// The memory that the program may use: this, and so many times the text.
const MEMORY: (u64, f64) = (24 << 20, 5.0);

fn main() -> ExitCode {
    // `cargo bench -- full` measures the largest platform, too.
    let full = std::env::args().any(|argument| argument == "full");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut cases =
        vec![("faceit", PathBuf::from("blueprints/faceit.toml")), ("50 × 3", scaled(folder.path(), 50, 3))];
    if full {
        cases.push(("500 × 5", scaled(folder.path(), 500, 5)));
    }
    println!(
        "whole processes, the shortest of {RUNS} runs in turn, in ms; the flush is that of `cp -r` and `sync -f`"
    );
    println!(
        "{:<8} {:<7} {:>6} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "case",
        "on",
        "files",
        "KiB",
        "validate",
        "render",
        "again",
        "check",
        "cp -r",
        "flushed",
        "diff -r",
        "peak MiB"
    );
    let mut slow = String::new();
    for (name, blueprint) in &cases {
        for (place, root) in places() {
            let measured = measure(blueprint, root.path(), if name.starts_with("500") { 3 } else { RUNS });
            println!("{name:<8} {place:<7} {measured}");
            if place == "memory" {
                measured.judge(name, &mut slow);
            }
        }
    }
    if slow.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprint!("{slow}");
    ExitCode::FAILURE
}

/// The build folder, and a file system in memory, where there is one.
fn places() -> Vec<(&'static str, tempfile::TempDir)> {
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    [("memory", memory), ("disk", disk)]
        .map(|(name, root)| (name, root.expect("a folder can be made")))
        .into()
}

/// A platform with so many applications and environments.
fn scaled(folder: &Path, applications: usize, environments: usize) -> PathBuf {
    let mut text = "schema = 1\nname = \"orchard\"\n\n[github]\nowner = \"acme\"\nids = { owner = 1, infrastructure = 2 }\n\n[aws]\naccount = \"111122223333\"\nregion = \"eu-west-1\"\n\n[components.monitoring]\n".to_owned();
    for number in 0..environments {
        let account = 111_122_223_333_u64 + number as u64;
        let _ = writeln!(
            text,
            "[environments.env{number:02}]\naws.account = \"{account}\"\nnetwork.range = \"10.{number}.0.0/16\""
        );
    }
    for number in 0..applications {
        let _ = writeln!(text, "[applications.app{number:03}]");
    }
    let path = folder.join(format!("scaled-{applications}-{environments}.toml"));
    fs::write(&path, text).expect("a file can be written");
    path
}

#[derive(Clone, Copy)]
struct Measured {
    files: usize,
    bytes: u64,
    validate: Duration,
    render: Duration,
    again: Duration,
    check: Duration,
    copy: Duration,
    flushed: Duration,
    compare: Duration,
    peak: u64,
}

fn measure(blueprint: &Path, root: &Path, runs: usize) -> Measured {
    let program = |verb: &str, out: Option<&Path>| {
        let mut command = Command::new(program());
        command.arg(verb).arg(blueprint);
        if let Some(out) = out {
            command.arg("--out").arg(out);
        }
        command
    };
    let tool = |name: &str, arguments: &[&Path]| {
        let mut command = Command::new(name);
        command.arg(if name == "sync" { "-f" } else { "-r" }).args(arguments);
        command
    };
    let (same, copied, fresh) = (root.join("same"), root.join("copied"), root.join("fresh"));
    run(program("render", Some(&same)));
    let (files, bytes) = size(&same);
    let zero = Duration::MAX;
    let mut all = Measured {
        files,
        bytes,
        validate: zero,
        render: zero,
        again: zero,
        check: zero,
        copy: zero,
        flushed: zero,
        compare: zero,
        peak: 0,
    };
    // In turn, so that a machine whose speed changes is slow for all of them.
    for _ in 0..runs {
        let shortest = |known: &mut Duration, command: Command| {
            let (time, peak) = run(command);
            *known = time.min(*known);
            peak
        };
        let copy = run(tool("cp", &[&same, &copied])).0;
        all.copy = copy.min(all.copy);
        all.flushed = (copy + run(tool("sync", &[&copied])).0).min(all.flushed);
        shortest(&mut all.compare, tool("diff", &[&same, &copied]));
        shortest(&mut all.validate, program("validate", None));
        let render = shortest(&mut all.render, program("render", Some(&fresh)));
        shortest(&mut all.again, program("render", Some(&fresh)));
        let check = shortest(&mut all.check, program("check", Some(&fresh)));
        all.peak = all.peak.max(render).max(check);
        for folder in [&copied, &fresh] {
            fs::remove_dir_all(folder).expect("what was written can be removed");
        }
    }
    all
}

impl Measured {
    fn judge(&self, name: &str, slow: &mut String) {
        let render = self.copy.mul_f64(COLD) + NOISE;
        if self.render > render {
            let _ = writeln!(
                slow,
                "error: {name}: a first render takes {:?}, more than {COLD} copies of its files",
                self.render
            );
        }
        let check = self.validate + self.compare.mul_f64(CHECK) + NOISE;
        if self.check > check {
            let _ = writeln!(
                slow,
                "error: {name}: `check` takes {:?}, more than `validate` and {CHECK} times `diff -r`",
                self.check
            );
        }
        let memory = MEMORY.0 + (self.bytes as f64 * MEMORY.1) as u64;
        if self.peak > memory {
            let _ = writeln!(
                slow,
                "error: {name}: {} MiB of memory are used, more than {}",
                self.peak >> 20,
                memory >> 20
            );
        }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6} {:>7}", self.files, self.bytes >> 10)?;
        let times =
            [self.validate, self.render, self.again, self.check, self.copy, self.flushed, self.compare];
        for time in times {
            write!(f, " {:>8.1}", time.as_secs_f64() * 1e3)?;
        }
        write!(f, " {:>9}", self.peak >> 20)
    }
}

/// How long a process takes, and the most memory that it was seen with.
fn run(mut command: Command) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    let ended = loop {
        match child.try_wait().expect("a process can be waited for") {
            Some(ended) => break ended,
            // Only the kernel of Linux tells, and only while the process runs.
            None => peak = peak.max(memory(&status)),
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    let time = start.elapsed();
    assert!(ended.success(), "{command:?} failed");
    (time, peak)
}

fn memory(status: &Path) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}

fn size(root: &Path) -> (usize, u64) {
    let files = walkdir::WalkDir::new(root).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.metadata().map_or(0, |it| it.len())))
}
