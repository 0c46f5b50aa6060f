//! What is wrong with a blueprint, and how it is said. Nothing here decides what is wrong.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{
    source::{Located, Source, Span},
    words::Word,
};

/// Every finding of one run. Rules add to it and go on, so a person sees all their mistakes at once.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    excused: BTreeSet<String>,
    environments: BTreeSet<String>,
    here: Option<String>,
}

/// One mistake: a code to look up, a title, the places it concerns, and a way out.
#[derive(Debug)]
pub struct Finding {
    severity: Severity,
    code: &'static str,
    title: String,
    labels: Vec<(Span, String)>,
    help: Option<String>,
    environments: BTreeSet<String>,
}

/// An error renders nothing. A warning renders what was asked and says what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Report {
    /// What is added from here on concerns this environment.
    pub fn enter(&mut self, environment: Option<&str>) {
        self.here = environment.map(str::to_owned);
        self.environments.extend(self.here.clone());
    }

    /// A mistake in the base is found in every environment, and is still one mistake.
    pub fn add(&mut self, mut finding: Finding) {
        finding.environments.extend(self.here.clone());
        match self.findings.iter_mut().find(|known| known.same(&finding)) {
            Some(known) => known.environments.extend(finding.environments),
            None => self.findings.push(finding),
        }
    }

    /// Remembers a key that was taken out of the tree, so that nobody calls it missing.
    pub fn excuse(&mut self, path: &str) {
        self.excused.insert(path.to_owned());
    }

    /// Whether this very key was taken out.
    pub fn taken(&self, path: &str) -> bool {
        self.excused.contains(path)
    }

    /// Whether this key, what holds it or what it holds was taken out. A rule that misses something
    /// asks this first.
    pub fn excused(&self, path: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.excused.iter().any(|it| within(it, path) || within(path, it))
    }

    /// Reads a word by its rule. A missing word was reported by its shape, if it must be there.
    pub fn read<W: Word>(&mut self, word: Option<&Located<String>>) -> W {
        word.and_then(|word| self.try_read(word)).unwrap_or_default()
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

    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    pub fn failed(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The codes, in the order of the file.
    pub fn codes(&self) -> Vec<&'static str> {
        self.sorted().iter().map(|finding| finding.code).collect()
    }

    /// Empty if nothing was found.
    pub fn render(&self, source: &Source) -> String {
        if self.findings.is_empty() {
            return String::new();
        }
        let all = if self.environments.len() > 1 { self.environments.len() } else { usize::MAX };
        let parts: Vec<String> = self.sorted().iter().map(|finding| finding.render(source, all)).collect();
        parts.join("\n\n") + "\n"
    }

    fn sorted(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.labels.first().map(|(span, _)| span.start));
        findings
    }
}

impl Finding {
    pub fn new(code: &'static str, title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            title: title.into(),
            labels: Vec::new(),
            help: None,
            environments: BTreeSet::new(),
        }
    }

    pub fn warning(code: &'static str, title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(code, title) }
    }

    /// The first place is the primary one.
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn same(&self, other: &Self) -> bool {
        (self.code, &self.title, &self.labels) == (other.code, &other.title, &other.labels)
    }

    fn render(&self, source: &Source, all: usize) -> String {
        let mut snippet = Snippet::source(&source.text).path(&source.path);
        for (index, (span, label)) in self.labels.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            snippet = snippet.annotation(kind.span(span.clone()).label(label));
        }
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&self.title).id(self.code);
        let mut group = Group::with_title(title).element(snippet);
        if !self.environments.is_empty() && self.environments.len() < all {
            let names: Vec<String> = self.environments.iter().map(|name| format!("`{name}`")).collect();
            group = group.element(Level::NOTE.message(format!("in environment {}", names.join(", "))));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        Renderer::plain().render(&[group])
    }
}
