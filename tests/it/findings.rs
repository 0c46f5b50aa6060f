use std::{collections::BTreeSet, path::Path};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use blueprint::{
    cli::{draw, validate},
    diagnostics::{Finding, Report, Severity},
    source::Source,
    validation,
};
use snapbox::{Data, assert_data_eq};

use crate::{walk, wide};

fn report(name: &str) -> (Report, Source) {
    let text = walk("tests/findings").remove(&format!("{name}.toml")).unwrap();
    let source = Source { path: format!("{name}.toml"), text };
    let mut report = Report::default();
    assert!(draw(&source, &mut report).is_none(), "`{name}.toml` should be refused");
    let mut validated = Report::default();
    assert!(validate(&source, &mut validated).is_none());
    assert_eq!(validated.render(&source), report.render(&source), "`validate` has the findings of `render`");
    (report, source)
}

fn fixtures() -> Vec<String> {
    walk("tests/findings").keys().filter_map(|path| Some(path.strip_suffix(".toml")?.to_owned())).collect()
}

/// `ten.toml` must result in exactly the text in `ten.txt`. Update it with `SNAPSHOTS=overwrite`.
#[test]
fn each_mistake_earns_its_words() {
    for name in fixtures() {
        let (report, source) = report(&name);
        let words = Data::read_from(Path::new(&format!("tests/findings/{name}.txt")), None);
        assert_data_eq!(report.render(&source), words);
    }
}

#[test]
fn ten_mistakes_of_ten_kinds_earn_ten_findings_in_file_order() {
    let expected = [
        "blueprint/name",
        "blueprint/text",
        "blueprint/unknown-key",
        "blueprint/missing-key",
        "network/range",
        "blueprint/type",
        "application/replicas",
        "blueprint/platform-wide",
        "component/needed",
        "blueprint/choice",
    ];
    assert_eq!(report("ten").0.codes(), expected);
    assert_eq!(expected.iter().collect::<BTreeSet<_>>().len(), 10, "ten kinds");
}

/// Each finding has a line of the blueprint, a label, and a solution: a help, or a label that says what to write.
#[test]
fn every_finding_shows_a_line_and_a_way_out() {
    for name in fixtures() {
        let (report, source) = report(&name);
        for finding in report.render(&source).split("\n\n") {
            assert!(finding.contains(&format!(" --> {name}.toml:")), "no line:\n{finding}");
            let label = finding
                .lines()
                .find_map(|line| Some(line.split_once('^')?.1.trim_matches('^').trim().to_owned()));
            let label = label.unwrap_or_else(|| panic!("no label:\n{finding}"));
            assert!(!label.is_empty(), "an empty label:\n{finding}");
            let first = finding.lines().next().unwrap();
            assert!(!first.ends_with('.') && !label.ends_with('.'), "no full stop:\n{finding}");
        }
    }
}

/// Each mistake is reported once, because later rules ignore placeholders.
#[test]
fn one_mistake_earns_one_finding() {
    let whole: toml::Table = toml::from_str(&wide(|_| ())).unwrap();
    let mut paths = Vec::new();
    collect(&whole, &mut Vec::new(), &mut paths);
    assert!(paths.len() > 60);
    for path in paths {
        for (mistake, count) in [("type", 1), ("spelling", 1), ("both", 2), ("twice", 1)] {
            let mut blueprint = whole.clone();
            let (key, folder) = path.split_last().unwrap();
            let table = folder.iter().fold(&mut blueprint, |table, key| table[key].as_table_mut().unwrap());
            let value = table.remove(key).unwrap();
            let near = format!("{key}{}", key.chars().last().unwrap());
            match mistake {
                "type" => table.insert(key.clone(), 0.5.into()),
                "spelling" => table.insert(near, value),
                "both" => table.insert(near, 0.5.into()),
                _ => table.insert(key.clone(), value).or(table.insert(near, 0.5.into())),
            };
            let source = Source { path: String::new(), text: toml::to_string(&blueprint).unwrap() };
            let mut report = Report::default();
            draw(&source, &mut report);
            assert_eq!(report.codes().len(), count, "{mistake} of {path:?}:\n{}", report.render(&source));
        }
    }
}

/// Every key whose spelling or type matters.
fn collect(table: &toml::Table, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (key, value) in table {
        path.push(key.clone());
        let free = path.iter().any(|it| it == "values");
        let named = path.len() > 1
            && [
                "applications",
                "env",
                "environments",
                "grants",
                "node-groups",
                "permissions",
                "secrets",
                "tags",
            ]
            .contains(&path[path.len() - 2].as_str());
        if !free && !named {
            paths.push(path.clone());
        }
        if let Some(table) = value.as_table() {
            collect(table, path, paths);
        }
        path.pop();
    }
}

/// Schema features that no key uses yet: lists, numbers, and a misspelt table, which is treated as the most similar key.
#[test]
fn schema_is_checked_at_any_depth() {
    let text = "list = [1, 'a', 3, true, { x = 1 }]\nratio = 'a'\nwhole = 1.5\n[tabel]\na = 1\n";
    let (tree, errors) = toml::de::DeTable::parse_recoverable(text);
    assert!(errors.is_empty());
    let item = serde_json::json!({ "type": "string" });
    let schema = serde_json::json!({
        "required": ["table", "list"],
        "properties": {
            "list": { "type": "array", "items": item },
            "ratio": { "type": "number" },
            "whole": { "type": "number" },
            "table": { "type": "object", "required": ["a", "b"], "properties": { "a": item } },
        },
    });
    let (mut tree, mut report) = (tree.into_inner(), Report::default());
    validation::check(&mut tree, &schema, &mut report);
    validation::require(&tree, &(0..0).into(), &schema, &mut report);
    let source = Source { path: "schema.toml".to_owned(), text: text.to_owned() };
    let found = report.render(&source);
    let titles = |title: &str| found.matches(title).count();
    assert_eq!(report.codes().len(), 8, "{found}");
    assert_eq!(titles("`list` has the wrong type"), 4, "{found}");
    assert_eq!((titles("`ratio` has"), titles("`table.a` has"), titles("`table.b` is missing")), (1, 1, 1));
    assert_eq!((titles("did you mean `table`?"), tree.len()), (1, 2), "{found}");
}

/// Every string of the source that looks like a code is one, and a fixture results in it.
#[test]
fn every_code_has_a_fixture() {
    let groups = [
        "application",
        "aws",
        "blueprint",
        "cluster",
        "component",
        "database",
        "dns",
        "environment",
        "files",
        "github",
        "monitoring",
        "network",
    ];
    let is_code = |word: &str| {
        word.split_once('/').is_some_and(|(group, rest)| {
            groups.contains(&group)
                && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                && !rest.is_empty()
        })
    };
    let covered: BTreeSet<String> =
        fixtures().iter().flat_map(|name| report(name).0.codes()).map(str::to_owned).collect();
    // Codes that no real component can cause come from a made-up one.
    let covered = covered.into_iter().chain(crate::providers::codes().into_iter().map(str::to_owned));
    let covered: BTreeSet<String> = covered.collect();
    let mut known = BTreeSet::new();
    for (path, text) in walk("src") {
        for code in text.split('"').filter(|word| is_code(word)) {
            assert!(covered.contains(code), "`src/{path}`: no fixture has `{code}`");
            known.insert(code.to_owned());
        }
    }
    assert_eq!(covered, known);
}

/// What TOML 1.0 does allow: line breaks and a last comma in arrays, other escapes, complete times, and a `\` in literal strings.
#[test]
fn toml_1_0_is_taken() {
    let text = wide(|_| ())
        + r#"
[applications.neighbour]
env = { A = "\\x41 \\e \u00e9", B = '\x41 \e', "C" = "07:32" }
code-owners = [
  "@acme/shop-team", # a comment
]
commands = { lint = [
  "make lint",
], test = ["make test"] }
"#;
    let source = Source { path: "test.toml".to_owned(), text };
    let mut report = Report::default();
    assert!(draw(&source, &mut report).is_some(), "{}", report.render(&source));
    let whole = "a = 07:32:00\nb = [1979-05-27 07:32:00Z, 1979-05-27T07:32:00.5-07:00, 1979-05-27]\n\
                 c = [1, {}, [], {}, { d = 1, e = {} }, { d = {}, e = [1, ] }, ]\n";
    let mut report = Report::default();
    blueprint::syntax::check(&Source { path: String::new(), text: whole.to_owned() }, &mut report);
    assert!(report.codes().is_empty(), "{:?}", report.codes());
}

/// The least memory of a language is accepted, and there is none without a language.
#[test]
fn memory_is_judged_by_the_language() {
    let (report, source) = report("memory");
    let words = report.render(&source);
    let found = report.codes().into_iter().filter(|it| *it == "application/memory").count();
    assert_eq!(found, 3, "{words}");
    for memory in ["384Mi", "1Mi", "16Mi"] {
        assert!(!words.contains(&format!("]: {memory} of memory is too little")), "{words}");
    }
}

/// Each path in a rule is the path of a key in the schema: `name` stands for a name that users choose.
#[test]
fn every_path_that_is_asked_for_is_in_the_schema() {
    let schema = blueprint::blueprint::schema();
    let mut count = 0;
    for (path, text) in walk("src").into_iter().filter(|(path, _)| path != "diagnostics.rs") {
        for rest in
            text.split(".already_reported(").skip(1).chain(text.split("report.was_removed(&[").skip(1))
        {
            let list = rest.strip_prefix("&[").unwrap_or(rest).split(']').next().unwrap();
            if list.starts_with("path.keys()") {
                continue;
            }
            let mut table = schema;
            for key in list.split(',').map(str::trim).filter(|key| !key.is_empty()) {
                let literal = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
                table = match literal {
                    Some(key) => &table["properties"][key],
                    None => &table["additionalProperties"],
                };
                assert!(table.is_object(), "`src/{path}`: `{list}` is not in the schema, from `{key}` on");
            }
            count += 1;
        }
    }
    assert!(count > 20, "the paths were not found: {count}");
}

/// A mistake in one environment hides nothing in another.
#[test]
fn a_mistake_in_staging_hides_none_in_production() {
    let text = |staging: &str| {
        wide(|table| {
            let production: toml::Table = toml::from_str(
                "cluster.node-groups.general = { min = 5, max = 4 }\nmonitoring = { storage = 10, retention-size = 10 }",
            )
            .unwrap();
            let staging: toml::Table = toml::from_str(staging).unwrap();
            let environments = table["environments"].as_table_mut().unwrap();
            environments.clear();
            environments.insert("staging".into(), staging.into());
            let mut overlay = toml::Table::new();
            overlay.insert("cluster".into(), production["cluster"].clone());
            let monitoring =
                toml::Table::from_iter([("monitoring".to_owned(), production["monitoring"].clone())]);
            overlay.insert("components".into(), monitoring.into());
            environments.insert("production".into(), overlay.into());
        })
    };
    let codes = |text: String| {
        let source = Source { path: String::new(), text };
        let mut report = Report::default();
        draw(&source, &mut report);
        report.codes()
    };
    let alone = codes(text(""));
    assert!(alone.contains(&"cluster/nodes") && alone.contains(&"monitoring/retention"), "{alone:?}");
    for mistake in [
        "cluster.node-groups.general = { min = 'a' }",
        "cluster.node-groups = 1",
        "components.monitoring = { storage = 'a', retention-size = 'b' }",
    ] {
        let both = codes(text(mistake));
        assert!(alone.iter().all(|code| both.contains(code)), "{mistake}: {both:?}");
    }
}

/// A mistake at one place of the file is reported once, with the environments that it concerns and its meaning there.
#[test]
fn a_mistake_that_stands_once_is_said_once() {
    let (report, source) = report("places");
    let words = report.render(&source);
    assert_eq!(report.codes().iter().filter(|it| **it == "application/repository").count(), 1, "{words}");
    let fixtures = fixtures().into_iter().map(|name| self::report(&name));
    for (report, source) in fixtures {
        let words = report.render(&source);
        let heads = words.split("\n\n").map(|it| it.split('\n').take(2).collect::<Vec<_>>().join("\n"));
        let mut seen = BTreeSet::new();
        for head in heads {
            assert!(seen.insert(head.clone()), "twice:\n{head}");
        }
    }
}

/// No finding points at the first line by default: there is a mistake in it, or the name of the platform.
#[test]
fn every_finding_has_a_place() {
    for name in fixtures() {
        let (report, source) = report(&name);
        let first = source.text.lines().next().unwrap();
        let words = report.render(&source);
        let at_first = words.contains(&format!(" --> {name}.toml:1:"));
        assert!(!at_first || first == "schema = 2", "{words}");
    }
}

/// Each finding is drawn from its own lines, and looks as if it was drawn from the whole file.
#[test]
fn a_finding_looks_as_if_drawn_from_the_whole_file() {
    let lines = "one = 1\n\n\tname = 'ä→'\r\n  [\n    2,\n\n]\n# comment\nnine\nten\neleven = 11";
    for text in [lines.to_owned(), format!("{lines}\n"), format!("{lines}\r\n\n"), String::new()] {
        let source = Source { path: "any.toml".to_owned(), text };
        let ends: Vec<usize> =
            (0..=source.text.len()).filter(|at| source.text.is_char_boundary(*at)).collect();
        for (start, end) in ends.iter().flat_map(|start| ends.iter().map(move |end| (*start, *end))) {
            if start > end {
                continue;
            }
            let mut report = Report::default();
            report.add(Finding::new("blueprint/type", "wrong").at((start..end).into(), "here"));
            let place = AnnotationKind::Primary.span(start..end).label("here");
            let whole = Snippet::source(&source.text).path(&source.path).annotation(place);
            let title = Level::ERROR.primary_title("wrong").id("blueprint/type");
            let whole = Renderer::plain().render(&[Group::with_title(title).element(whole)]);
            assert_eq!(report.render(&source), format!("{whole}\n"), "{start}..{end} of {:?}", source.text);
        }
    }
}

/// A file in which nothing is right is answered with the first mistakes and the number of the others.
#[test]
fn of_very_many_findings_the_first_are_printed() {
    let source = Source { path: "any.toml".to_owned(), text: "= \n".repeat(10_000) };
    let mut report = Report::default();
    assert!(draw(&source, &mut report).is_none());
    let (count, words) = (report.count(Severity::Error), report.render(&source));
    assert!(count > 10_000, "{count}");
    assert_eq!(words.matches("error[").count(), 50);
    assert!(words.ends_with(&format!("\n\n… and {} more errors\n", count - 50)), "{words:.200}");
    assert_eq!(words.matches("more errors").count(), 1);

    let text: String = (0..80).map(|number| format!("key-{number} = 1\n")).collect();
    let places: Vec<usize> = text.match_indices("key").map(|(at, _)| at).collect();
    let source = Source { path: "any.toml".to_owned(), text };
    let printed = |errors: usize| {
        let mut report = Report::default();
        for (number, at) in places.iter().enumerate() {
            // The errors come last in the file.
            let make = if number < 80 - errors { Finding::warning } else { Finding::new };
            report.add(make("blueprint/type", format!("wrong {number}")).at((*at..at + 3).into(), "here"));
        }
        report.render(&source)
    };
    let words = printed(10);
    assert_eq!((words.matches("error[").count(), words.matches("warning[").count()), (10, 40));
    assert!(words.ends_with("\n\n… and 30 more warnings\n"), "{words}");
    assert!(words.find("wrong 39\n") < words.find("wrong 70\n"), "in the order of the file: {words}");
    assert!(!words.contains("wrong 40\n"), "{words}");
    assert!(printed(51).ends_with("\n\n… and 1 more error, 29 more warnings\n"), "{}", printed(51));
}

/// No input causes a panic.
mod anything {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn answer(text: String) {
        let source = Source { path: "any.toml".to_owned(), text };
        let mut report = Report::default();
        let drawn = draw(&source, &mut report);
        assert_eq!(drawn.is_none(), report.failed());
        report.render(&source);
    }

    /// The widest blueprint, and its keys.
    static WHOLE: LazyLock<(toml::Table, Vec<Vec<String>>)> = LazyLock::new(|| {
        let whole: toml::Table = toml::from_str(&wide(|_| ())).unwrap();
        let mut paths = Vec::new();
        collect(&whole, &mut Vec::new(), &mut paths);
        (whole, paths)
    });

    proptest! {
        #[test]
        fn any_text(text in "\\PC{0,200}") {
            answer(text);
        }

        #[test]
        fn any_lines(lines in prop::collection::vec("[a-z.\\[\\]\"= 0-9-]{0,30}", 0..12)) {
            answer(lines.join("\n"));
        }

        /// A blueprint with one value replaced by any other.
        #[test]
        fn any_value(at in 0usize..200, text in "\\PC{0,40}", number: i64) {
            let (whole, paths) = &*WHOLE;
            let mut whole = whole.clone();
            let path = &paths[at % paths.len()];
            let (key, folder) = path.split_last().unwrap();
            let table = folder.iter().fold(&mut whole, |table, key| table[key].as_table_mut().unwrap());
            let value = if number % 2 == 0 { toml::Value::from(number) } else { toml::Value::from(text) };
            table.insert(key.clone(), value);
            answer(toml::to_string(&whole).unwrap());
        }
    }
}
