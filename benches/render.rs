//! Compares the time of the whole process with that of a plain copy of the same files. `LIMIT` is the difference that is allowed.
#![expect(
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it measures processes, and prints what it measured"
)]

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

const BLUEPRINT: &str = env!("CARGO_BIN_EXE_blueprint");
const RUNS: usize = 30;

/// A delay that people do not notice. The copy is subtracted, because the speed of the disk does not depend on blueprint.
const LIMIT: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let root = tempfile::tempdir().expect("a folder can be made");
    let at = |name: &str, run: usize| root.path().join(format!("{name}-{run}"));
    let source = "blueprints/minimal.toml";
    run(Command::new(BLUEPRINT).args(["render", source, "--out"]).arg(root.path().join("same")));
    let mut rows =
        [("copy", Vec::new()), ("render", Vec::new()), ("render again", Vec::new()), ("check", Vec::new())];
    // In turn, so that a change of the machine's speed affects all of them.
    for turn in 0..RUNS {
        let same = root.path().join("same");
        let commands = [
            Command::new("cp").arg("-R").arg(&same).arg(at("copy", turn)),
            Command::new(BLUEPRINT).args(["render", source, "--out"]).arg(at("render", turn)),
            Command::new(BLUEPRINT).args(["render", source, "--out"]).arg(&same),
            Command::new(BLUEPRINT).args(["check", source, "--out"]).arg(&same),
        ]
        .map(run);
        rows.iter_mut().zip(commands).for_each(|((_, times), time)| times.push(time));
    }
    println!("whole process, {RUNS} runs in turn, {} files", files(&root.path().join("same")));
    println!("{:<14} {:>8} {:>8} {:>8}", "", "min", "median", "max");
    let (mut copy, mut render) = (Duration::ZERO, Duration::ZERO);
    for (name, mut times) in rows {
        times.sort();
        let said = [times[0], times[RUNS / 2], times[RUNS - 1]]
            .map(|it| format!("{:.1} ms", it.as_secs_f64() * 1e3));
        println!("{name:<14} {:>8} {:>8} {:>8}", said[0], said[1], said[2]);
        match name {
            "copy" => copy = times[RUNS / 2],
            "render" => render = times[RUNS / 2],
            _ => {}
        }
    }
    if render > copy + LIMIT {
        eprintln!("error: a render takes {LIMIT:?} longer than a copy of its files");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program starts");
    let time = start.elapsed();
    assert!(status.success(), "{command:?} failed");
    time
}

fn files(root: &Path) -> usize {
    walkdir::WalkDir::new(root).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count()
}
