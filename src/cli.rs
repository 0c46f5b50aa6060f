//! The commands. Three of them use the same comparison.
#![expect(clippy::print_stderr, reason = "what a person reads goes out here, and only here")]

use std::{
    io::{self, ErrorKind, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::{
    blueprint,
    compare::{Change, Outcome, compare},
    diagnostics::{Report, Severity},
    disk,
    plan::{self, Files, Plan},
    platform,
    source::Source,
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
        /// Overwrite this file although it is in conflict: the edits in it are lost. Can be repeated
        #[arg(long, value_name = "REPOSITORY/PATH")]
        overwrite: Vec<String>,
    },
    /// Show what `render` would change, line by line
    Diff(Target),
    /// Fail if `render` would change anything
    Check(Target),
    /// Report the errors and warnings in a blueprint
    Validate(Asked),
    /// Print the JSON Schema of blueprints
    Schema,
}

#[derive(Args)]
struct Asked {
    /// The blueprint [default: `blueprint.toml`, else the only file in `blueprints/`]
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
enum Purpose<'a> {
    Render { dry: bool, overwrite: &'a [String] },
    Diff,
    Check,
}

impl Cli {
    /// The exit code of the command. An error if files cannot be read or written, or an argument does not fit the plan.
    pub fn run(&self) -> Result<ExitCode> {
        let mut out = io::stdout().lock();
        match &self.verb {
            Verb::Render { target, dry_run, overwrite } => {
                target.run(&Purpose::Render { dry: *dry_run, overwrite }, &mut out)
            }
            Verb::Diff(target) => target.run(&Purpose::Diff, &mut out),
            Verb::Check(target) => target.run(&Purpose::Check, &mut out),
            Verb::Validate(asked) => Ok(match asked.plan()?.1 {
                Some(_) => ExitCode::SUCCESS,
                None => ExitCode::FAILURE,
            }),
            Verb::Schema => {
                writeln!(out, "{:#}", blueprint::schema())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Asked {
    /// The path of the blueprint, and its plan if it may be rendered. Findings are printed to stderr.
    fn plan(&self) -> Result<(PathBuf, Option<Plan>)> {
        let path = match &self.blueprint {
            Some(path) => path.clone(),
            None => disk::blueprint()?,
        };
        let source = disk::source(&path)?;
        let mut report = Report::default();
        let plan = draw(&source, &mut report);
        eprint!("{}", report.render(&source));
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        if errors + warnings > 0 {
            eprintln!("\n{}: {}, {}", path.display(), count(errors, "error"), count(warnings, "warning"));
        }
        Ok((path, plan.filter(|_| warnings == 0 || !self.deny_warnings)))
    }
}

impl Target {
    fn run(&self, purpose: &Purpose, out: &mut impl Write) -> Result<ExitCode> {
        let (path, Some(plan)) = self.asked.plan()? else { return Ok(ExitCode::FAILURE) };
        let default = || Path::new("generated").join(path.file_stem().unwrap_or_default());
        let root = self.out.clone().unwrap_or_else(default);
        let (write, overwrite) = match purpose {
            Purpose::Render { dry, overwrite } => (!dry, *overwrite),
            _ => (false, &[][..]),
        };
        let mut all = self.compared(&plan, &root)?;
        for path in overwrite {
            resolve(&mut all, path)?;
        }
        let changes = || all.iter().flat_map(|(name, _, changes)| changes.iter().map(move |it| (*name, it)));
        let conflict = changes().find(|(_, change)| matches!(change.outcome, Outcome::Conflict(_)));
        if write && conflict.is_none() {
            all.iter().try_for_each(|(_, folder, changes)| disk::apply(folder, changes))?;
        }
        // What stands last is seen first.
        let (last, first): (Vec<_>, Vec<_>) = changes()
            .filter(|(_, change)| change.differs())
            .partition(|(_, change)| matches!(change.outcome, Outcome::Conflict(_)));
        for (repository, change) in first.into_iter().chain(last) {
            match purpose {
                Purpose::Diff => write!(out, "{}", change.diff(repository))?,
                _ => writeln!(out, "{}", change.line(repository))?,
            }
        }
        out.flush()?;
        let summary = summary(changes().map(|(_, change)| change.outcome), write && conflict.is_none());
        eprintln!("{summary}");
        let differs = changes().any(|(_, change)| change.differs());
        Ok(match (conflict, purpose) {
            (Some((repository, change)), _) => {
                eprintln!(
                    "error: files that somebody else changed or made stand in the way: nothing was written"
                );
                eprintln!("help: move the change into the blueprint, or the file to another name");
                eprintln!(
                    "help: `blueprint render --overwrite {repository}/{}` takes what is rendered and loses what was edited",
                    change.path
                );
                if all.len() > 1 {
                    eprintln!("help: `--only REPOSITORY` renders a repository without such files");
                }
                ExitCode::FAILURE
            }
            (None, Purpose::Check) if differs => {
                eprintln!("error: `{}` is not what `{}` renders", root.display(), path.display());
                eprintln!("help: run `blueprint render` and commit the result");
                ExitCode::from(DIFFERENT)
            }
            (None, Purpose::Diff) if differs => ExitCode::from(DIFFERENT),
            _ => ExitCode::SUCCESS,
        })
    }

    /// The repositories that are looked at, each with its folder and what differs there.
    fn compared<'p>(&self, plan: &'p Plan, root: &Path) -> Result<Vec<(&'p String, PathBuf, Vec<Change>)>> {
        let known = || plan.repositories.keys().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        if let Some(unknown) = self.only.iter().find(|it| !plan.repositories.contains_key(*it)) {
            bail!("`--only` names `{unknown}`, and the repositories of this blueprint are {}", known());
        }
        let asked = |name: &String| self.only.is_empty() || self.only.contains(name);
        let compared = |(name, files): (&'p String, &Files)| {
            let folder = root.join(name);
            let changes = compare(files, disk::hash(&folder), |path| disk::read(&folder, path))
                .with_context(|| format!("in `{}`", folder.display()))?;
            Ok((name, folder, changes))
        };
        plan.repositories.iter().filter(|(name, _)| asked(name)).map(compared).collect()
    }
}

/// Decides a conflict for what is rendered.
fn resolve(all: &mut [(&String, PathBuf, Vec<Change>)], path: &str) -> Result<()> {
    let mut changes =
        all.iter_mut().flat_map(|(name, _, changes)| changes.iter_mut().map(move |it| (&**name, it)));
    let found = changes.find(|(name, change)| {
        path.strip_prefix(*name).and_then(|it| it.strip_prefix('/')) == Some(&change.path)
    });
    match found {
        Some((_, change)) if matches!(change.outcome, Outcome::Conflict(_)) => {
            change.outcome = if change.new.is_some() { Outcome::Update } else { Outcome::Delete };
            Ok(())
        }
        _ => bail!(
            "`--overwrite` names `{path}`, which is not in conflict: write `REPOSITORY/PATH`, as `render` prints it"
        ),
    }
}

/// The whole pipeline up to the plan.
pub fn draw(source: &Source, report: &mut Report) -> Option<Plan> {
    let blueprint = blueprint::read(source, report)?;
    let platform = platform::resolve(&blueprint, report)?;
    Some(plan::plan(platform))
}

fn summary(outcomes: impl Iterator<Item = Outcome>, done: bool) -> String {
    let mut counts = [0; 5];
    for outcome in outcomes {
        counts[match outcome {
            Outcome::Create => 0,
            Outcome::Update => 1,
            Outcome::Delete => 2,
            Outcome::Conflict(_) => 3,
            Outcome::Unchanged | Outcome::Kept | Outcome::Noted => 4,
        }] += 1;
    }
    let words = match done {
        true => ["created", "updated", "deleted", "in conflict", "unchanged"],
        false => ["to create", "to update", "to delete", "in conflict", "unchanged"],
    };
    let said = counts.into_iter().zip(words).filter(|(count, _)| *count > 0);
    said.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// 2 is an error with files, 70 a bug in this program.
pub fn guarded(run: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(code)) => code,
        // `blueprint schema | head` has seen enough.
        Ok(Err(error))
            if error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
        Err(_) => {
            eprintln!(
                "error: this is a bug in blueprint, not a mistake in your files; nothing more was written"
            );
            eprintln!("help: report the message above, together with the blueprint");
            ExitCode::from(70)
        }
    }
}
