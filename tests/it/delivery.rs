// READMEs and workflows describe the delivery that is configured: who sets the tag, what that needs, how to roll back.

use std::collections::BTreeMap;

use crate::{Tree, blueprints, plan, tree};

/// A route as in the blueprint, and the words that appear only for it.
struct Route {
    asked: &'static str,
    words: &'static [&'static str],
    /// The text of its row in the tables of the READMEs.
    row: &'static str,
}

const BY_HAND: Route = Route {
    asked: "delivery = 'manual'",
    words: &[
        "a person opens a pull request",
        "a person sets newTag",
        "awk -v tag=",
        "before you set its tag",
        "set \\`newTag:",
    ],
    row: "manual: a person opens a pull request that sets the tag",
};
const MERGED: Route = Route {
    asked: "delivery = 'pull-request'",
    words: &["and a person merges it", "a person merges it\""],
    row: "the release opens a pull request, and a person merges it",
};
const MERGES: Route = Route {
    asked: "delivery = 'pull-request'\nauto-merge = true",
    words: &["merged automatically", "auto-merge"],
    row: "the release opens a pull request, which is merged automatically when its checks pass",
};
const BY_FLUX: Route = Route {
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
const ROUTES: [&Route; 4] = [&BY_HAND, &MERGED, &MERGES, &BY_FLUX];

/// Words for both routes in which a release opens a pull request.
const OPENED: &[&str] = &["deliver.sh", "DELIVERY_APP", "the release opens a pull request", "Deliver to"];
/// Words for all routes in which a pull request sets the tag.
const REVERTED: &[&str] = &["evert the pull request that set the tag"];

fn drawn(routes: &[&Route]) -> Tree {
    let mut text = blueprints().remove("minimal.toml").unwrap();
    for (number, route) in routes.iter().enumerate() {
        text.push_str(&format!("\n[environments.stage-{number}.applications.shop]\n{}\n", route.asked));
    }
    tree(plan(&text))
}

/// Which files say each word. A platform is held against many routes, so the files are searched once.
struct Said {
    files: Tree,
    said: BTreeMap<&'static str, Vec<String>>,
}

impl Said {
    fn by(routes: &[&Route]) -> Self {
        let files = drawn(routes);
        // A script may have an option that nobody uses here. A lock only repeats paths.
        let text = |path: &str| !path.contains("/scripts/") && !path.ends_with(".blueprint.lock");
        let words = ROUTES.iter().map(|route| route.words).chain([OPENED, REVERTED]).flatten();
        let paths = |word: &str| {
            let said = files.iter().filter(|(path, it)| text(path) && it.contains(word));
            said.map(|(path, _)| path.clone()).collect()
        };
        let said = words.map(|word| (*word, paths(word))).collect();
        Self { files, said }
    }
}

/// The wrong statements in a platform whose environments have these routes.
fn wrong(Said { files, said }: &Said, routes: &[&Route]) -> Vec<String> {
    let has = |route: &Route| routes.iter().any(|it| it.asked == route.asked);
    let opens = has(&MERGED) || has(&MERGES);
    let own = ROUTES.iter().map(|route| (route.words, has(route)));
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
    for (number, route) in routes.iter().enumerate() {
        for (path, start) in [
            ("shop/README.md", format!("| stage-{number} |")),
            ("kubernetes-manifest/README.md", format!("| `shop` | stage-{number} |")),
        ] {
            let row = files[path].lines().find(|it| it.starts_with(&start)).unwrap_or_default();
            let row = row.replace(" in `acme/kubernetes-manifest`", "");
            if !row.contains(route.row) {
                wrong.push(format!("{path} says `{row}`"));
            }
        }
    }
    wrong
}

#[test]
fn words_follow_the_way() {
    for first in ROUTES {
        for second in ROUTES {
            let routes = [first, second];
            let said = Said::by(&routes);
            assert_eq!(wrong(&said, &routes), [""; 0], "{}, {}", first.asked, second.asked);
            for other in ROUTES.into_iter().filter(|it| it.asked != second.asked) {
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

/// Each of these words is in some text, so that a change of the text fails here.
#[test]
fn each_word_is_said_of_its_way_alone() {
    for route in ROUTES {
        let said = Said::by(&[route]);
        for other in ROUTES.into_iter().filter(|it| it.asked != route.asked) {
            let found = wrong(&said, &[other]);
            let told = |word: &&str| found.iter().any(|it| it.starts_with(&format!("`{word}`")));
            assert!(route.words.iter().all(&told), "{}, {}: {found:?}", route.asked, other.asked);
            assert!(other.words.iter().all(told), "{}, {}: {found:?}", route.asked, other.asked);
        }
    }
}

/// A ruleset would refuse the first push, so the push comes before it.
#[test]
fn steps_stand_in_an_order_in_which_they_work() {
    for route in ROUTES {
        let files = drawn(&[route]);
        for (path, push) in [
            ("shop/README.md", "Push the program to `main`"),
            ("kubernetes-manifest/README.md", "Push the rendered files to `main`"),
        ] {
            let text = &files[path];
            let steps = text.split("## Set up the repository").nth(1).unwrap().split("\n## ").next().unwrap();
            let at =
                |words: &str| steps.find(words).unwrap_or_else(|| panic!("{path} does not say `{words}`"));
            assert!(at(push) < at("for the branch `main`"), "{path}: {}", route.asked);
            if path == "shop/README.md" && steps.contains("DELIVERY_APP") {
                assert!(at("DELIVERY_APP") < at(push), "{path}: the first release finds no App");
            }
            let numbers = steps.lines().filter_map(|it| it.split_once(". ")?.0.parse::<usize>().ok());
            let numbers: Vec<usize> = numbers.collect();
            assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{path}: {}", route.asked);
            assert!(steps.contains("Private repositories on GitHub Free have"), "{path}: {}", route.asked);
        }
    }
}
