// Workflows.

use serde_json::Value;

use blueprint::catalogue::Catalogue;

use super::{
    Platform, Verdict,
    documents::{Document, commands},
    policies::Stack,
    prove,
    terraform::{attributes, words},
};

fn workflows(platform: &Platform) -> impl Iterator<Item = &Document> {
    platform.documents().filter(|it| it.is_workflow())
}

/// Each job, with its place.
fn jobs(document: &Document) -> impl Iterator<Item = (String, &Value)> {
    let jobs = document.value()["jobs"].as_object().unwrap();
    jobs.iter().map(|(name, it)| (format!("{}: `{name}`", document.path), it))
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

fn runs(job: &Value) -> impl Iterator<Item = &str> {
    steps(job).filter_map(|it| it["run"].as_str())
}

fn uses<'a>(job: &'a Value, action: &str) -> impl Iterator<Item = &'a Value> {
    let start = format!("{action}@");
    steps(job).filter(move |it| it["uses"].as_str().is_some_and(|it| it.starts_with(&start)))
}

/// The workflow that plans and applies.
fn terraform(platform: &Platform) -> impl Iterator<Item = &Document> {
    workflows(platform).filter(|it| it.path.ends_with("/workflows/terraform.yml"))
}

/// The workflow that checks manifests.
fn validation(platform: &Platform) -> impl Iterator<Item = &Document> {
    workflows(platform).filter(|it| it.path.ends_with("/workflows/validate.yml"))
}

#[test]
fn a01_actions_are_pinned_to_commits() {
    prove(
        "A01",
        &["action"],
        check,
        &[
            ("workflows/terraform.yml", "actions/checkout@…", "actions/checkout@v7"),
            (
                "workflows/terraform.yml",
                "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
                "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
            ),
            ("workflows/lint.yml", "actions/setup-go@…", "actions/setup-go@main # v7.0.0"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            let text = &platform.files[&document.path];
            for (place, job) in jobs(document) {
                let called = job["uses"].as_str();
                for action in steps(job).filter_map(|it| it["uses"].as_str()).chain(called) {
                    if action.starts_with("./") {
                        continue;
                    }
                    verdict.see("action");
                    let commit = action.split_once('@').map(|it| it.1).unwrap_or_default();
                    let exact = commit.len() == 40 && commit.chars().all(|it| it.is_ascii_hexdigit());
                    verdict.hold(exact, format!("{place} runs {action}"));
                    let tag = |line: &str| {
                        line.split_once(&format!("{action} # v")).is_some_and(|(_, it)| {
                            it.split('.').count() == 3 && it.starts_with(|it: char| it.is_ascii_digit())
                        })
                    };
                    // The parser drops comments, so the lines are read for them.
                    let lines = text.lines().filter(|it| it.contains(action));
                    verdict.hold(
                        lines.clone().count() > 0 && lines.clone().all(tag),
                        format!("{place} does not say which version {action} is"),
                    );
                }
            }
        }
    }
}

#[test]
fn a02_a_job_has_the_rights_that_it_needs() {
    prove(
        "A02",
        &["workflow", "job"],
        check,
        &[
            ("workflows/terraform.yml", "permissions: {}", "permissions: write-all"),
            ("workflows/lint.yml", "permissions: {}", ""),
            ("workflows/lint.yml", "permissions: contents: read …", ""),
            ("workflows/terraform.yml", "contents: read # to check out the repository", "contents: write"),
            ("workflows/terraform.yml", "id-token: write # to assume the plan role", ""),
            ("workflows/terraform.yml", "contents: read # to check out the script", "id-token: write"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            verdict.see("workflow");
            let top = document.value()["permissions"].as_object().is_some_and(|it| it.is_empty());
            verdict.hold(top, format!("{}: every job begins with rights", document.path));
            let infrastructure = platform.files.keys().any(|it| {
                it.contains("/environments/") && it.split('/').next() == document.path.split('/').next()
            });
            for (place, job) in jobs(document) {
                verdict.see("job");
                let Some(rights) = job["permissions"].as_object() else {
                    verdict.hold(false, format!("{place} does not say its rights"));
                    continue;
                };
                for (scope, level) in rights {
                    let known = level == "read" || level == "write" || level == "none";
                    verdict.hold(known, format!("{place}: `{scope}: {level}`"));
                    let pushes = scope == "contents" && level == "write";
                    verdict.hold(!infrastructure || !pushes, format!("{place} may push"));
                }
                if !infrastructure || job["uses"].is_string() {
                    continue;
                }
                let needs = [
                    ("contents", "read", uses(job, "actions/checkout").next().is_some()),
                    (
                        "id-token",
                        "write",
                        uses(job, "aws-actions/configure-aws-credentials").next().is_some(),
                    ),
                ];
                for (scope, level, needed) in needs {
                    let has = rights.get(scope).is_some_and(|it| it == level);
                    verdict.hold(has == needed, format!("{place} and `{scope}: {level}`"));
                }
            }
        }
    }
}

#[test]
fn a03_a_checkout_leaves_no_credential() {
    prove(
        "A03",
        &["checkout"],
        check,
        &[
            ("workflows/terraform.yml", "persist-credentials: false", "persist-credentials: true"),
            ("workflows/lint.yml", "with: persist-credentials: false", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            for (place, job) in jobs(document) {
                for step in uses(job, "actions/checkout") {
                    verdict.see("checkout");
                    let gone = step["with"]["persist-credentials"] == false;
                    verdict.hold(gone, format!("{place} leaves its token to later steps"));
                }
            }
        }
    }
}

#[test]
fn a04_no_expression_becomes_shell() {
    prove(
        "A04",
        &["script"],
        check,
        &[
            (
                "workflows/terraform.yml",
                "run: bash scripts/plan-comment plan.txt",
                "run: bash scripts/plan-comment \"${{ github.event.pull_request.title }}\"",
            ),
            (
                "workflows/terraform.yml",
                "terraform …validate",
                "terraform validate ${{ inputs.environment }}",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            for (place, job) in jobs(document) {
                for run in runs(job) {
                    verdict.see("script");
                    verdict.hold(!run.contains("${{"), format!("{place} pastes an expression into `{run}`"));
                }
            }
        }
    }
}

/// A file that was uploaded in the browser, or unpacked on another system, may not be executable.
#[test]
fn workflows_name_the_shell_of_a_script() {
    prove(
        "A04",
        &["call"],
        check,
        &[
            ("workflows/validate.yml", "bash scripts/validate", "scripts/validate"),
            ("workflows/ci.yml", "run: sh .github/scripts/build.sh", "run: .github/scripts/build.sh"),
            ("workflows/terraform.yml", "bash scripts/plan-comment", "./scripts/plan-comment"),
            ("kubernetes-manifest/scripts/validate", "bash scripts/build", "scripts/build"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut judge = |place: &str, text: &str| {
            let said = |line: &str| ["#", "echo "].iter().any(|it| line.trim_start().starts_with(it));
            for line in text.lines().filter(|it| !said(it)) {
                let words: Vec<&str> = line.split_whitespace().collect();
                for (at, word) in words.iter().enumerate().filter(|(_, it)| it.contains("scripts/")) {
                    let before = at.checked_sub(1).map(|it| words[it]).unwrap_or_default();
                    if before == "shellcheck" {
                        continue;
                    }
                    verdict.see("call");
                    verdict.hold(before.ends_with("sh"), format!("{place} needs `{word}` to be executable"));
                }
            }
        };
        for document in workflows(platform) {
            for (place, job) in jobs(document) {
                runs(job).for_each(|it| judge(&place, it));
            }
        }
        for (path, text) in &platform.files {
            let called = ["scripts/validate", "scripts/difference"].iter().any(|it| path.ends_with(it));
            if called {
                judge(path, text);
            }
        }
    }
}

/// A required check that does not run for a merge queue blocks it.
#[test]
fn checks_report_to_a_merge_queue() {
    prove(
        "A14",
        &["checks"],
        check,
        &[
            ("workflows/validate.yml", "merge_group:", ""),
            ("workflows/title.yml", "merge_group:", ""),
            ("workflows/ci.yml", "merge_group:", ""),
            ("workflows/lint.yml", "merge_group:", ""),
            ("workflows/terraform-production.yml", "merge_group:", ""),
            ("workflows/terraform.yml", "github.event_name != 'merge_group' &&", ""),
            (
                "workflows/title.yml",
                "name: Title runs-on",
                "name: Title\n    if: github.event_name == 'pull_request'\n    runs-on",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            let on = &document.value()["on"];
            if on.get("pull_request").is_none() {
                continue;
            }
            verdict.see("checks");
            verdict.hold(on.get("merge_group").is_some(), format!("{}: a queue waits for it", document.path));
            // A comment belongs to a pull request and is no check. The called workflows are checked below.
            let own =
                jobs(document).filter(|(place, it)| !place.ends_with("`comment`") && it["uses"].is_null());
            for (place, job) in own {
                let runs = job["if"].is_null() || job["if"] == "always()";
                verdict.hold(runs, format!("{place} does not run in a queue"));
            }
        }
        for (place, job) in terraform(platform).flat_map(jobs) {
            let takes = uses(job, "aws-actions/configure-aws-credentials").next().is_some();
            let asked = job["if"].as_str().unwrap_or_default();
            let apart = asked.starts_with("github.event_name != 'merge_group' &&")
                || asked.contains("github.ref == 'refs/heads/main'");
            verdict.hold(!takes || apart, format!("{place} asks AWS for a role that no queue gets"));
        }
    }
}

#[test]
fn a05_nothing_trusted_runs_what_strangers_wrote() {
    prove(
        "A05",
        &["trigger"],
        check,
        &[
            ("workflows/terraform-production.yml", "on: pull_request:", "on:\n  pull_request_target:"),
            (
                "workflows/lint.yml",
                "on: pull_request:",
                "on:\n  workflow_run:\n    workflows: [\"x\"]\n  pull_request:",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            let on = document.value()["on"].as_object();
            let triggers: Vec<&str> = on
                .map(|it| it.keys().map(String::as_str).collect())
                .unwrap_or_else(|| words(&document.value()["on"]));
            verdict.hold(!triggers.is_empty(), format!("{}: starts by itself", document.path));
            for trigger in triggers {
                verdict.see("trigger");
                let trusted = ["pull_request_target", "workflow_run", "issue_comment"].contains(&trigger);
                verdict.hold(!trusted, format!("{}: starts on `{trigger}`", document.path));
            }
        }
    }
}

#[test]
fn a06_jobs_queue_end_and_know_their_image() {
    prove(
        "A06",
        &["workflow", "job", "apply", "plan", "older plans"],
        check,
        &[
            ("workflows/terraform.yml", "timeout-minutes: 135", ""),
            ("workflows/terraform.yml", "timeout-minutes: 135", "timeout-minutes: 100"),
            ("workflows/terraform.yml", "-lock-timeout=115m", "-lock-timeout=5m"),
            ("workflows/drift.yml", "-lock-timeout=115m", "-lock-timeout=5m"),
            ("workflows/terraform.yml", "role-duration-seconds: 10800", ""),
            ("bootstrap/stack.yaml", "MaxSessionDuration: 10800", "MaxSessionDuration: 3600"),
            ("workflows/terraform.yml", "concurrency: group: … cancel-in-progress: false", ""),
            (
                "workflows/terraform.yml",
                "group: terraform-${{ inputs.environment }}-apply cancel-in-progress: false",
                "group: terraform-${{ inputs.environment }}-apply\n      cancel-in-progress: true",
            ),
            ("workflows/terraform-production.yml", "|| github.run_id }}", "|| github.ref }}"),
            ("workflows/terraform.yml", "run: bash scripts/older-plans", "run: ls"),
            ("workflows/terraform.yml", "run: bash scripts/still-main …", "run: ls"),
            ("workflows/terraform-production.yml", "actions: read …", ""),
            ("workflows/terraform.yml", "runs-on: ubuntu-24.04", "runs-on: ubuntu-latest"),
            ("workflows/terraform-production.yml", "concurrency: group: … cancel-in-progress: false", ""),
            ("workflows/terraform-production.yml", "cancel-in-progress: false", "cancel-in-progress: true"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            verdict.see("workflow");
            let value = document.value();
            let called =
                value["on"].as_object().is_some_and(|it| it.len() == 1 && it.contains_key("workflow_call"));
            let queue = &value["concurrency"];
            let every = jobs(document).all(|(_, job)| job["concurrency"]["group"].is_string());
            let queued = queue["group"].is_string() || every;
            verdict.hold(called || queued, format!("{}: runs beside itself", document.path));
            let changes = jobs(document)
                .any(|(_, job)| job["uses"].as_str().is_some_and(|it| it.ends_with("/terraform.yml")));
            let patient = queue["cancel-in-progress"] == false;
            verdict
                .hold(!changes || patient, format!("{}: an apply may be cancelled half way", document.path));
            // A run that waits for its approval would block the queue of its branch for up to 30 days.
            let alone = queue["group"]
                .as_str()
                .is_some_and(|it| it.ends_with("-${{ github.event.pull_request.number || github.run_id }}"));
            verdict.hold(!changes || alone, format!("{}: an approval delays the next plan", document.path));
            for (place, job) in jobs(document).filter(|(_, job)| !job["uses"].is_string()) {
                verdict.see("job");
                verdict.hold(job["timeout-minutes"].is_u64(), format!("{place} may hang for six hours"));
                let images = words(&job["runs-on"]);
                let moving = images.iter().any(|it| it.ends_with("-latest")) || images.is_empty();
                verdict.hold(!moving, format!("{place} runs on {images:?}"));
            }
        }
        for document in terraform(platform) {
            queues(platform, document, verdict);
        }
    }

    /// Applies queue, plans wait for them, and the newest plan wins.
    fn queues(platform: &Platform, document: &Document, verdict: &mut Verdict) {
        let place = &document.path;
        let runs_in = |job: &Value, command: &str| commands(job).any(|it| it.contains(command));
        let Some((_, apply)) = jobs(document).find(|(_, it)| runs_in(it, "terraform apply")) else {
            verdict.hold(false, format!("{place}: nothing is applied"));
            return;
        };
        verdict.see("apply");
        let queue = &apply["concurrency"];
        let one_by_one = queue["group"] == "terraform-${{ inputs.environment }}-apply"
            && queue["cancel-in-progress"] == false;
        verdict.hold(one_by_one, format!("{place}: two applies run at once, or one is cancelled half way"));
        let steps: Vec<&str> = runs(apply).collect();
        let first = steps.first().is_some_and(|it| it.starts_with("bash scripts/still-main "));
        verdict.hold(first, format!("{place}: an older plan undoes a newer one"));
        let lasts = apply["timeout-minutes"].as_u64().unwrap_or_default();
        let drift = place.replace("/terraform.yml", "/drift.yml");
        let drift = workflows(platform).find(|it| it.path == drift);
        let stacks =
            Stack::all(platform).filter(|it| it.document.path.split('/').next() == place.split('/').next());
        let session = stacks.filter_map(|it| it.role("-plan")?["MaxSessionDuration"].as_u64()).min();
        for (place, job) in drift.into_iter().chain([document]).flat_map(jobs) {
            if runs_in(job, "terraform apply") || !runs_in(job, "terraform plan -lock-timeout=") {
                continue;
            }
            verdict.see("plan");
            let waits = runs_in(job, &format!("terraform plan -lock-timeout={lasts}m "));
            verdict.hold(waits, format!("{place} fails while an apply runs"));
            let ends = job["timeout-minutes"].as_u64().unwrap_or_default();
            verdict.hold(ends >= lasts + 20, format!("{place} has no time left after the wait"));
            let asked = uses(job, "aws-actions/configure-aws-credentials")
                .filter_map(|it| it["with"]["role-duration-seconds"].as_u64())
                .next();
            let long = asked.is_some_and(|it| it > ends * 60 && session.is_none_or(|most| it <= most));
            verdict.hold(long, format!("{place} loses its session while it waits"));
        }
        let told = jobs(document).find(|(_, it)| runs_in(it, "bash scripts/older-plans"));
        let told = told.is_some_and(|(_, it)| it["permissions"]["actions"] == "read");
        verdict.hold(told, format!("{place}: nobody says which plan is replaced"));
        for caller in workflows(platform) {
            for (place, job) in
                jobs(caller).filter(|(_, it)| it["uses"] == "./.github/workflows/terraform.yml")
            {
                verdict.see("older plans");
                verdict
                    .hold(job["permissions"]["actions"] == "read", format!("{place} does not start at all"));
            }
        }
    }
}

/// An environment is planned once a person has set its variable, and its check always reports.
#[test]
fn an_environment_that_is_not_made_yet_fails_nothing() {
    prove(
        "an environment that is not made yet",
        &["caller", "runbook"],
        check,
        &[
            ("workflows/terraform-production.yml", "(vars.BOOTSTRAPPED_PRODUCTION == 'true' ||", "(true ||"),
            (
                "workflows/terraform-production.yml",
                "github.event_name == 'schedule' && vars.BOOTSTRAPPED_PRODUCTION == 'true'",
                "github.event_name == 'schedule'",
            ),
            ("workflows/terraform-production.yml", "if: always()", "if: success()"),
            ("workflows/terraform-production.yml", "contains(needs.*.result, 'failure') ||", ""),
            ("workflows/terraform-production.yml", "run: exit 1", "run: exit 0"),
            ("workflows/terraform-production.yml", "- terraform - drift", "- terraform"),
            ("workflows/terraform-production.yml", "::notice title=", "::debug title="),
            (
                "workflows/terraform.yml",
                "- name: Assume the plan role",
                "- name: Assume the plan role\n        continue-on-error: true",
            ),
            (
                "production/README.md",
                "gh variable set BOOTSTRAPPED_PRODUCTION",
                "gh variable set BOOTSTRAPPED",
            ),
            ("production/README.md", "gh variable delete BOOTSTRAPPED_PRODUCTION", "gh variable list"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for caller in workflows(platform) {
            let called = jobs(caller).filter(|(_, it)| it["uses"].is_string());
            let called: Vec<_> = called.filter(|(_, it)| it["with"]["environment"].is_string()).collect();
            let Some((_, first)) = called.first() else { continue };
            let environment = first["with"]["environment"].as_str().unwrap();
            let place = &caller.path;
            verdict.see("caller");
            let variable = format!("BOOTSTRAPPED_{}", environment.to_uppercase().replace('-', "_"));
            for (job, it) in &called {
                let condition = it["if"].as_str().unwrap_or_default();
                let guarded = condition.contains(&format!("vars.{variable} == 'true'"));
                let event = condition.starts_with("github.event_name ");
                verdict.hold(guarded && event, format!("{job} runs for an environment that is not made yet"));
            }
            let result = jobs(caller).find(|(_, it)| it["if"] == "always()" && it["uses"].is_null());
            let Some((_, result)) = result else {
                verdict.hold(false, format!("{place}: no check always reports"));
                continue;
            };
            let named = result["name"].as_str().is_some_and(|it| it.contains(environment));
            let waits = words(&result["needs"]).len() == called.len();
            verdict.hold(named && waits, format!("{place}: the check does not speak for every job"));
            let notice = steps(result).any(|it| {
                it["run"].as_str().is_some_and(|it| it.contains("::notice") && it.contains(&variable))
            });
            verdict.hold(notice, format!("{place}: skips its jobs without a word"));
            let red = steps(result).any(|it| {
                let condition = it["if"].as_str().unwrap_or_default();
                it["run"] == "exit 1"
                    && ["failure", "cancelled"]
                        .iter()
                        .all(|it| condition.contains(&format!("contains(needs.*.result, '{it}')")))
            });
            verdict.hold(red, format!("{place}: a failed job passes the check"));
        }
        // A refused login always fails the job.
        for (place, job) in workflows(platform).flat_map(jobs) {
            for step in uses(job, "aws-actions/configure-aws-credentials") {
                let red = step["continue-on-error"].is_null() && job["continue-on-error"].is_null();
                verdict.hold(red, format!("{place} goes on without its role"));
            }
        }
        for (path, text) in platform.files.iter().filter(|(path, _)| path.ends_with("/README.md")) {
            let Some((_, environment)) = path.trim_end_matches("/README.md").split_once("/environments/")
            else {
                continue;
            };
            verdict.see("runbook");
            let variable = format!("BOOTSTRAPPED_{}", environment.to_uppercase().replace('-', "_"));
            for command in ["set", "delete"] {
                let said = text.contains(&format!("gh variable {command} {variable} "));
                verdict.hold(said, format!("{path}: nobody says when to {command} {variable}"));
            }
        }
    }
}

/// Trap 66.
#[test]
fn a07_nobody_holds_a_key_and_an_apply_is_approved() {
    prove(
        "A07",
        &["login", "runbook"],
        check,
        &[
            (
                "workflows/terraform.yml",
                "role-to-assume: …",
                "aws-access-key-id: ${{ secrets.AWS_ACCESS_KEY_ID }}",
            ),
            (
                "workflows/terraform.yml",
                "GH_TOKEN: ${{ github.token }}",
                "GH_TOKEN: ${{ secrets.AWS_SECRET_ACCESS_KEY }}",
            ),
            ("workflows/terraform.yml", "allowed-account-ids: …", ""),
            ("workflows/terraform.yml", "environment: ${{ inputs.environment }} defaults:", "defaults:"),
            ("production/README.md", "\"reviewers\": […],", ""),
            ("production/README.md", "### Create the GitHub environment", "### Later"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in workflows(platform) {
            let mut found = Vec::new();
            attributes(document.value(), &mut found);
            for (key, value) in found {
                let text = value.as_str().unwrap_or_default().to_uppercase();
                let kept = key.to_lowercase().replace('_', "-").contains("aws-access-key")
                    || text.contains("SECRETS.AWS");
                verdict.hold(!kept, format!("{}: `{key}` is a key that somebody keeps", document.path));
            }
            for (place, job) in jobs(document) {
                for step in uses(job, "aws-actions/configure-aws-credentials") {
                    verdict.see("login");
                    let with = &step["with"];
                    let role = with["role-to-assume"].as_str().unwrap_or_default();
                    verdict.hold(!role.is_empty(), format!("{place} takes no role"));
                    verdict
                        .hold(with["allowed-account-ids"].is_string(), format!("{place} takes any account"));
                    let approved = !role.ends_with("-apply")
                        || job["environment"].is_string()
                        || job["environment"]["name"].is_string();
                    verdict.hold(approved, format!("{place} applies unasked"));
                }
            }
        }
        for (path, text) in platform
            .files
            .iter()
            .filter(|(path, _)| path.contains("/environments/") && path.ends_with("/README.md"))
        {
            verdict.see("runbook");
            let steps = text.split("\n### ").map(|it| it.split_once('\n').unwrap_or_default());
            let place = |wanted: &str| steps.clone().position(|(title, _)| title == wanted);
            let first = steps.clone().find(|(title, _)| *title == "Create the GitHub environment");
            let made = first
                .is_some_and(|(_, it)| it.contains("\"reviewers\"") && it.contains("--method PUT"))
                && place("Create the GitHub environment") < place("Enable the workflows");
            verdict.hold(made, format!("{path}: GitHub makes the environment itself, without reviewers"));
        }
    }
}

#[test]
fn a10_what_is_written_is_scanned() {
    prove(
        "A10",
        &["scan", "lint", "Trivy"],
        check,
        &[
            ("workflows/terraform.yml", "--exit-code 1 .", "."),
            ("workflows/terraform.yml", "config --skip-check-update", "config"),
            ("workflows/terraform.yml", "name: Scan if: github.event_name == 'pull_request'", "name: Scan"),
            ("workflows/terraform.yml", "/trivy\" config", "/trivy\" fs"),
            ("workflows/terraform.yml", "| sha256sum --check …", ""),
            ("workflows/terraform.yml", "VERSION: \"0.74.0\"", "VERSION: \"0.73.0\""),
            ("scripts/scan.sh", "version=0.74.0", "version=0.73.0"),
            ("workflows/lint.yml", "--offline --no-progress --persona=auditor", "--version"),
            ("workflows/lint.yml", "--offline --no-progress .", "--version"),
            ("workflows/lint.yml", "run: go run github.com/rhysd/actionlint/…", "run: go version"),
            ("workflows/lint.yml", "run: shellcheck scripts/*", "run: ls scripts"),
            ("workflows/lint.yml", "on: pull_request: branches: - main", "on:"),
            (
                "kubernetes-manifest/.github/workflows/lint.yml",
                "run: shellcheck scripts/*",
                "run: ls scripts",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in terraform(platform).chain(validation(platform)) {
            let repository = document.path.split("/.github/").next().unwrap();
            verdict.see("scan");
            let gate = jobs(document).any(|(_, job)| {
                steps(job).any(|it| {
                    let run = it["run"].as_str().unwrap_or_default();
                    // A scanner with rules that are downloaded at run time may fail a pull request, but no apply.
                    run.contains("/trivy\" config --skip-check-update --skip-version-check --exit-code 1 .")
                        && run.contains("| sha256sum --check")
                        && it["if"] == "github.event_name == 'pull_request'"
                        && it["continue-on-error"].is_null()
                })
            });
            // Manifests are checked against schemas and rules instead: K13.
            let validates = jobs(document).any(|(_, job)| runs(job).any(|it| it == "bash scripts/validate"));
            verdict.hold(gate || validates, format!("{}: nothing scans first", document.path));
            let lint =
                workflows(platform).find(|it| it.path == format!("{repository}/.github/workflows/lint.yml"));
            let Some(lint) = lint else {
                verdict.hold(false, format!("{repository}: nobody lints its workflows"));
                continue;
            };
            verdict.see("lint");
            verdict.hold(
                !lint.value()["on"]["pull_request"].is_null(),
                format!("{}: lints too late", lint.path),
            );
            let audits = ["zizmor\" --offline --no-progress .", "--offline --no-progress --persona=auditor"];
            for command in ["actionlint", "shellcheck scripts"].into_iter().chain(audits) {
                let run = jobs(lint).any(|(_, job)| runs(job).any(|it| it.contains(command)));
                verdict.hold(run, format!("{}: never runs `{command}`", lint.path));
            }
        }
        // One release of Trivy in all repositories, verified by its checksum.
        let catalogue = Catalogue::get();
        for (path, text) in platform.files.iter().filter(|(_, text)| text.contains("aquasecurity/")) {
            verdict.see("Trivy");
            let assigned = |word: &str, value: &str| {
                [
                    format!("{word}={value}"),
                    format!("{}: {value}", word.to_uppercase()),
                    format!("{}: \"{value}\"", word.to_uppercase()),
                ]
                .iter()
                .any(|it| text.lines().any(|line| line.trim() == it))
            };
            let held = assigned("version", catalogue.tool("trivy"))
                && assigned("checksum", catalogue.checksum("trivy"));
            verdict.hold(held, format!("{path}: takes another Trivy"));
        }
    }
}

/// Trap 63.
#[test]
fn a15_a_pull_request_plans_and_main_applies_that_plan() {
    prove(
        "A15",
        &["plan", "apply", "callers", "difference"],
        check,
        &[
            ("workflows/validate.yml", "run: bash scripts/validate", "run: ls"),
            ("workflows/validate.yml", "bash scripts/difference HEAD^1", "ls"),
            ("workflows/validate.yml", "fetch-depth: 2", "fetch-depth: 1"),
            ("workflows/validate.yml", "run: bash scripts/difference-comment difference.diff", "run: ls"),
            (
                "workflows/validate.yml",
                " && github.event.pull_request.head.repo.full_name == github.repository",
                "",
            ),
            (
                "workflows/validate.yml",
                "contents: read # to check out the repository",
                "contents: read\n      pull-requests: write",
            ),
            ("workflows/validate.yml", "needs: validate", ""),
            ("workflows/terraform.yml", "run: terraform fmt -check …", "run: terraform fmt"),
            ("workflows/terraform.yml", "terraform …validate", "ls"),
            ("workflows/terraform.yml", "terraform …test", "ls"),
            (
                "workflows/terraform.yml",
                "- name: Plan id: plan",
                "- working-directory: environments/x/gitops\n        run: terraform plan\n      - name: Plan\n        id: plan",
            ),
            ("workflows/terraform.yml", "/trivy\" config", "/trivy\" --help"),
            ("workflows/terraform.yml", "needs: check", ""),
            ("workflows/terraform.yml", "-out=tfplan", ""),
            ("workflows/terraform.yml", "-lock-timeout=10m tfplan", "-auto-approve"),
            (
                "workflows/terraform.yml",
                "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'",
                "github.ref == 'refs/heads/main'",
            ),
            ("workflows/terraform.yml", "github.ref == 'refs/heads/main' && ", ""),
            (
                "workflows/terraform.yml",
                "github.event.pull_request.head.repo.full_name == github.repository",
                "true",
            ),
            ("workflows/terraform.yml", "retention-days: 30", "retention-days: 1"),
            ("workflows/terraform-production.yml", "pull_request: branches: - main", ""),
            ("workflows/terraform-production.yml", "environment: production", "environment: staging"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in terraform(platform) {
            let place = &document.path;
            let runs_in = |job: &Value, command: &str| commands(job).any(|it| it.contains(command));
            let find = |command: &str| jobs(document).find(|(_, job)| runs_in(job, command));
            let name = |it: &str| it.rsplit('`').nth(1).unwrap().to_owned();
            let condition = |job: &Value| job["if"].as_str().unwrap_or_default().to_owned();
            let Some((checking, check)) = find("terraform fmt -check") else {
                verdict.hold(false, format!("{place}: nothing checks the format"));
                continue;
            };
            let checked = runs_in(check, "terraform validate")
                && runs_in(check, "terraform test")
                && runs(check).any(|it| it.contains("/trivy\" config "));
            verdict.hold(checked && condition(check).is_empty(), format!("{place}: checks too little"));
            let Some((planning, plan)) = jobs(document).find(|(_, job)| {
                job["environment"].is_null() && runs_in(job, "terraform plan") && runs_in(job, "-out=tfplan")
            }) else {
                verdict.hold(false, format!("{place}: saves no plan"));
                continue;
            };
            verdict.see("plan");
            let reads = uses(plan, "aws-actions/configure-aws-credentials")
                .all(|it| it["with"]["role-to-assume"].as_str().unwrap_or_default().ends_with("-plan"));
            verdict.hold(reads, format!("{place}: plans with too much"));
            let after = |job: &Value, other: &str| words(&job["needs"]).contains(&name(other).as_str());
            verdict.hold(after(plan, &checking), format!("{place}: plans what nobody checked"));
            let fork = condition(plan)
                .contains("github.event.pull_request.head.repo.full_name == github.repository");
            verdict.hold(fork, format!("{place}: lets forks plan"));
            let Some((_, apply)) = find("terraform apply").filter(|(_, job)| runs_in(job, " tfplan")) else {
                verdict.hold(false, format!("{place}: applies something else than the plan"));
                continue;
            };
            verdict.see("apply");
            let on_main = condition(apply).contains("github.event_name != 'pull_request'")
                && condition(apply).contains("github.ref == 'refs/heads/main'");
            verdict.hold(
                on_main && apply["environment"].is_string() && after(apply, &planning),
                format!("{place}: applies unasked"),
            );
            verdict.hold(!runs_in(apply, "-auto-approve"), format!("{place}: applies another plan"));
            let saved = uses(plan, "actions/upload-artifact")
                .find(|it| it["with"]["path"].as_str().unwrap_or_default().ends_with("/tfplan"));
            let fetched = uses(apply, "actions/download-artifact")
                .any(|it| saved.is_some_and(|saved| saved["with"]["name"] == it["with"]["name"]));
            verdict.hold(fetched, format!("{place}: applies a plan from elsewhere"));
            let kept = saved.is_some_and(|it| it["with"]["retention-days"].as_u64() >= Some(30));
            verdict.hold(kept, format!("{place}: the plan is gone before its approval"));
            for (job, it) in jobs(document)
                .filter(|(_, it)| !condition(it).starts_with("github.event_name != 'pull_request' &&"))
            {
                let folder =
                    |it: &Value| it["working-directory"].as_str().unwrap_or_default().ends_with("gitops");
                let inside = folder(&it["defaults"]["run"]);
                let mut reaches = steps(it).filter(|step| inside || folder(step));
                let plans = reaches.any(|step| {
                    let unasked = !step["if"].as_str().unwrap_or_default().contains("!= 'pull_request'");
                    unasked && step["run"].as_str().is_some_and(|it| it.contains("terraform plan"))
                });
                verdict.hold(!plans, format!("{job} shows Secrets to whoever opens a pull request"));
            }
        }
        for document in validation(platform) {
            let place = &document.path;
            verdict.see("difference");
            let find = |command: &str| {
                jobs(document).find(|(_, job)| commands(job).any(|it| it.starts_with(command)))
            };
            let checked = find("bash scripts/validate").is_some_and(|(_, job)| {
                commands(job).any(|it| it.starts_with("bash scripts/difference HEAD^1"))
                    && uses(job, "actions/checkout").any(|it| it["with"]["fetch-depth"] == 2)
                    && job["permissions"].as_object().is_some_and(|it| it.len() == 1)
            });
            verdict.hold(checked, format!("{place}: shows nothing, or with too much"));
            let posted = find("bash scripts/difference-comment difference.diff").is_some_and(|(_, job)| {
                words(&job["needs"]) == ["validate"]
                    && job["permissions"]["pull-requests"] == "write"
                    && job["if"].as_str().is_some_and(|it| {
                        it.contains("github.event.pull_request.head.repo.full_name == github.repository")
                    })
            });
            verdict.hold(posted, format!("{place}: posts nothing, or for anybody"));
        }
        for root in platform.roots().filter(|it| it.name == "platform") {
            let Some(repository) = root.path.split("/environments/").next() else { continue };
            let path = format!("{repository}/.github/workflows/terraform-{}.yml", root.environment);
            let Some(caller) = workflows(platform).find(|it| it.path == path) else {
                let fixture = !platform.blueprint.contains_key("name");
                verdict.hold(fixture, format!("{path} is missing"));
                continue;
            };
            verdict.see("callers");
            let on = &caller.value()["on"];
            let branches = |trigger: &str| words(&on[trigger]["branches"]) == ["main"];
            verdict.hold(branches("pull_request") && branches("push"), format!("{path}: starts on {on}"));
            let own = jobs(caller).any(|(_, job)| {
                job["with"]["environment"] == *root.environment
                    && job["uses"] == "./.github/workflows/terraform.yml"
            });
            verdict.hold(own, format!("{path}: applies another environment"));
        }
    }
}
