use std::process::Command;

use crate::walk;

/// The code blocks of a page, each with the language it names and the text before it.
pub fn blocks(page: &str) -> Vec<(String, String, String)> {
    let mut blocks = Vec::new();
    let mut before = String::new();
    let mut rest = page.lines();
    while let Some(line) = rest.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let body = rest.by_ref().take_while(|line| line.trim_start() != "```");
            let body: String =
                body.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
            blocks.push((language.to_owned(), std::mem::take(&mut before), body));
        } else {
            before.push_str(line);
            before.push('\n');
        }
    }
    blocks
}

/// The last file that a text links to.
fn linked(text: &str) -> Option<String> {
    let link = text.rsplit_once("](")?.1.split(')').next()?;
    (!link.starts_with("http")).then(|| link.to_owned())
}

const README: &str = include_str!("../../README.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");

/// An excerpt in the README is in its file, letter by letter.
#[test]
fn excerpts_are_true() {
    let mut shown = 0;
    for (language, before, body) in blocks(README) {
        if ["toml", "hcl", "yaml"].contains(&language.as_str()) {
            let file = linked(&before).unwrap_or_else(|| panic!("link the file of:\n{body}"));
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.contains(&body), "`{file}` does not say:\n{body}");
            shown += 1;
        }
        if language == "text" {
            assert!(walk("tests/findings").values().any(|text| text.contains(&body)), "nobody says:\n{body}");
        }
    }
    assert!(shown >= 4, "the blueprint and an excerpt of each repository");
}

/// Each relative link has a target.
#[test]
fn links_lead_somewhere() {
    let pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    for page in pages.map(|page| std::fs::read_to_string(page).unwrap()) {
        for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let outside = link.starts_with("http") || link.starts_with('#');
            assert!(outside || std::path::Path::new(link).exists(), "`{link}` leads nowhere");
        }
    }
}

/// The commands and exit codes that the README lists are those of the program.
#[test]
fn the_readme_knows_every_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_blueprint")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    for command in
        commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|it| *it != "help")
    {
        assert!(README.contains(&format!("| `{command}` |")), "the README does not list `{command}`");
    }
    let schema = blueprint::blueprint::schema();
    for section in schema["properties"].as_object().unwrap().keys() {
        let listed =
            [format!("`[{section}]`"), format!("`[{section}.NAME]`")].iter().any(|it| README.contains(it));
        let plain = ["name", "purpose", "schema"].contains(&section.as_str());
        assert!(listed || plain, "the README does not list `[{section}]`");
    }
}

/// The lines that CONTRIBUTING shows for a component are in the files that it names.
#[test]
fn the_shown_difference_is_real() {
    let mut lines = 0;
    for (language, _, body) in blocks(CONTRIBUTING) {
        if language != "diff" {
            continue;
        }
        let mut file = String::new();
        for line in body.lines() {
            if let Some(path) = line.strip_prefix("+++ b/") {
                file = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("`{path}` is not there"));
            } else if let Some(added) = line.strip_prefix('+') {
                assert!(file.lines().any(|it| it == added), "no longer true: `{added}`");
                lines += 1;
            }
        }
    }
    assert!(lines > 30, "a whole component is shown");
}
