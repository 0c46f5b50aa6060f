// Commands for people: those of the READMEs, and the scripts that are started by hand.

use std::{
    collections::{BTreeSet, HashMap},
    io::Write,
    process::{Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
};

use super::{Platform, Verdict, prove};
use crate::documents::blocks;

/// The scripts in READMEs, by the folder of their repository, and the scripts that these start.
fn by_hand(platform: &Platform) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, text) in readmes(platform) {
        let repository = path.split('/').next().unwrap();
        for (_, _, commands) in blocks(text).into_iter().filter(|(language, _, _)| language == "sh") {
            found.extend(scripts(&commands).map(|it| format!("{repository}/{it}")));
        }
    }
    let started = found.iter().filter_map(|path| Some((path, platform.files.get(path)?)));
    let started = started.flat_map(|(path, text)| {
        let repository = path.split('/').next().unwrap();
        scripts(text).map(move |it| format!("{repository}/{it}"))
    });
    let started: Vec<String> = started.collect();
    found.extend(started);
    found
}

/// The scripts that a shell command runs.
fn scripts(commands: &str) -> impl Iterator<Item = String> {
    commands.split(|c: char| c.is_whitespace() || "\"'`();".contains(c)).filter_map(|word| {
        let is_script = word.starts_with("scripts/") || word.starts_with(".github/scripts/");
        is_script.then(|| word.to_owned())
    })
}

/// What BSD tools or the bash 3.2 of macOS do not support, and what to write instead.
const FOREIGN: [(&str, &str); 31] = [
    ("base64 --wrap", "base64 | tr -d '\\n'"),
    ("base64 -w", "base64 | tr -d '\\n'"),
    ("base64 -d ", "base64 --decode"),
    ("sed --", "one-letter flags"),
    ("sed -r ", "sed -E"),
    ("sed -i ", "a new file"),
    ("date --", "date -u +FORMAT"),
    ("date -d ", "date -u +FORMAT"),
    ("grep -P", "grep -E"),
    ("grep --", "one-letter flags"),
    ("readlink -f", "cd and pwd"),
    ("realpath ", "cd and pwd"),
    ("stat -c", "wc -c"),
    ("xargs -r", "xargs"),
    ("xargs --", "one-letter flags"),
    ("sort -V", "awk"),
    ("sort --", "one-letter flags"),
    ("head -n -", "awk"),
    ("head --", "one-letter flags"),
    ("mktemp --", "mktemp -d"),
    ("cp --", "one-letter flags"),
    ("sha256sum", "shasum -a 256"),
    ("tac ", "awk"),
    ("timeout ", "a loop"),
    ("numfmt", "awk"),
    ("mapfile", "while read"),
    ("readarray", "while read"),
    ("declare -A", "awk"),
    ("local -A", "awk"),
    ("|&", "2>&1 |"),
    ("&>>", ">> 2>&1"),
];

/// The commands that do not run on all systems.
fn foreign(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| {
        let found = FOREIGN.iter().filter(move |(word, _)| {
            line.match_indices(word).any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "-_=/$".contains(c))
            })
        });
        let case = [",,}", "^^}"].into_iter().filter(|it| line.contains(it));
        let found = found.map(|(word, instead)| format!("`{}`: write `{instead}`", word.trim()));
        found.chain(case.map(|it| format!("`{it}`: write `tr`"))).collect::<Vec<_>>()
    })
}

/// Whether bash parses it. On Windows this is not checked. Each text is parsed once, because the altered copies have most in common.
#[cfg(unix)]
fn reads(text: &str) -> bool {
    static READ: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Default::default);
    *READ.lock().unwrap().entry(text.to_owned()).or_insert_with(|| bash_reads(text))
}

#[cfg(unix)]
fn bash_reads(text: &str) -> bool {
    let mut shell =
        Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    shell.wait().unwrap().success()
}

fn readmes(platform: &Platform) -> impl Iterator<Item = (&String, &Arc<String>)> {
    platform.files.iter().filter(|(path, _)| path.ends_with("README.md"))
}

#[test]
fn what_a_person_runs_runs_everywhere() {
    prove(
        "commands of a person",
        &["commands", "script"],
        check,
        &[
            ("production/README.md", "| base64 | tr -d '\\n')", "| base64 --wrap=0)"),
            ("production/README.md", "keys=$(mktemp -d)", "keys=$(mktemp --directory)"),
            ("production/README.md", "rm -r \"$keys\"", "rm -r \"$keys"),
            ("scripts/tunnel", "base64 --decode", "base64 -d"),
            ("scripts/preflight", "| tr -d ' ')", "| sed -r 's/ //')"),
            ("scripts/build", "while read -r path; do", "mapfile -t paths"),
            ("scripts/validate", "grep -vE", "grep --invert-match -E"),
            ("scripts/smoke.sh", "--max-time 2", "--max-time 2 | sort -V"),
            ("scripts/teardown", "done < <(services)", "done\n  mapfile -t all < <(services)"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (path, text) in readmes(platform) {
            for (_, _, commands) in blocks(text).into_iter().filter(|(language, _, _)| language == "sh") {
                verdict.see("commands");
                #[cfg(unix)]
                verdict.hold(reads(&commands), format!("{path}: bash does not read:\n{commands}"));
                for word in foreign(&commands) {
                    verdict.hold(false, format!("{path}: {word}"));
                }
            }
        }
        for path in by_hand(platform) {
            let Some(text) = platform.files.get(&path) else {
                verdict.hold(false, format!("`{path}` is started by hand and does not exist"));
                continue;
            };
            verdict.see("script");
            for word in foreign(text) {
                verdict.hold(false, format!("{path}: {word}"));
            }
        }
    }
}

/// What only the first apply creates, and the commands that need it.
const MADE: [&str; 6] =
    ["-parameters", "kubectl", "scripts/tunnel", "output name_servers", "aws eks", "aws rds"];

/// Trap 85. Each step of the first run needs only what an earlier one made, and steps are named by their titles.
#[test]
fn a_first_run_goes_from_top_to_bottom() {
    prove(
        "first run",
        &["runbook", "README", "subject"],
        check,
        &[
            (
                "production/README.md",
                "### Put the Git credential",
                "```sh\naws ssm put-parameter --key-id alias/orchard-parameters\n```\n\n### Put the Git credential",
            ),
            ("production/README.md", "### Lock the providers", "### 5. Lock the providers"),
            (
                "production/README.md",
                "[Put the Git credential](#put-the-git-credential)",
                "step 4 of the first run",
            ),
            ("production/README.md", "### Check the quotas of the account", "### Later"),
            ("production/README.md", "### Put the secrets", "### Later"),
            ("production/README.md", "aws cloudformation delete-stack", "aws cloudformation describe-stacks"),
            ("production/README.md", "bash scripts/adopt production", "ls"),
            ("production/README.md", "--jq .sub_claim_prefix", "--jq .use_immutable_subject"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (path, text) in readmes(platform) {
            verdict.see("README");
            for line in text.lines() {
                let mut words = line.split_whitespace();
                let counted = line.starts_with('#')
                    && words.nth(1).is_some_and(|it| {
                        it.ends_with('.') && it.trim_end_matches('.').parse::<u8>().is_ok()
                    });
                let numbered = ["step ", "steps ", "Step "].iter().any(|it| {
                    line.match_indices(it)
                        .any(|(at, it)| line[at + it.len()..].starts_with(|c: char| c.is_ascii_digit()))
                });
                verdict.hold(!counted && !numbered, format!("{path}: names a step by its number: `{line}`"));
            }
            for (at, _) in text.match_indices("oidc/customization/sub") {
                verdict.see("subject");
                let command = text[at..].split('\n').next().unwrap();
                verdict.hold(
                    command.contains(".sub_claim_prefix"),
                    format!("{path}: asks otherwise than preflight: `{command}`"),
                );
            }
            if !path.contains("/environments/") {
                continue;
            }
            verdict.see("runbook");
            let run = text.split("\n## ").find(|it| it.starts_with("First run\n")).unwrap_or_default();
            let steps: Vec<(&str, &str)> =
                run.split("\n### ").skip(1).filter_map(|it| it.split_once('\n')).collect();
            let place = |wanted: &str| steps.iter().position(|(title, _)| *title == wanted);
            let Some(apply) = place("Plan and apply") else {
                verdict.hold(false, format!("{path}: nothing is applied"));
                continue;
            };
            for (title, step) in &steps[..apply] {
                for (_, _, commands) in blocks(step).into_iter().filter(|(language, _, _)| language == "sh") {
                    for made in MADE.iter().filter(|it| commands.contains(**it)) {
                        verdict.hold(
                            false,
                            format!("{path}: `{title}` needs `{made}`, which the first apply makes"),
                        );
                    }
                }
            }
            let names = &platform.files[&path.replace("README.md", "names.txt")];
            let late = names.lines().any(|it| it.starts_with("secret ") && !it.contains(" alias/aws/ssm "));
            let put = place("Put the secrets");
            verdict.hold(
                put.is_some() == late && put.is_none_or(|it| it > apply),
                format!("{path}: never says when to put the secrets"),
            );
            let quotas = place("Check the quotas of the account");
            verdict.hold(quotas == Some(0), format!("{path}: the quotas are seen too late"));
            let stack = steps.iter().find(|(title, _)| *title == "Deploy the bootstrap stack");
            let back = stack.is_some_and(|(_, it)| {
                it.contains("ROLLBACK_COMPLETE") && it.contains("cloudformation delete-stack")
            });
            verdict.hold(back, format!("{path}: a failed bootstrap stack has no way out"));
            let again = text
                .split("\n### ")
                .find(|it| it.starts_with("Create the environment again after a teardown\n"));
            verdict.hold(
                again.is_some_and(|it| it.contains("scripts/adopt")),
                format!("{path}: does not say how to come back after a teardown"),
            );
        }
    }
}

/// Keys that a runbook calls fixed, each with a type of resource that is replaced when it changes: the runbook names the key if the
/// environment has such a resource. Source: `ForceNew` in the schemas of the provider.
const FIXED: [(&str, &str); 7] = [
    ("`name`", "aws_eks_cluster"),
    ("`aws.account`", "aws_eks_cluster"),
    ("`aws.role-path`", "aws_iam_role"),
    ("`network.range`", "aws_vpc"),
    ("`cluster.service-range`", "aws_eks_cluster"),
    ("`dns.zone`", "aws_route53_zone"),
    ("`applications.NAME.database.name`", "aws_db_instance"),
];

#[test]
fn a_runbook_names_the_keys_that_are_fixed() {
    prove(
        "fixed keys",
        &["fixed key", "README"],
        check,
        &[
            ("production/README.md", "| `network.range` |", "| `network.zones` |"),
            ("production/README.md", "### Keys that are fixed after the first apply", "### Keys"),
            ("kubernetes-manifest/README.md", "## Keys that are fixed", "## Keys"),
            ("application/README.md", "### Keys that are fixed", "### Keys"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (path, text) in readmes(platform).filter(|(path, _)| path.matches('/').count() == 1) {
            let infrastructure =
                platform.files.keys().any(|it| it.starts_with(&path.replace("README.md", "environments/")));
            if !infrastructure {
                verdict.see("README");
                verdict.hold(
                    text.contains("# Keys that are fixed after the first"),
                    format!("{path}: which keys are fixed?"),
                );
            }
        }
        for root in platform.roots.iter().filter(|it| it.name == "platform") {
            let path = root.path.replace("/platform", "/README.md");
            let Some(text) = platform.files.get(&path) else { continue };
            let section =
                text.split("\n### ").find(|it| it.starts_with("Keys that are fixed after the first apply\n"));
            let rows: Vec<&str> =
                section.unwrap_or_default().lines().filter(|it| it.starts_with("| `")).collect();
            for (key, kind) in FIXED {
                let exists = root.resources(kind).next().is_some();
                verdict.see("fixed key");
                let named = rows.iter().any(|it| it.split(" | ").next().unwrap().contains(key));
                verdict.hold(named == exists, format!("{path}: {key} is named: {named}, fixed: {exists}"));
            }
        }
    }
}

/// The proof of later changes sets no key that a runbook calls fixed.
#[test]
fn fixed_keys_are_not_among_those_that_may_change() {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("conformance/day_two/{name}.toml")).unwrap();
        text.parse::<toml::Table>().unwrap()
    };
    let (before, after) = (read("before"), read("after"));
    let found = |table: &toml::Table, key: &str| {
        let value = toml::Value::Table(table.clone());
        key.split('.').try_fold(value, |it, part| it.get(part.replace("NAME", "shop").as_str()).cloned())
    };
    for (key, _) in FIXED {
        let key = key.trim_matches('`');
        assert_eq!(found(&before, key), found(&after, key), "{key} changes in `conformance/day_two`");
    }
    assert_ne!(found(&before, "cluster.deletion-protection"), found(&after, "cluster.deletion-protection"));
}
