//! The verbs of the command line. Three of them stand on one comparison.

use std::{
    io::{self, ErrorKind, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    blueprint,
    compare::{Change, Outcome, compare},
    diagnostics::{Report, Severity},
    disk,
    plan::{self, Plan},
    platform,
    source::Source,
};

/// Renders the repositories of a platform on AWS from one TOML blueprint.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, and nothing differs; 1 mistakes in the blueprint, differences or conflicts; 2 wrong usage; 70 a mistake in blueprint itself."
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
        /// Say what would be written, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what `render` would change, line by line
    Diff(Target),
    /// Fail if `render` would change anything
    Check(Target),
    /// Report the mistakes in a blueprint, and look at nothing else
    Validate(Asked),
    /// Print the JSON Schema of blueprints
    Schema,
}

#[derive(Args)]
struct Asked {
    /// A blueprint [default: `blueprint.toml`, else the only file in `blueprints/`]
    blueprint: Option<PathBuf>,
    /// Take warnings for errors
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Args)]
struct Target {
    #[command(flatten)]
    asked: Asked,
    /// Where the folders of the repositories live [default: `generated/` and the blueprint's file name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is done with the differences.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Render { dry: bool },
    Diff,
    Check,
}

impl Cli {
    pub fn run(&self) -> Result<ExitCode> {
        let mut out = io::stdout().lock();
        match &self.verb {
            Verb::Render { target, dry_run } => target.run(Purpose::Render { dry: *dry_run }, &mut out),
            Verb::Diff(target) => target.run(Purpose::Diff, &mut out),
            Verb::Check(target) => target.run(Purpose::Check, &mut out),
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
    /// The blueprint's path, and what it plans if it may be rendered. What was found is said on stderr.
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
    fn run(&self, purpose: Purpose, out: &mut impl Write) -> Result<ExitCode> {
        let (path, Some(plan)) = self.asked.plan()? else { return Ok(ExitCode::FAILURE) };
        let default = || Path::new("generated").join(path.file_stem().unwrap_or_default());
        let root = self.out.clone().unwrap_or_else(default);
        let mut all: Vec<(&String, PathBuf, Vec<Change>)> = Vec::new();
        for (repository, files) in &plan.repositories {
            let folder = root.join(repository);
            let changes = compare(files, |path| disk::read(&folder, path))?;
            all.push((repository, folder, changes));
        }
        let changes = || all.iter().flat_map(|(name, _, changes)| changes.iter().map(move |it| (*name, it)));
        let conflict = changes().any(|(_, change)| matches!(change.outcome, Outcome::Conflict(_)));
        if purpose == (Purpose::Render { dry: false }) && !conflict {
            all.iter().try_for_each(|(_, folder, changes)| disk::apply(folder, changes))?;
        }
        for (repository, change) in changes().filter(|(_, change)| change.differs()) {
            match purpose {
                Purpose::Diff => write!(out, "{}", change.diff(repository))?,
                _ => writeln!(out, "{}", change.line(repository))?,
            }
        }
        out.flush()?;
        let done = purpose == (Purpose::Render { dry: false }) && !conflict;
        eprintln!("{}", summary(changes().map(|(_, change)| change.outcome), done));
        let differs = changes().any(|(_, change)| change.differs());
        Ok(match purpose {
            _ if conflict => {
                eprintln!("error: someone else's work would be lost, so nothing was written");
                eprintln!("help: move the change into the blueprint, or the file out of the way");
                ExitCode::FAILURE
            }
            Purpose::Check if differs => {
                eprintln!("error: `{}` is not what `{}` says", root.display(), path.display());
                eprintln!("help: run `blueprint render` and commit the result");
                ExitCode::FAILURE
            }
            Purpose::Diff if differs => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        })
    }
}

/// The whole house in three lines.
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
            Outcome::Unchanged | Outcome::Kept => 4,
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

/// Tells a person's mistake from ours: 2 is trouble with files, 70 a mistake in this program.
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
            eprintln!("error: this is a mistake in blueprint, not in your files; nothing more was written");
            eprintln!("help: report the message above, with the blueprint that led to it");
            ExitCode::from(70)
        }
    }
}
