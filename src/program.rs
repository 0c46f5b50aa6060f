//! The programming language of an application, and the commands that check its code. The template of the Dockerfile builds the
//! image.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::{Catalogue, LanguageLine},
    diagnostics::{Finding, Report},
    source::Located,
    words::{Bareword, Memory, Text},
};

/// The programming language of an application, which decides how the code is checked and the image is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// A module with `package main` in its root folder.
    Go,
    /// A package with `package-lock.json`, the scripts `lint` and `test`, and its program as `main`.
    Node,
    /// A package `app` that runs as `python -m app`, with `requirements.txt` and `requirements-dev.txt` that contain hashes.
    Python,
    /// A crate with `Cargo.lock`, whose binary has the application's name.
    Rust,
    /// A Maven project that builds an executable `target/app.jar`.
    Java,
}

/// The commands that check a program, one step each.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Commands {
    /// The commands of the static checks, such as linters. Default: those of the language.
    lint: Option<Vec<Located<String>>>,
    /// The commands of the tests, which must pass before an image is built. Default: those of the language.
    test: Option<Vec<Located<String>>>,
}

/// The language and the commands of an application.
#[derive(Clone, Debug)]
pub struct Program {
    /// None if only commands are set: then the user provides toolchain and Dockerfile.
    pub language: Option<Language>,
    /// The line of versions of the language, within which robots raise its toolchain and its image. Empty without a language.
    pub line: String,
    /// The steps of the static checks. Empty if there are none.
    pub lint: Vec<Step>,
    /// The steps of the tests: at least one.
    pub test: Vec<Step>,
    /// Whether a starter program is written once.
    pub starter: bool,
}

/// A command of a workflow.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name of the step in the workflow.
    pub name: Text,
    /// The shell command.
    pub run: Text,
}

impl Program {
    /// Without `language` and `commands`, the language is Go.
    pub fn resolve(
        name: &Located<String>,
        language: Option<&Located<Language>>,
        version: Option<&Located<String>>,
        commands: Option<&Commands>,
        starter: Option<&Located<bool>>,
        report: &mut Report,
    ) -> Self {
        let language = match (language, commands) {
            (None, None) => Some(Language::Go),
            (asked, _) => asked.map(|asked| **asked),
        };
        let Commands { lint, test } = commands.cloned().unwrap_or_default();
        let mut steps = |asked: Option<Vec<Located<String>>>, own: fn(Language) -> &'static [Own]| match asked
        {
            Some(asked) => asked.iter().map(|it| Step::from_command(it, report)).collect::<Vec<_>>(),
            None => language.map(own).unwrap_or_default().iter().map(Step::ours).collect(),
        };
        let (lint, test) = (steps(lint, Language::lint), steps(test, Language::test));
        let known = !report.already_reported(&["applications", name, "language"])
            && !report.already_reported(&["applications", name, "commands"]);
        if test.is_empty() && known {
            report.add(
                Finding::new("application/commands", "`commands.test` is missing")
                    .at(name.span(), "without a `language`, `commands` must test this application")
                    .help("add `commands = { lint = [\"make lint\"], test = [\"make test\"] }`, or a `language`"),
            );
        }
        let in_go = language == Some(Language::Go);
        if let Some(asked) = starter.filter(|asked| ***asked && !in_go && known) {
            report.add(
                Finding::new("application/starter", "`starter` needs `language = \"go\"`")
                    .at(asked.span(), "the starter program is written in Go")
                    .help("remove `starter`, or write `language = \"go\"`"),
            );
        }
        let line = line(name, language, version, report);
        Self { language, line, lint, test, starter: starter.map_or(in_go, |asked| **asked) }
    }
}

/// The line that the blueprint sets, or that of the catalogue.
fn line(
    name: &Located<String>,
    language: Option<Language>,
    asked: Option<&Located<String>>,
    report: &mut Report,
) -> String {
    let catalogue = Catalogue::get();
    let asked = asked.filter(|_| !report.already_reported(&["applications", name, "language"]));
    let Some(language) = language else {
        if let Some(asked) = asked {
            report.add(
                Finding::new(
                    "application/language-version",
                    "`language-version` has no effect without a language",
                )
                .at(asked.span(), "without a `language`, your Dockerfile chooses the version")
                .help("remove `language-version`, or set a `language`"),
            );
        }
        return String::new();
    };
    let known = catalogue.language_lines(language.key());
    let default = known[0].to_owned();
    let Some(asked) = asked else { return default };
    if known.contains(&asked.as_str()) {
        return asked.to_string();
    }
    let words: Vec<String> = known.iter().map(|line| format!("`{line}`")).collect();
    let title = format!("`{}` is not a known version of `{}`", asked.escape_debug(), language.key());
    report.add(
        Finding::new("application/language-version", title)
            .at(asked.span(), format!("this release of blueprint knows {}", words.join(" and ")))
            .help(format!("write `language-version = \"{default}\"`, or remove it")),
    );
    default
}

impl Program {
    /// What the line of this program says instead of the catalogue's default.
    fn other(&self, key: &str) -> Option<&'static LanguageLine> {
        let language = self.language.filter(|it| it.key() == key)?;
        Catalogue::get().language_line(language.key(), &self.line)
    }

    /// The version of a toolchain in its workflows. Linters of every application run with Go.
    pub fn tool(&self, name: &str) -> &'static str {
        self.other(name).map_or_else(|| Catalogue::get().tool(name), |it| &it.tool)
    }

    /// The line of versions of such a toolchain.
    pub fn tool_line(&self, name: &str) -> &str {
        if self.other(name).is_some() { &self.line } else { Catalogue::get().tool_line(name) }
    }

    /// An image in its Dockerfile.
    pub fn image(&self, name: &'static str) -> Bareword {
        match self.builds_with(name) {
            Some(it) => Catalogue::tagged(name, &it.image, Some(&it.digest)),
            None => Catalogue::get().image(name),
        }
    }

    /// The line of versions of such an image. None if only its digest changes.
    pub fn image_line(&self, name: &str) -> Option<&str> {
        if self.builds_with(name).is_some() { Some(&self.line) } else { Catalogue::get().image_line(name) }
    }

    fn builds_with(&self, image: &str) -> Option<&'static LanguageLine> {
        let language = self.language.filter(|it| it.images()[0] == image)?;
        self.other(language.key())
    }

    /// The default memory of a pod.
    pub fn memory(&self) -> Memory {
        match self.language {
            // A Spring Boot service peaks at 224 to 308 MB, half of it outside the heap.
            Some(Language::Java) => Memory(512),
            _ => Memory(256),
        }
    }

    /// The language, and the least memory for a service that answers a few requests. None without a language.
    pub fn least_memory(&self) -> Option<(&'static str, Memory)> {
        // Twice the memory of the runtime with its HTTP server and metrics.
        Some(match self.language? {
            Language::Go => ("Go", Memory(32)),
            Language::Node => ("Node", Memory(128)),
            Language::Python => ("Python", Memory(64)),
            Language::Rust => ("Rust", Memory(16)),
            // 308 MB are 294 MiB. The heap takes half of the limit, so with less, the rest of the runtime does not fit beside it.
            Language::Java => ("Java", Memory(384)),
        })
    }

    /// The files whose change invalidates cached image layers, as arguments of `hashFiles`.
    pub fn layers(&self) -> Text {
        let lock = match self.language {
            Some(Language::Go) => ", 'go.sum'",
            Some(Language::Node) => ", 'package-lock.json'",
            Some(Language::Python) => ", 'requirements.txt'",
            Some(Language::Rust) => ", 'Cargo.lock'",
            Some(Language::Java) => ", 'pom.xml'",
            None => "",
        };
        Text::ours(format!("'Dockerfile'{lock}"))
    }

    /// The exit codes of a program that shut down gracefully after SIGTERM, as shell patterns.
    pub fn exit_codes(&self) -> &'static str {
        match self.language {
            // Both exit with the result of `main`. Without a handler, Go exits with 2 as the first process of a container, and a
            // Rust program does not exit at all: the kernel does not deliver unhandled signals to that process.
            Some(Language::Go | Language::Rust) => "0",
            // 143 is 128 + SIGTERM. A JVM, and so Spring Boot, exits with it after its shutdown hooks. Node and Python exit with
            // 0; frameworks that raise the signal again, such as uvicorn since 0.29, exit with 143 under an init process.
            _ => "0 | 143",
        }
    }
}

/// A step of a preset: its name and its command.
type Own = (&'static str, &'static str);

impl Language {
    /// Its name in a blueprint, and in the catalogue.
    pub fn key(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Node => "node",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::Java => "java",
        }
    }

    /// The images in its Dockerfile, as the catalogue names them: the one that builds, and the one that runs.
    pub fn images(self) -> [&'static str; 2] {
        match self {
            Self::Go => ["golang", "gcr.io/distroless/static-debian13"],
            Self::Node => ["node", "gcr.io/distroless/nodejs24-debian13"],
            Self::Python => ["python", "gcr.io/distroless/python3-debian13"],
            Self::Rust => ["rust", "gcr.io/distroless/cc-debian13"],
            Self::Java => ["maven", "gcr.io/distroless/java21-debian13"],
        }
    }

    /// The static checks of the language.
    fn lint(self) -> &'static [Own] {
        match self {
            Self::Go => &[
                ("Check the format", "test -z \"$(gofmt -l . | tee /dev/stderr)\""),
                ("Check the module files", "go mod tidy -diff"),
                ("Vet", "go vet ./..."),
            ],
            Self::Node => &[("Install packages", "npm ci --ignore-scripts"), ("Lint", "npm run lint")],
            Self::Python => &[
                (
                    "Install packages",
                    "python -m pip install --quiet --require-hashes --requirement requirements-dev.txt",
                ),
                ("Check the format", "ruff format --check ."),
                ("Lint", "ruff check ."),
            ],
            Self::Rust => &[
                ("Check the format", "cargo fmt --check"),
                ("Lint", "cargo clippy --locked --all-targets -- --deny warnings"),
            ],
            Self::Java => &[(
                "Compile without a warning",
                "mvn --batch-mode --no-transfer-progress test-compile -Dmaven.compiler.showWarnings=true -Dmaven.compiler.failOnWarning=true",
            )],
        }
    }

    fn test(self) -> &'static [Own] {
        match self {
            Self::Go => &[("Test", "go test -race ./...")],
            Self::Node => &[("Install packages", "npm ci"), ("Test", "npm test")],
            Self::Python => &[
                (
                    "Install packages",
                    "python -m pip install --quiet --require-hashes --requirement requirements.txt --requirement requirements-dev.txt",
                ),
                ("Test", "python -m pytest"),
            ],
            Self::Rust => &[("Test", "cargo test --locked")],
            Self::Java => &[("Test", "mvn --batch-mode --no-transfer-progress verify")],
        }
    }
}

impl Step {
    fn ours((name, run): &Own) -> Self {
        Self { name: Text::ours(*name), run: Text::ours(*run) }
    }

    fn from_command(command: &Located<String>, report: &mut Report) -> Self {
        if command.is_empty() {
            report.add(
                Finding::new("application/commands", "a command is empty")
                    .at(command.span(), "nothing would run")
                    .help("write a command, such as `make test`, or remove it"),
            );
        }
        let run: Text = report.value(Some(command));
        Self { name: run.clone(), run }
    }
}
