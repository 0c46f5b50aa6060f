// What is said of delivery follows the way that was chosen: who sets the tag, what that needs, how to go back.

use std::collections::BTreeMap;

use crate::{Tree, blueprints, plan, tree};

/// A way, as the blueprint writes it, and words that are said of it and of no other.
struct Way {
    asked: &'static str,
    words: &'static [&'static str],
    /// What the tables of the READMEs say of an environment.
    row: &'static str,
}

const BY_HAND: Way = Way {
    asked: "delivery = 'manual'",
    words: &[
        "a person opens a pull request",
        "a person sets newTag",
        "sed -i.bak",
        "before you set its tag",
        "set \\`newTag:",
    ],
    row: "manual: a person opens a pull request that sets the tag",
};
const MERGED: Way = Way {
    asked: "delivery = 'pull-request'",
    words: &["and a person merges it", "a person merges it\""],
    row: "the release opens a pull request, and a person merges it",
};
const MERGES: Way = Way {
    asked: "delivery = 'pull-request'\nauto-merge = true",
    words: &["merged automatically", "auto-merge"],
    row: "the release opens a pull request, which is merged automatically when its checks pass",
};
const BY_FLUX: Way = Way {
    asked: "delivery = 'image-automation'",
    words: &[
        "image-automation",
        "$imagepolicy",
        "git-write",
        "flux suspend image update",
        "*Deploy keys*",
        "Flux detects",
        "Flux commits",
        "Flux pushes",
    ],
    row: "Flux detects the new tag",
};
const WAYS: [&Way; 4] = [&BY_HAND, &MERGED, &MERGES, &BY_FLUX];

/// What is said of both ways in which a release opens a pull request.
const OPENED: &[&str] = &["deliver.sh", "DELIVERY_APP", "the release opens a pull request", "Deliver to"];
/// What is said where a tag comes by pull request, whoever opens it.
const REVERTED: &[&str] = &["evert the pull request that set the tag"];

fn drawn(ways: &[&Way]) -> Tree {
    let mut text = blueprints().remove("minimal.toml").unwrap();
    for (number, way) in ways.iter().enumerate() {
        text.push_str(&format!("\n[environments.stage-{number}.applications.shop]\n{}\n", way.asked));
    }
    tree(plan(&text))
}

/// Which files say each word. A platform is held against many ways, so the files are searched once.
struct Said {
    files: Tree,
    said: BTreeMap<&'static str, Vec<String>>,
}

impl Said {
    fn by(ways: &[&Way]) -> Self {
        let files = drawn(ways);
        // A script may have an option that nobody uses here. A lock only repeats paths.
        let text = |path: &str| !path.contains("/scripts/") && !path.ends_with(".blueprint.lock");
        let words = WAYS.iter().map(|way| way.words).chain([OPENED, REVERTED]).flatten();
        let paths = |word: &str| {
            let said = files.iter().filter(|(path, it)| text(path) && it.contains(word));
            said.map(|(path, _)| path.clone()).collect()
        };
        let said = words.map(|word| (*word, paths(word))).collect();
        Self { files, said }
    }
}

/// What a platform says wrongly, if these are the ways of its environments.
fn wrong(Said { files, said }: &Said, ways: &[&Way]) -> Vec<String> {
    let has = |way: &Way| ways.iter().any(|it| it.asked == way.asked);
    let opens = has(&MERGED) || has(&MERGES);
    let own = WAYS.iter().map(|way| (way.words, has(way)));
    let shared = [(OPENED, opens), (REVERTED, opens || has(&BY_HAND))];
    let mut wrong = Vec::new();
    for (words, meant) in own.chain(shared) {
        for word in words {
            let said = &said[word];
            if meant == said.is_empty() {
                wrong.push(format!("`{word}` is said in {said:?}"));
            }
        }
    }
    for (number, way) in ways.iter().enumerate() {
        for (path, start) in [
            ("shop/README.md", format!("| stage-{number} |")),
            ("kubernetes-manifest/README.md", format!("| `shop` | stage-{number} |")),
        ] {
            let row = files[path].lines().find(|it| it.starts_with(&start)).unwrap_or_default();
            let row = row.replace(" in `acme/kubernetes-manifest`", "");
            if !row.contains(way.row) {
                wrong.push(format!("{path} says `{row}`"));
            }
        }
    }
    wrong
}

#[test]
fn words_follow_the_way() {
    for first in WAYS {
        for second in WAYS {
            let ways = [first, second];
            let said = Said::by(&ways);
            assert_eq!(wrong(&said, &ways), [""; 0], "{}, {}", first.asked, second.asked);
            for other in WAYS.into_iter().filter(|it| it.asked != second.asked) {
                assert!(
                    !wrong(&said, &[first, other]).is_empty(),
                    "{} is taken for {}",
                    second.asked,
                    other.asked
                );
            }
        }
    }
}

/// Every word that is looked for can be found: a text that was changed is noticed here.
#[test]
fn each_word_is_said_of_its_way_alone() {
    for way in WAYS {
        let said = Said::by(&[way]);
        for other in WAYS.into_iter().filter(|it| it.asked != way.asked) {
            let found = wrong(&said, &[other]);
            let told = |word: &&str| found.iter().any(|it| it.starts_with(&format!("`{word}`")));
            assert!(way.words.iter().all(&told), "{}, {}: {found:?}", way.asked, other.asked);
            assert!(other.words.iter().all(told), "{}, {}: {found:?}", way.asked, other.asked);
        }
    }
}

/// A ruleset refuses the first push, so the push comes first.
#[test]
fn steps_stand_in_an_order_in_which_they_work() {
    for way in WAYS {
        let files = drawn(&[way]);
        for (path, push) in [
            ("shop/README.md", "Push the program to `main`"),
            ("kubernetes-manifest/README.md", "Push the rendered files to `main`"),
        ] {
            let text = &files[path];
            let steps = text.split("## Set up the repository").nth(1).unwrap().split("\n## ").next().unwrap();
            let at =
                |words: &str| steps.find(words).unwrap_or_else(|| panic!("{path} does not say `{words}`"));
            assert!(at(push) < at("for the branch `main`"), "{path}: {}", way.asked);
            if path == "shop/README.md" && steps.contains("DELIVERY_APP") {
                assert!(at("DELIVERY_APP") < at(push), "{path}: the first release finds no App");
            }
            let numbers = steps.lines().filter_map(|it| it.split_once(". ")?.0.parse::<usize>().ok());
            let numbers: Vec<usize> = numbers.collect();
            assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{path}: {}", way.asked);
            assert!(steps.contains("Private repositories on GitHub Free have"), "{path}: {}", way.asked);
        }
    }
}
