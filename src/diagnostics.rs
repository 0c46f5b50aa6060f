//! Errors and warnings about a blueprint, and how they are printed. The checks are elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{
    source::{Decided, Located, Source, Span},
    words::{Word, masked, shown},
};

/// The number of findings that are printed. A person reads no more before the first ones are corrected.
const MOST: usize = 50;

/// Every finding of one run. Checks add findings and continue, so that one run reports all of them.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    /// The indices in `findings` of those with a code and a place.
    known: BTreeMap<(&'static str, Span), Vec<usize>>,
    removed: BTreeSet<Scope>,
    environments: BTreeSet<String>,
    current: Option<String>,
}

/// A key of a blueprint, in one environment or outside `[environments]`, which all of them build on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    environment: Option<String>,
    path: Vec<String>,
}

/// A finding without its place. It cannot be reported yet.
#[derive(Debug)]
pub struct Mistake {
    severity: Severity,
    code: &'static str,
    title: String,
}

/// One mistake: a code to look up, a place, a title, and what to do.
#[derive(Debug)]
pub struct Finding {
    severity: Severity,
    code: &'static str,
    place: Span,
    /// One place in the file is one finding, but its message may differ between environments.
    messages: Vec<Message>,
}

/// The message of a finding, and the environments that it is about.
#[derive(Debug)]
struct Message {
    title: String,
    label: String,
    help: Option<String>,
    environments: BTreeSet<String>,
    /// Whether it is also about the keys outside `[environments]`.
    everywhere: bool,
}

/// With an error nothing is rendered. With a warning the blueprint is rendered as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is rendered.
    Error,
    /// The blueprint is rendered, unless `--deny-warnings` is set.
    Warning,
}

impl Report {
    /// The findings that are added from now on are about this environment.
    pub fn enter(&mut self, environment: Option<&str>) {
        self.current = environment.map(str::to_owned);
        self.environments.extend(self.current.clone());
    }

    /// A mistake at one place of the file is one finding, in however many environments it is found.
    pub fn add(&mut self, mut finding: Finding) {
        for message in &mut finding.messages {
            message.environments.extend(self.current.clone());
            message.everywhere = self.current.is_none();
        }
        let known = self.known.entry((finding.code, finding.place.clone())).or_default();
        let duplicate = known.iter().copied().find(|it| self.findings[*it].covers(&finding));
        let elsewhere =
            || known.iter().copied().find(|it| !self.findings[*it].holds_in(self.current.as_deref()));
        match duplicate.or_else(elsewhere) {
            Some(known) => self.findings[known].join(finding),
            None => {
                known.push(self.findings.len());
                self.findings.push(finding);
            }
        }
    }

    /// Records a key that was removed from the tree, so that no rule reports it as missing.
    pub fn mark_removed(&mut self, path: Vec<String>) {
        self.removed.insert(Scope { environment: self.current.clone(), path });
    }

    /// Whether exactly this key was removed, from this environment or from the keys outside `[environments]`.
    pub fn was_removed<K: AsRef<str>>(&self, path: &[K]) -> bool {
        let same = |scope: &Scope| scope.path.len() == path.len() && starts_with(&scope.path, path);
        self.within_reach().any(same)
    }

    /// Whether any key was removed.
    pub fn has_removed(&self) -> bool {
        !self.removed.is_empty()
    }

    /// Whether this key, a table around it or a key inside it was removed, which was reported. A rule about a missing key checks
    /// this first.
    pub fn already_reported(&self, path: &[&str]) -> bool {
        self.within_reach().any(|scope| starts_with(&scope.path, path) || starts_with(path, &scope.path))
    }

    fn within_reach(&self) -> impl Iterator<Item = &Scope> {
        self.removed.iter().filter(|it| it.environment.is_none() || it.environment == self.current)
    }

    /// Reads a word by its rule. `validation` has reported a required word that is missing.
    pub fn read<W: Word>(&mut self, word: Option<&Located<String>>) -> Decided<W> {
        let read = word.and_then(|word| self.try_read(word));
        read.map_or_else(|| Decided::Placeholder(W::default()), Decided::Set)
    }

    /// The same, for a value that no rule compares.
    pub fn value<W: Word>(&mut self, word: Option<&Located<String>>) -> W {
        self.read::<W>(word).value()
    }

    /// The same, for an optional value.
    pub fn read_or<W: Word>(&mut self, word: Option<&Located<String>>, default: W) -> Decided<W> {
        match word {
            None => Decided::Default(default),
            word => self.read(word),
        }
    }

    /// None if the word does not follow its rule, which is reported.
    pub fn try_read<W: Word>(&mut self, word: &Located<String>) -> Option<W> {
        let read = W::read(word);
        if read.is_none() {
            let title = format!("`{}` is not {}", word.escape_debug(), W::WHAT);
            self.add(Finding::new(W::CODE, title).at(word.span(), W::RULE));
        }
        read
    }

    /// The number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether there is an error.
    pub fn failed(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The codes, in the order of the file.
    pub fn codes(&self) -> Vec<&'static str> {
        self.sorted().iter().map(|finding| finding.code).collect()
    }

    /// The findings as text, at most the first 50 of them. Empty if there are none.
    pub fn render(&self, source: &Source) -> String {
        if self.findings.is_empty() {
            return String::new();
        }
        let all = if self.environments.len() > 1 { self.environments.len() } else { usize::MAX };
        let masked = masked(&source.text);
        let lines = Lines::new(&masked);
        let (first, rest) = self.first();
        let findings = first.iter().map(|finding| finding.render(&lines, &source.path, all));
        let parts: Vec<String> = findings.chain(more(&rest)).collect();
        parts.join("\n\n") + "\n"
    }

    /// What is shown, in the order of the file, and the rest.
    fn first(&self) -> (Vec<&Finding>, Vec<&Finding>) {
        let mut first = self.sorted();
        first.sort_by_key(|finding| finding.severity);
        let rest = first.split_off(first.len().min(MOST));
        first.sort_by_key(|finding| finding.start());
        (first, rest)
    }

    fn sorted(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.start());
        findings
    }
}

/// The last line where not all findings are shown.
fn more(rest: &[&Finding]) -> Option<String> {
    let count = |severity| rest.iter().filter(|finding| finding.severity == severity).count();
    let said = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let said: Vec<String> = said
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} more {what}{}", if count == 1 { "" } else { "s" }))
        .collect();
    (!said.is_empty()).then(|| format!("… and {}", said.join(", ")))
}

impl Mistake {
    /// `label` says what is wrong with the text at this place.
    pub fn at(self, place: Span, label: impl Into<String>) -> Finding {
        let Self { severity, code, title } = self;
        let message = Message {
            title,
            label: label.into(),
            help: None,
            environments: BTreeSet::new(),
            everywhere: false,
        };
        Finding { severity, code, place, messages: vec![message] }
    }
}

impl Finding {
    /// An error. `code` is its stable identifier, such as `cluster/nodes`; `title` says what is wrong.
    #[expect(clippy::new_ret_no_self, reason = "without a place there is no finding")]
    pub fn new(code: &'static str, title: impl Into<String>) -> Mistake {
        Mistake { severity: Severity::Error, code, title: title.into() }
    }

    /// A warning. The arguments are those of `new`.
    pub fn warning(code: &'static str, title: impl Into<String>) -> Mistake {
        Mistake { severity: Severity::Warning, ..Self::new(code, title) }
    }

    /// Adds what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        self.messages.iter_mut().for_each(|message| message.help = Some(help.clone()));
        self
    }

    fn start(&self) -> usize {
        self.place.range().start
    }

    /// Whether the other one has no new message.
    fn covers(&self, other: &Self) -> bool {
        other.messages.iter().all(|new| self.messages.iter().any(|it| it.same(new)))
    }

    /// Whether it already has a message about this environment. Two messages in one environment are two findings.
    fn holds_in(&self, environment: Option<&str>) -> bool {
        let here = |message: &Message| match environment {
            None => message.everywhere,
            Some(name) => message.environments.contains(name),
        };
        self.messages.iter().any(here)
    }

    fn join(&mut self, other: Self) {
        for new in other.messages {
            match self.messages.iter_mut().find(|it| it.same(&new)) {
                Some(known) => {
                    known.environments.extend(new.environments);
                    known.everywhere |= new.everywhere;
                }
                None => self.messages.push(new),
            }
        }
    }

    fn render(&self, lines: &Lines<'_>, path: &str, all: usize) -> String {
        let [message, others @ ..] = self.messages.as_slice() else { return String::new() };
        let Excerpt { text, first, place } = lines.around(self.place.range());
        let place = AnnotationKind::Primary.span(place).label(shown(&message.label));
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(shown(&message.title)).id(self.code);
        let snippet = Snippet::source(text).line_start(first).path(path).annotation(place);
        let mut group = Group::with_title(title).element(snippet);
        if !message.everywhere && !message.environments.is_empty() && message.environments.len() < all {
            group = group.element(Level::NOTE.message(message.place()));
        }
        for other in others {
            let note = format!("{}: {}: {}", other.place(), other.title, other.label);
            group = group.element(Level::NOTE.message(shown(&note)));
        }
        let first = message.help.iter().cloned();
        let differing = others.iter().filter(|other| other.help != message.help);
        let rest = differing.filter_map(|it| Some(format!("{}: {}", it.place(), it.help.as_ref()?)));
        for help in first.chain(rest) {
            group = group.element(Level::HELP.message(shown(&help)));
        }
        Renderer::plain().render(&[group])
    }
}

impl Message {
    fn same(&self, other: &Self) -> bool {
        (&self.title, &self.label, &self.help) == (&other.title, &other.label, &other.help)
    }

    fn place(&self) -> String {
        if self.environments.is_empty() {
            return "outside `[environments]`".to_owned();
        }
        let names: Vec<String> = self.environments.iter().map(|name| format!("`{}`", shown(name))).collect();
        format!("in environment {}", names.join(", "))
    }
}

/// Where the lines of a text begin. The renderer reads all of the text that it is given, so each finding gives it only its own lines.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

/// Some lines of a text, the number of the first, and where in them a finding is.
struct Excerpt<'a> {
    text: &'a str,
    first: usize,
    place: Range<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: [0].into_iter().chain(breaks.filter(|it| *it < text.len())).collect() }
    }

    /// The lines of a place, and the line before: the renderer derives the width of the line numbers from it.
    fn around(&self, place: Range<usize>) -> Excerpt<'a> {
        let line = |at: usize| self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        let first = line(place.start).saturating_sub(1);
        let start = self.starts[first];
        let end = self.starts.get(line(place.end) + 1).copied().unwrap_or(self.text.len());
        Excerpt {
            text: &self.text[start..end],
            first: first + 1,
            place: place.start - start..place.end - start,
        }
    }
}

fn starts_with<A: AsRef<str>, B: AsRef<str>>(path: &[A], head: &[B]) -> bool {
    path.len() >= head.len() && path.iter().zip(head).all(|(key, other)| key.as_ref() == other.as_ref())
}
