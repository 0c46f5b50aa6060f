//! How a comparison is shown: as lines, as a unified diff, as counts, as JSON, as Markdown. What differs was decided before, and where
//! it is printed is decided elsewhere.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde_json::json;

use crate::{
    compare::{Change, Conflict, Outcome},
    lock,
    words::shown,
};

/// The changes of one repository.
pub struct Repository<'a> {
    /// Its name.
    pub name: &'a str,
    /// In the order of their paths, the lock last.
    pub changes: &'a [Change],
}

/// How `diff` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A unified diff, coloured on a terminal.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// Markdown, complete.
    Markdown,
    /// Markdown for a comment on GitHub: folded by file, without locks, cut where GitHub would refuse it.
    Github,
}

/// The longest comment that GitHub accepts, in characters ("body is too long (maximum is 65536 characters)", the answer of its REST
/// API).
const COMMENT: usize = 65_536;

/// What is left of a comment for the sentence about what was cut, and for what a workflow writes above the difference.
const CUT: usize = 1_400;

/// How many lines of a conflict are shown.
const LINES: usize = 20;

/// A line of what `render` prints.
pub fn line(repository: &str, change: &Change) -> String {
    let path = shown(&change.path);
    match change.outcome {
        Outcome::Create => format!("+ {repository}/{path}"),
        Outcome::Update | Outcome::Marked => format!("~ {repository}/{path}"),
        Outcome::Delete => format!("- {repository}/{path}"),
        Outcome::Conflict(_) => format!("! {repository}/{path}: {}", change.reason()),
        Outcome::Unchanged | Outcome::Kept | Outcome::HandedOver | Outcome::Noted => {
            format!("  {repository}/{path}")
        }
    }
}

/// A line of what `check` prints: what is wrong with the file, and why where that can be told.
pub fn status_line(repository: &str, change: &Change) -> String {
    let path = shown(&change.path);
    let status = status(change);
    let why = match change.outcome {
        Outcome::Conflict(Conflict::Edited) => String::new(),
        Outcome::Conflict(_) => format!(": {}", change.reason()),
        Outcome::Update if change.old_text() == change.new.as_deref().unwrap_or_default() => {
            ": a script that cannot be executed".to_owned()
        }
        Outcome::Delete => change.by.as_ref().map(|by| format!(": was part of `{by}`")).unwrap_or_default(),
        _ => String::new(),
    };
    format!("{status:<9} {repository}/{path}{why}")
}

fn status(change: &Change) -> &'static str {
    match change.outcome {
        Outcome::Create if change.known => "missing",
        Outcome::Create => "new",
        Outcome::Update => "stale",
        Outcome::Delete => "left over",
        Outcome::Marked | Outcome::Conflict(Conflict::Edited | Conflict::Meets | Conflict::Unresolved) => {
            "edited"
        }
        Outcome::Conflict(Conflict::LeftOver) => "left over",
        Outcome::Conflict(Conflict::Foreign) => "foreign",
        Outcome::Conflict(Conflict::Moving) => "moving",
        Outcome::Conflict(Conflict::Stale) => "mismatched",
        Outcome::Conflict(Conflict::Pinned) => "pinned",
        Outcome::Conflict(Conflict::Outside) => "outside",
        Outcome::Kept => "kept",
        Outcome::HandedOver => "handed over",
        Outcome::Unchanged | Outcome::Noted => "unchanged",
    }
}

/// The unified diff from the file on disk to the planned text.
pub fn unified(repository: &str, change: &Change) -> String {
    let header = format!("{repository}/{}", shown(&change.path));
    between(&change.old_text(), change.new.as_deref().unwrap_or_default(), Some(&header))
}

fn between(old: &str, new: &str, header: Option<&str>) -> String {
    let difference = similar::TextDiff::from_lines(old, new);
    let mut unified = difference.unified_diff();
    if let Some(header) = header {
        unified.header(header, header);
    }
    unified.to_string()
}

/// The same text with colours for a terminal.
pub fn coloured(unified: &str) -> String {
    let style = |line: &str| {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Style::new().bold(),
            [b'+', ..] => colour(AnsiColor::Green),
            [b'-', ..] => colour(AnsiColor::Red),
            [b'@', ..] => colour(AnsiColor::Cyan),
            _ => Style::new(),
        }
    };
    unified.lines().fold(String::new(), |mut text, line| {
        let style = style(line);
        let _ = writeln!(text, "{style}{}{style:#}", on_terminal(line));
        text
    })
}

/// Control characters other than tabs are escaped, because a file on disk could change what a terminal shows.
fn on_terminal(line: &str) -> String {
    line.split('\t').map(shown).collect::<Vec<_>>().join("\t")
}

/// The lines that are added and removed in each file.
pub fn statistics(repositories: &[Repository<'_>]) -> String {
    let mut text = String::new();
    for Repository { name, changes } in repositories {
        for change in differing(changes) {
            let (added, removed) = counted(change);
            let _ = writeln!(
                text,
                "{:>7} {:>7}  {name}/{}",
                format!("+{added}"),
                format!("-{removed}"),
                shown(&change.path)
            );
        }
    }
    text
}

/// `3 to update, 1 in conflict`, or with the words of what was done.
pub fn summary<'c>(changes: impl Iterator<Item = &'c Change>, done: bool) -> String {
    let mut counts = [0; 6];
    for change in changes {
        counts[match change.outcome {
            Outcome::Create => 0,
            Outcome::Update => 1,
            Outcome::Delete => 2,
            Outcome::Marked => 3,
            Outcome::Conflict(_) => 4,
            Outcome::Unchanged | Outcome::Kept | Outcome::HandedOver | Outcome::Noted => 5,
        }] += 1;
    }
    let words = match done {
        true => ["created", "updated", "deleted", "with conflict markers", "in conflict", "unchanged"],
        false => {
            ["to create", "to update", "to delete", "to get conflict markers", "in conflict", "unchanged"]
        }
    };
    let named = counts.into_iter().zip(words).filter(|(count, _)| *count > 0);
    named.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// One document: the repositories, and in each the files that differ.
pub fn json(repositories: &[Repository<'_>]) -> String {
    let file = |repository: &str, change: &Change| {
        let (added, removed) = counted(change);
        json!({
            "path": change.path,
            "status": status(change),
            "conflict": change.conflict().map(|_| change.reason()),
            "by": change.by,
            "added": added,
            "removed": removed,
            "diff": unified(repository, change),
        })
    };
    let repository = |Repository { name, changes }: &Repository<'_>| {
        let files: Vec<_> = differing(changes).map(|change| file(name, change)).collect();
        json!({ "name": name, "summary": summary(changes.iter(), false), "files": files })
    };
    format!("{:#}\n", json!({ "repositories": repositories.iter().map(repository).collect::<Vec<_>>() }))
}

/// Markdown. `limited` is for a comment.
pub fn markdown(repositories: &[Repository<'_>], limited: bool) -> String {
    let limit = if limited { COMMENT - CUT } else { usize::MAX };
    let shown_in = |change: &&Change| !limited || change.path != lock::PATH;
    let mut text = String::new();
    for Repository { name, changes } in repositories {
        if differing(changes).any(|change| shown_in(&change)) {
            let _ = writeln!(text, "- **{name}**: {}", summary(changes.iter(), false));
        }
    }
    if text.is_empty() {
        return "Nothing changes.\n".to_owned();
    }
    let mut length = text.chars().count();
    let (mut all, mut whole) = (0, 0);
    for Repository { name, changes } in repositories {
        for change in differing(changes).filter(shown_in) {
            all += 1;
            let file = folded(name, change);
            if length + file.chars().count() <= limit {
                length += file.chars().count();
                whole += 1;
                text.push_str(&file);
            }
        }
    }
    if whole < all {
        let _ = writeln!(
            text,
            "\n{} of {all} files are not shown, because a comment on GitHub has at most {COMMENT} characters. `blueprint diff` shows all.",
            all - whole
        );
    }
    text
}

/// One file that unfolds. The fence is longer than any in the text.
fn folded(repository: &str, change: &Change) -> String {
    let (added, removed) = counted(change);
    let difference = unified(repository, change);
    let runs = difference.split(|sign| sign != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(runs.max(2) + 1);
    let path = shown(&change.path).replace('&', "&amp;").replace('<', "&lt;");
    let why = change.conflict().map(|_| format!(", {}", change.reason())).unwrap_or_default();
    format!(
        "\n<details>\n<summary><code>{repository}/{path}</code> ({}, +{added} −{removed}{why})</summary>\n\n{fence}diff\n{difference}{fence}\n\n</details>\n",
        status(change)
    )
}

/// The lines that are added and removed.
fn counted(change: &Change) -> (usize, usize) {
    let old = change.old_text();
    let difference = similar::TextDiff::from_lines(old.as_ref(), change.new.as_deref().unwrap_or_default());
    let of = |tag| difference.iter_all_changes().filter(|line| line.tag() == tag).count();
    (of(similar::ChangeTag::Insert), of(similar::ChangeTag::Delete))
}

/// What a person changed in a file, and what the render would change.
pub fn conflict(repository: &str, change: &Change) -> String {
    let path = format!("{repository}/{}", shown(&change.path));
    let mut text = format!("error: `{path}`: {}\n", change.reason());
    let mut part = |title: &str, old: &str, new: &str| {
        let difference = between(old, new, None);
        if difference.is_empty() {
            return;
        }
        let _ = writeln!(text, "  {title}:");
        for line in difference.lines().take(LINES) {
            let _ = writeln!(text, "    {}", on_terminal(line));
        }
        let more = difference.lines().count().saturating_sub(LINES);
        if more > 0 {
            let _ = writeln!(text, "    … {more} more lines");
        }
    };
    let (disk, new) = (change.old_text(), change.new.as_deref().unwrap_or_default());
    match &change.base {
        Some(Ok(base)) => {
            part("edited", base, &disk);
            if change.new.is_some() {
                part("changed by this render", base, new);
            }
        }
        _ if change.new.is_some() => part("what overwriting it would change", &disk, new),
        _ => {}
    }
    if let Some(Err(why)) = &change.base {
        let _ = writeln!(text, "  what was rendered last is not known: {why}");
    }
    text
}

fn differing(changes: &[Change]) -> impl Iterator<Item = &Change> {
    changes.iter().filter(|change| change.differs())
}
