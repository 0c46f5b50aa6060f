//! The commands. Three of them use the same comparison.

use std::{
    io::{self, ErrorKind, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::{
    blueprint,
    checkouts::{self, Checkout, Checkouts, Request},
    compare::{Change, Outcome},
    diagnostics::{Report, Severity},
    difference::{self, Format},
    disk::{self, Raced},
    lock::{self, Lock},
    plan::{self, Plan},
    platform::{self, Platform},
    renames,
    source::Source,
    words::shown,
};

/// Renders the repositories of a platform on AWS from one TOML blueprint.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 success, or nothing to do; 1 errors in the blueprint, or conflicts; 2 wrong usage, or files that cannot be read or written; 3 `check` or `diff` found differences; 70 a bug in blueprint."
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write the repositories
    Render {
        #[command(flatten)]
        target: Target,
        /// List the files that would be written, without writing them
        #[arg(long)]
        dry_run: bool,
        /// Merge what this render changes into edited files. Where both changed the same lines, write conflict markers
        #[arg(long)]
        merge: bool,
        /// Overwrite this file although it is in conflict: the edits in it are lost. Can be repeated
        #[arg(long, value_name = "REPOSITORY/PATH")]
        overwrite: Vec<String>,
        /// Create the folders of repositories that are not checked out
        #[arg(long)]
        create: bool,
        /// Delete what was rendered into this repository, which is no longer in the blueprint. Can be repeated
        #[arg(long, value_name = "REPOSITORY")]
        remove_repository: Vec<String>,
    },
    /// Show what `render` would change, line by line
    Diff {
        #[command(flatten)]
        target: Target,
        /// Print only the number of lines that are added and removed, by file
        #[arg(long)]
        stat: bool,
        /// Print only the paths of the files
        #[arg(long, conflicts_with = "stat")]
        name_only: bool,
        /// How to print: `github` is Markdown that fits into a comment
        #[arg(long, value_enum, default_value_t, conflicts_with_all = ["stat", "name_only"])]
        format: Format,
    },
    /// Fail if `render` would change anything
    Check(Target),
    /// Report the errors and warnings in a blueprint
    Validate(Asked),
    /// Print the JSON Schema of blueprints
    Schema,
}

#[derive(Args)]
struct Asked {
    /// The blueprint, or `-` for standard input [default: `blueprint.toml`, else the only file in `blueprints/`]
    blueprint: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Args)]
struct Target {
    #[command(flatten)]
    asked: Asked,
    /// The folder that contains the repositories [default: `generated/` and the blueprint's file name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only this repository. Can be repeated
    #[arg(long, value_name = "REPOSITORY")]
    only: Vec<String>,
}

/// The exit code of `check` and `diff` where files differ from the blueprint.
const DIFFERENT: u8 = 3;

/// What is done with the differences.
#[derive(PartialEq)]
enum Purpose {
    Render { dry: bool },
    Diff { stat: bool, names: bool, format: Format },
    Check,
}

impl Cli {
    /// The exit code of the command. An error if files cannot be read or written, or an argument does not fit the plan.
    pub fn run(&self) -> Result<ExitCode> {
        // Thousands of lines, not thousands of writes.
        let mut out = io::BufWriter::new(io::stdout().lock());
        match &self.verb {
            Verb::Render { target, dry_run, merge, overwrite, create, remove_repository } => {
                let request = Request {
                    writes: !dry_run,
                    only: target.only.clone(),
                    create: *create,
                    merge: *merge,
                    overwrite: overwrite.clone(),
                    remove: remove_repository.clone(),
                };
                target.run(&Purpose::Render { dry: *dry_run }, &request, &mut out)
            }
            Verb::Diff { target, stat, name_only, format } => {
                let purpose = Purpose::Diff { stat: *stat, names: *name_only, format: *format };
                target.run(&purpose, &target.request(), &mut out)
            }
            Verb::Check(target) => target.run(&Purpose::Check, &target.request(), &mut out),
            Verb::Validate(asked) => Ok(match asked.read(validate)?.1 {
                Some(_) => ExitCode::SUCCESS,
                None => ExitCode::FAILURE,
            }),
            Verb::Schema => {
                match writeln!(out, "{:#}", blueprint::schema()).and_then(|()| out.flush()) {
                    // `blueprint schema | head` has seen enough.
                    Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error)?,
                    _ => Ok(ExitCode::SUCCESS),
                }
            }
        }
    }
}

impl Asked {
    /// The path of the blueprint, and what is drawn from it if it may be rendered. Findings are printed to stderr.
    fn read<T>(&self, draw: impl FnOnce(&Source, &mut Report) -> Option<T>) -> Result<(PathBuf, Option<T>)> {
        let path = match &self.blueprint {
            Some(path) => path.clone(),
            None => disk::blueprint()?,
        };
        let source = disk::source(&path)?;
        let mut report = Report::default();
        let drawn = draw(&source, &mut report);
        let findings = report.render(&source);
        if !findings.is_empty() {
            say(findings.trim_end_matches('\n'));
        }
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        if errors + warnings > 0 {
            say(&format!("\n{}: {}, {}", source.path, count(errors, "error"), count(warnings, "warning")));
        }
        Ok((path, drawn.filter(|_| warnings == 0 || !self.deny_warnings)))
    }
}

impl Target {
    fn request(&self) -> Request {
        Request { only: self.only.clone(), ..Request::default() }
    }

    fn run(&self, purpose: &Purpose, request: &Request, out: &mut impl Write) -> Result<ExitCode> {
        let (path, plan) = self.asked.read(draw)?;
        let from_input = path == Path::new(disk::STANDARD_INPUT);
        let root = match &self.out {
            Some(root) => root.clone(),
            None if from_input => bail!("a blueprint from standard input has no name: add `--out DIR`"),
            None => Path::new("generated").join(path.file_stem().unwrap_or_default()),
        };
        let Some(plan) = plan else { return Ok(ExitCode::FAILURE) };
        let Checkouts { mut all, notes } = checkouts::open(&plan, &root, request)?;
        let writes = request.writes && conflicts(&all).next().is_none();
        if writes {
            let mut folders: Vec<_> =
                all.iter_mut().map(|it| (&mut it.folder, it.changes.as_slice())).collect();
            disk::apply(&mut folders)?;
        }
        print(purpose, &all, out)?;
        out.flush()?;
        let conflicts: Vec<_> = conflicts(&all).collect();
        let failed = !conflicts.is_empty();
        let mut remarks: Vec<String> = notes.iter().map(|note| format!("note: {note}")).collect();
        if *purpose == Purpose::Check {
            remarks.extend(handed_over(&all));
            remarks.extend(all.iter().filter_map(other_version));
        }
        for (repository, change) in &conflicts {
            remarks.push(difference::conflict(repository, change).trim_end().to_owned());
        }
        remarks.push(difference::summary(changes(&all).map(|(_, change)| change), writes));
        remarks.extend(ways_out(request, &conflicts, all.len()));
        let marked = changes(&all).any(|(_, change)| change.outcome == Outcome::Marked);
        let differs = changes(&all).any(|(_, change)| change.differs());
        if marked && writes {
            remarks.push(
                "error: files have conflict markers: resolve them, and run `blueprint render` again"
                    .to_owned(),
            );
        }
        match purpose {
            Purpose::Check if differs && !failed => {
                remarks.push(format!("error: `{}` is not what `{}` renders", root.display(), path.display()));
                remarks.push("help: run `blueprint render` and commit the result".to_owned());
            }
            Purpose::Render { dry: false } if differs && writes => {
                let differing = all.iter().filter(|it| it.changes.iter().any(Change::differs));
                let names: Vec<String> = differing.map(|it| format!("`{}`", it.name)).collect();
                remarks.push(format!("next: review and commit the changes in {}", names.join(", ")));
            }
            _ => {}
        }
        for remark in remarks {
            say(&remark);
        }
        Ok(match purpose {
            _ if failed || marked => ExitCode::FAILURE,
            Purpose::Check | Purpose::Diff { .. } if differs => ExitCode::from(DIFFERENT),
            _ => ExitCode::SUCCESS,
        })
    }
}

fn changes<'a>(all: &'a [Checkout<'_>]) -> impl Iterator<Item = (&'a str, &'a Change)> {
    all.iter().flat_map(|it| it.changes.iter().map(|change| (&*it.name, change)))
}

fn conflicts<'a>(all: &'a [Checkout<'_>]) -> impl Iterator<Item = (&'a str, &'a Change)> {
    changes(all).filter(|(_, change)| change.conflict().is_some())
}

/// What `check` does not cover.
fn handed_over(all: &[Checkout<'_>]) -> Option<String> {
    let handed = changes(all).filter(|(_, change)| change.outcome == Outcome::HandedOver);
    let handed: Vec<String> =
        handed.map(|(name, change)| format!("`{name}/{}`", shown(&change.path))).collect();
    (!handed.is_empty())
        .then(|| format!("note: not checked, because `[files]` hands them over: {}", handed.join(", ")))
}

/// Why many files may be stale.
fn other_version(checkout: &Checkout<'_>) -> Option<String> {
    if !checkout.changes.iter().any(Change::differs) {
        return None;
    }
    let old = checkout.changes.iter().find(|change| change.path == lock::PATH)?.old.as_ref()?;
    let (then, now) = (Lock::read(&old.bytes).ok()?.version, env!("CARGO_PKG_VERSION"));
    (!then.is_empty() && then != now).then(|| {
        format!("note: `{}` was rendered by blueprint {}, and this is {now}", checkout.name, shown(&then))
    })
}

/// To stderr. What cannot be said there, because a disk is full or nobody reads it, is no reason to fail.
fn say(remark: &str) {
    let _ = writeln!(io::stderr(), "{remark}");
}

/// What goes to stdout.
fn print(purpose: &Purpose, all: &[Checkout<'_>], out: &mut impl Write) -> io::Result<()> {
    let shown: Vec<_> =
        all.iter().map(|it| difference::Repository { name: &it.name, changes: &it.changes }).collect();
    // What stands last is seen first.
    let ordered = || {
        let clear = |(_, change): &(&str, &Change)| change.differs() && change.conflict().is_none();
        changes(all).filter(clear).chain(conflicts(all))
    };
    match purpose {
        Purpose::Diff { format: Format::Json, .. } => write!(out, "{}", difference::json(&shown)),
        Purpose::Diff { format: Format::Markdown, .. } => {
            write!(out, "{}", difference::markdown(&shown, false))
        }
        Purpose::Diff { format: Format::Github, .. } => write!(out, "{}", difference::markdown(&shown, true)),
        Purpose::Diff { names: true, .. } => {
            ordered().try_for_each(|(name, change)| writeln!(out, "{name}/{}", change.path))
        }
        Purpose::Diff { stat: true, .. } => write!(out, "{}", difference::statistics(&shown)),
        Purpose::Diff { .. } => {
            let colours = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
            ordered().try_for_each(|(name, change)| {
                let text = difference::unified(name, change);
                let text = if colours { difference::coloured(&text) } else { text };
                write!(out, "{text}")
            })
        }
        Purpose::Check => ordered()
            .try_for_each(|(name, change)| writeln!(out, "{}", difference::status_line(name, change))),
        Purpose::Render { .. } => {
            ordered().try_for_each(|(name, change)| writeln!(out, "{}", difference::line(name, change)))
        }
    }
}

/// The ways out of conflicts, each with a command or a line to write.
fn ways_out(request: &Request, conflicts: &[(&str, &Change)], repositories: usize) -> Vec<String> {
    let Some((name, first)) = conflicts.first() else { return Vec::new() };
    let done = if request.writes { "nothing was written" } else { "a render would write nothing" };
    let mut lines = vec![format!("error: {done}: what somebody edited or made would be lost")];
    if conflicts.iter().any(|(_, change)| change.is_mergeable()) {
        lines.push(
            "help: `blueprint render --merge` keeps the edits and adds what this render changes".to_owned(),
        );
    }
    let path = |name: &str, change: &Change| format!("{name}/{}", shown(&change.path));
    lines.push(format!(
        "help: `blueprint render --overwrite {}` writes what is rendered and discards the edits",
        path(name, first)
    ));
    if let Some((name, change)) = conflicts.iter().find(|(_, change)| change.new.is_some()) {
        lines.push(format!(
            "help: `\"{}\"` in `handed-over` of `[files]` in the blueprint leaves the file to you for good",
            path(name, change)
        ));
    }
    if repositories > 1 {
        lines.push("help: `--only REPOSITORY` renders a repository without conflicts".to_owned());
    }
    lines
}

/// The same findings as `draw`, without rendering what cannot have any.
pub fn validate(source: &Source, report: &mut Report) -> Option<()> {
    let blueprint = blueprint::read(source, report)?;
    let platform = platform::resolve(&blueprint, report)?;
    if blueprint.base.files.is_some() {
        plan::hand_over(blueprint.base.files.as_ref(), &mut planned(platform), report);
    }
    (!report.failed()).then_some(())
}

/// The whole pipeline up to the plan.
pub fn draw(source: &Source, report: &mut Report) -> Option<Plan> {
    let blueprint = blueprint::read(source, report)?;
    let platform = platform::resolve(&blueprint, report)?;
    let mut plan = planned(platform);
    plan::hand_over(blueprint.base.files.as_ref(), &mut plan, report);
    (!report.failed()).then_some(plan)
}

/// All files, and what earlier versions called them.
fn planned(platform: Platform) -> Plan {
    let mut plan = plan::plan(platform);
    renames::apply(&renames::KNOWN, &mut plan);
    plan
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// 1 is a file that changed meanwhile, 2 another error with files, 70 a bug in this program.
pub fn guarded(run: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            say(&format!("error: {error:#}"));
            if error.downcast_ref::<Raced>().is_some() { ExitCode::FAILURE } else { ExitCode::from(2) }
        }
        Err(_) => {
            say("error: this is a bug in blueprint, not a mistake in your files; nothing more was written");
            say("help: report the message above, together with the blueprint");
            ExitCode::from(70)
        }
    }
}
