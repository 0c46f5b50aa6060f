use blueprint::components::Specs;

use crate::walk;

/// A module uses only the modules above it in `lib.rs`.
#[test]
fn modules_use_only_those_above() {
    let modules: Vec<&str> = include_str!("../../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    for (path, text) in walk("src").into_iter().filter(|(path, _)| path.ends_with(".rs")) {
        let module = path.split(['/', '.']).next().unwrap();
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let position = modules.iter().position(|it| *it == module);
        let position =
            position.unwrap_or_else(|| panic!("`src/{path}` is no module of `lib.rs`: add it there"));
        for below in &modules[position + 1..] {
            assert!(
                !uses(&text, below),
                "`src/{path}` uses `{below}`, which is below `{module}` in `lib.rs`"
            );
        }
    }
}

fn uses(text: &str, module: &str) -> bool {
    text.contains(&format!("crate::{module}::"))
        || text.split("use crate::").skip(1).any(|rest| {
            let tree = rest.split(';').next().unwrap_or_default();
            tree.split(['{', '}', ',']).any(|part| part.trim().split("::").next() == Some(module))
        })
}

/// The test above detects imports.
#[test]
fn an_import_is_seen() {
    for text in [
        "use crate::plan;",
        "use crate::{\n    page::Page,\n    plan::{self, Plan},\n};",
        "x(crate::plan::plan())",
    ] {
        assert!(uses(text, "plan"), "{text}");
    }
    assert!(!uses("use crate::{page::Page, platform};", "plan"));
}

/// Everything that others need to know about a component is in its contribution.
#[test]
fn components_never_name_each_other() {
    for name in Specs::NAMES {
        let kebab = name.replace('_', "-");
        let others =
            walk("src/components").into_iter().filter(|(path, _)| path.strip_suffix(".rs") != Some(name));
        for (path, text) in others {
            let named =
                |text: &str| text.contains(&format!("{name}::")) || text.contains(&format!("\"{kebab}\""));
            assert!(!named(&text), "`src/components/{path}` names `{kebab}`");
        }
    }
}

/// `Decided` says whether a value is a placeholder. A comparison with a default could mistake a real value for one.
#[test]
fn no_rule_compares_with_a_default() {
    for (path, text) in walk("src") {
        for line in text.lines().filter(|line| line.contains("::default()")) {
            let compares = ["== ", "!= "].iter().any(|mark| {
                line.split(mark).nth(1).is_some_and(|rest| {
                    rest.split([' ', ')']).next().unwrap_or_default().contains("::default(")
                })
            });
            assert!(!compares, "`src/{path}` compares with a default: {line}");
        }
    }
}

/// `|safe` would bypass the escaper.
#[test]
fn no_template_bypasses_the_escaper() {
    for (path, text) in walk("templates") {
        assert!(!text.contains("|safe") && !text.contains("| safe"), "`templates/{path}` uses `safe`");
        let heredoc = (path.ends_with(".tf") || path.ends_with(".hcl")) && text.contains("<<");
        assert!(!heredoc, "`templates/{path}` has a heredoc, which `align` does not read");
        for line in text.lines().filter(|line| line.contains("#%")) {
            assert!(
                line.trim_start().starts_with("#%-"),
                "`templates/{path}`: open a tag with `#%-`, so it leaves no trace"
            );
        }
    }
}

/// YAML guesses the type of unquoted words (`no`, `1.30`, `1e3`), so each value has a filter.
#[test]
fn yaml_values_have_a_filter() {
    for (path, text) in walk("templates") {
        if !path.ends_with(".yaml") && !path.ends_with(".yml") {
            continue;
        }
        for (before, tag) in text.match_indices("#{").map(|(at, _)| (&text[..at], &text[at..])) {
            let tag = tag.split("}#").next().unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            let value =
                (before.ends_with(": ") || before.ends_with("- ")) && !line.trim_start().starts_with('#');
            let quoted =
                ["|yaml", "|number", "|bare", "|scalar", "|uses"].iter().any(|filter| tag.contains(filter));
            assert!(!value || quoted, "`templates/{path}`: quote `{tag}}}#`");
        }
    }
}

/// Actions come from the catalogue, so that all workflows use the same commit.
#[test]
fn actions_come_from_the_catalogue() {
    for (path, text) in walk("templates") {
        for line in
            text.lines().filter(|line| line.trim_start().trim_start_matches("- ").starts_with("uses: "))
        {
            let own = line.contains("uses: ./");
            assert!(
                own || line.contains("|uses }#"),
                "`templates/{path}`: take it from the catalogue: {line}"
            );
        }
    }
}

/// `src` has no test harness (`test = false` in `Cargo.toml`), so a test there would never run.
#[test]
fn no_test_stands_where_none_runs() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    assert_eq!(manifest["lib"]["test"].as_bool(), Some(false));
    for (path, text) in walk("src") {
        assert!(!text.contains("#[test]"), "`src/{path}` has a test: move it to `tests/it`");
    }
}

/// Each file starts with what it is, and what it is not.
#[test]
fn each_file_opens_with_what_it_is() {
    for (path, text) in walk("src").into_iter().filter(|(path, _)| path.ends_with(".rs")) {
        assert!(text.starts_with("//! "), "`src/{path}` does not open with `//!`");
    }
}

/// Each package has one line in `Cargo.toml`, which says what it is for.
#[test]
fn each_package_has_a_purpose() {
    let text = include_str!("../../Cargo.toml");
    let sections = text.split("\n[").filter(|section| section.contains("dependencies]"));
    let lines = sections.flat_map(|section| section.lines().skip(1).filter(|line| line.contains(" = ")));
    let mut count = 0;
    for line in lines {
        count += 1;
        let job = line.rsplit_once(" # ").map(|(_, job)| job).unwrap_or_default();
        assert!(job.len() > 5, "say what it is for: `{line}`");
    }
    assert!(count > 15, "the packages were not found");
}

/// The project's own workflows use the same actions as rendered ones: those of the catalogue, at its commits.
#[test]
fn own_workflows_use_the_catalogue() {
    let catalogue: toml::Table = include_str!("../../src/catalogue.toml").parse().unwrap();
    let mut count = 0;
    for (path, text) in walk(".github/workflows") {
        for line in
            text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("uses: "))
        {
            let name = line.split('@').next().unwrap();
            let row =
                catalogue["actions"].get(name).unwrap_or_else(|| panic!("`{name}` is not in the catalogue"));
            let pinned =
                format!("{name}@{} # {}", row["sha"].as_str().unwrap(), row["tag"].as_str().unwrap());
            assert_eq!(line, pinned, "`.github/workflows/{path}`");
            count += 1;
        }
    }
    assert!(count > 0, "no workflow uses an action");
}

/// Both texts that `license` in `Cargo.toml` names are in the repository.
#[test]
fn the_license_texts_are_there() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    assert_eq!(manifest["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
    for (file, title) in [("LICENSE-MIT", "MIT License\n"), ("LICENSE-APACHE", "Apache License\n")] {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.trim_start().starts_with(title), "`{file}` is another text");
    }
}

/// Phrases that were replaced by plain terms. Each is in two parts, so that the test does not find this list.
const REMOVED: [(&str, &str); 16] = [
    ("if you do", " not say"),
    ("where nobody", " says"),
    ("nothing is", " decided by it"),
    ("on by", " itself"),
    ("the most is less", " than the fewest"),
    ("life and", " readiness"),
    ("nobody is", " let in"),
    ("a mistake", " in blueprint"),
    ("a mistake", " of ours"),
    ("the next pair", " of hands"),
    ("leave it", " out, or"),
    ("can be", " carved"),
    ("nobody would", " find it"),
    ("what must be", " allowed for"),
    ("somebody to", " aws"),
    ("makes", " up and forgets"),
];

/// CONTRIBUTING.md requires plain technical English: phrases that were removed must not come back.
#[test]
fn removed_phrases_stay_removed() {
    let pages = ["README.md", "CONTRIBUTING.md", "conformance/README.md", "conformance/live/README.md"];
    let pages = pages.map(|path| (path.to_owned(), std::fs::read_to_string(path).unwrap()));
    let folders = ["src", "templates", "blueprints"];
    let files = folders.iter().flat_map(|folder| {
        walk(folder).into_iter().map(move |(path, text)| (format!("{folder}/{path}"), text))
    });
    for (path, text) in files.chain(pages) {
        // The style page shows bad examples in a table. A phrase may span two lines of a comment.
        let lines = text.lines().filter(|line| !line.starts_with("| \""));
        let words: Vec<&str> = lines
            .flat_map(str::split_whitespace)
            .filter(|it| !["#", "//", "///", "//!"].contains(it))
            .collect();
        let text = words.join(" ").to_lowercase();
        for (begin, end) in REMOVED {
            assert!(
                !text.contains(&format!("{begin}{end}")),
                "`{path}`: say `{begin}{end}` in plain words, see CONTRIBUTING.md"
            );
        }
    }
}
