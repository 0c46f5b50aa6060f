// An application's repository: image, release and code owners.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Platform, Verdict,
    documents::{Document, commands},
    prove,
};

/// The repositories of applications, by folder.
fn repositories(platform: &Platform) -> Vec<&str> {
    let release = |path: &'_ str| path.ends_with("/.github/workflows/release.yml");
    platform.files.keys().filter(|it| release(it)).filter_map(|it| it.split('/').next()).collect()
}

/// A file of a repository; empty if there is none.
fn file<'p>(platform: &'p Platform, repository: &str, path: &str) -> &'p str {
    platform.files.get(&format!("{repository}/{path}")).map(|it| it.as_str()).unwrap_or_default()
}

fn workflow<'p>(platform: &'p Platform, repository: &str, name: &str) -> &'p Value {
    let path = format!("{repository}/.github/workflows/{name}.yml");
    platform.documents().find(|it| it.path == path).map(Document::value).unwrap_or(&Value::Null)
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

/// The index of the step of a job that runs such a command.
fn place(job: &Value, command: &str) -> Option<usize> {
    steps(job).position(|it| it["run"].as_str().is_some_and(|it| it.contains(command)))
}

fn needs(job: &Value, other: &str) -> bool {
    job["needs"] == other || job["needs"].as_array().is_some_and(|it| it.iter().any(|it| it == other))
}

/// The stages of a Dockerfile, each a list of instructions on one line.
fn stages(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    let mut stages: Vec<Vec<String>> = Vec::new();
    for line in lines {
        if line.starts_with("FROM ") {
            stages.push(Vec::new());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        stages.last_mut().unwrap().push(words.join(" "));
    }
    stages
}

/// Trap 42.
#[test]
fn a08_a_release_builds_its_own_image() {
    prove(
        "A08",
        &["release"],
        check,
        &[
            ("application/.github/workflows/release.yml", "branches: [main]", "tags: [\"v*\"]"),
            ("application/.github/workflows/release.yml", "run: sh .github/scripts/build.sh …", "run: ls"),
            ("application/.github/workflows/ci.yml", "on: pull_request:", "on:\n  release:\n  pull_request:"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            verdict.see("release");
            let release = workflow(platform, repository, "release");
            let on = &release["on"];
            let main = on["push"]["branches"] == serde_json::json!(["main"]);
            verdict.hold(
                main && on["push"]["tags"].is_null(),
                format!("{repository}: released by something else"),
            );
            let builds = place(&release["jobs"]["build"], ".github/scripts/build.sh").is_some();
            verdict.hold(builds, format!("{repository}: a release without an image"));
            let workflows =
                platform.documents().filter(|it| it.path.starts_with(&format!("{repository}/.github/")));
            for document in workflows {
                let on = &document.value()["on"];
                let waits = ["release", "create", "registry_package"].iter().any(|it| on.get(*it).is_some());
                verdict.hold(!waits, format!("{}: waits for what GitHub's own token does", document.path));
            }
        }
    }
}

#[test]
fn a09_an_image_is_for_all_nodes_signed_and_says_where_it_comes_from() {
    prove(
        "A09",
        &["image"],
        check,
        &[
            ("application/.github/scripts/build.sh", "--platform linux/amd64", "--platform linux/s390x"),
            ("application/.github/scripts/build.sh", "type=oci,", "type=docker,"),
            ("application/.github/scripts/publish.sh", "cosign sign --yes --recursive", "true"),
            ("application/.github/scripts/publish.sh", "cosign attest --yes --type spdxjson", "true"),
            ("application/.github/scripts/publish.sh", "cosign attest --yes --type slsaprovenance1", "true"),
            ("application/.github/workflows/release.yml", "id-token: write …", ""),
            (
                "application/.github/workflows/release.yml",
                "digest: ${{ steps.digest.outputs.digest }}",
                "digest: none",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        // There is an image for each architecture of the nodes in Terraform.
        let types: Vec<&str> = platform
            .files
            .iter()
            .filter(|(path, _)| path.ends_with("/platform/nodes.tf"))
            .flat_map(|(_, text)| text.lines().filter(|it| it.trim_start().starts_with("ami_type")))
            .collect();
        let wanted: BTreeSet<&str> = types
            .iter()
            .map(|it| if it.contains("ARM_64") { "linux/arm64" } else { "linux/amd64" })
            .collect();
        for repository in repositories(platform) {
            verdict.see("image");
            let build = file(platform, repository, ".github/scripts/build.sh");
            let built = build.split("--platform ").nth(1).and_then(|it| it.split_whitespace().next());
            let built: BTreeSet<&str> = built.unwrap_or_default().split(',').collect();
            verdict.hold(built == wanted, format!("{repository}: built for {built:?}, nodes are {wanted:?}"));
            verdict.hold(build.contains("type=oci,"), format!("{repository}: built into no layout"));
            let publish = file(platform, repository, ".github/scripts/publish.sh");
            for command in [
                "cosign sign --yes --recursive",
                "cosign attest --yes --type spdxjson",
                "cosign attest --yes --type slsaprovenance1",
            ] {
                verdict.hold(publish.contains(command), format!("{repository}: never runs `{command}`"));
            }
            let jobs = &workflow(platform, repository, "release")["jobs"];
            let keyless = jobs["publish"]["permissions"]["id-token"] == "write";
            verdict.hold(keyless, format!("{repository}: signs as nobody"));
            let digest = jobs["build"]["outputs"]["digest"].as_str().unwrap_or_default();
            verdict.hold(digest.contains("steps.digest"), format!("{repository}: hands on no digest"));
        }
    }
}

/// Traps 19, 80.
#[test]
fn a11_an_image_holds_the_program_and_what_it_needs() {
    prove(
        "A11",
        &["image", "authorities"],
        check,
        &[
            ("application/Dockerfile", "AS build", ""),
            ("application/Dockerfile", "golang:1.26.9-alpine3.24@…AS", "golang:1.26.9-alpine3.24 AS"),
            (
                "application/Dockerfile",
                "FROM gcr.io/distroless/static-debian13:nonroot",
                "FROM docker.io/library/debian:13",
            ),
            ("application/Dockerfile", "USER 65532:65532", "USER root"),
            ("application/Dockerfile", "USER 65532:65532", ""),
            ("application/Dockerfile", "ENTRYPOINT [\"/test-app\"]", "ENTRYPOINT /test-app"),
            ("application/Dockerfile", "org.opencontainers.image.revision=…", "revision=x"),
            ("application/.dockerignore", ".git\n", "\n"),
            ("application/Dockerfile", "ENV DATABASE_CA_FILE=…", ""),
            ("application/Dockerfile", "COPY --chmod=444", "ADD https://example.com/x /y\nCOPY --chmod=444"),
            ("application/.dockerignore", "CODEOWNERS", "scripts"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            let text = file(platform, repository, "Dockerfile");
            // Without a language, the user writes the Dockerfile.
            if text.is_empty() {
                continue;
            }
            verdict.see("image");
            let stages = stages(text);
            verdict.hold(stages.len() > 1, format!("{repository}: the compiler comes along"));
            for stage in &stages {
                let image =
                    stage[0].split(' ').find(|it| it.contains(':') || it.contains('@')).unwrap_or_default();
                let digest = image.split_once("@sha256:").map(|it| it.1.len()).unwrap_or_default();
                verdict.hold(digest == 64, format!("{repository}: `{image}` may change"));
            }
            let last = stages.last().unwrap();
            let one = |word: &str| last.iter().find_map(|it| it.strip_prefix(word)).unwrap_or_default();
            let bare = one("FROM ").starts_with("gcr.io/distroless/") && one("FROM ").contains(":nonroot@");
            verdict.hold(bare, format!("{repository}: has a shell, or root"));
            let user = one("USER ").split(':').next().and_then(|it| it.parse::<u32>().ok());
            verdict.hold(
                user.is_some_and(|it| it >= 10_000),
                format!("{repository}: runs as `{}`", one("USER ")),
            );
            let entry: Result<Vec<String>, _> = serde_json::from_str(one("ENTRYPOINT "));
            verdict.hold(
                entry.is_ok_and(|it| !it.is_empty()),
                format!("{repository}: a shell gets its signals"),
            );
            for label in ["title", "source", "version", "revision", "created"] {
                let named = one("LABEL ").contains(&format!("org.opencontainers.image.{label}="));
                verdict.hold(named, format!("{repository}: the image does not say its {label}"));
            }
            let ignored = file(platform, repository, ".dockerignore");
            for path in [".git", ".github", ".env*"] {
                verdict.hold(ignored.lines().any(|it| it == path), format!("{repository}: `{path}` is sent"));
            }
            for copied in stages.iter().flatten().filter_map(|it| it.strip_prefix("COPY --from=")) {
                let from = format!(" AS {}", copied.split(' ').next().unwrap());
                let known = stages.iter().any(|it| it[0].ends_with(&from));
                verdict.hold(known, format!("{repository}: copies from outside of its own stages"));
            }
            let team = ["scripts", "src", "app", "certificates"];
            let hidden = ignored.lines().find(|it| team.contains(&it.trim_end_matches('/')));
            verdict
                .hold(hidden.is_none(), format!("{repository}: `{}` is hidden", hidden.unwrap_or_default()));
            let fetched = stages.iter().flatten().any(|it| it.starts_with("ADD "));
            verdict.hold(!fetched, format!("{repository}: a build depends on what lies at an address"));
            let named = last.iter().any(|it| it.starts_with("ENV DATABASE_CA_FILE=/"));
            let asks = file(platform, repository, "README.md").contains("`DATABASE_HOST`");
            verdict.hold(asks == named, format!("{repository}: knows its database by nothing"));
            if asks {
                verdict.see("authorities");
            }
        }
    }
}

/// Trap 49.
#[test]
fn a12_robots_leave_what_is_rendered_alone() {
    prove(
        "A12",
        &["rules"],
        check,
        &[
            (
                "application/renovate.json",
                "\"minimumReleaseAge\": \"7 days\"",
                "\"minimumReleaseAge\": \"0 days\"",
            ),
            ("application/renovate.json", "\".github/workflows/release.yml\",", ""),
            ("application/renovate.json", "\"Dockerfile\"", "\"Other\""),
            ("application/renovate.json", "\"enabled\": false", "\"enabled\": true"),
            ("application/renovate.json", "\"gomodTidy\"", "\"npmDedupe\""),
            ("application/renovate.json", ", \":semanticCommits\"", ""),
            (
                "application/renovate.json",
                "\"semanticCommitType\": \"fix\"",
                "\"semanticCommitType\": \"chore\"",
            ),
            ("application/renovate.json", "\"automerge\": false", "\"automerge\": true"),
            ("application/renovate.json", "timestamp-optional", "timestamp-required"),
            ("application/renovate.json", "/^1\\\\.26\\\\./", "/^1\\\\./"),
            (
                "application/renovate.json",
                "\"gcr.io/distroless/static-debian13\"",
                "\"gcr.io/distroless/other\"",
            ),
            ("application/renovate.json", "\"major\", ", ""),
            ("application/renovate.json", "\".blueprint/**\"", "\"other/**\""),
            ("application/renovate.json", "\"**/node_modules/**\",", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            verdict.see("rules");
            let rules: Value =
                serde_json::from_str(file(platform, repository, "renovate.json")).unwrap_or_default();
            let age =
                rules["minimumReleaseAge"].as_str().and_then(|it| it.split(' ').next()?.parse::<u32>().ok());
            verdict.hold(age.is_some_and(|it| it >= 3), format!("{repository}: takes what came out today"));
            // Otherwise unused lines stay in `go.sum`, and the linter refuses the pull request.
            let tidied = rules["postUpdateOptions"] == serde_json::json!(["gomodTidy"]);
            let go = file(platform, repository, "Dockerfile").contains("go build");
            verdict.hold(tidied == go, format!("{repository}: `go.mod` is left untidy, or there is none"));
            // It infers the style of titles from ten commits, and a new repository has fewer.
            let named = rules["extends"].to_string().contains("\":semanticCommits\"");
            verdict.hold(named, format!("{repository}: a robot's titles are refused"));
            raised(platform, repository, &rules, verdict);
            let off = rules["packageRules"].as_array().into_iter().flatten();
            let off = off.filter(|it| it["enabled"] == false && it["matchUpdateTypes"].is_null());
            let off: BTreeSet<&str> = off
                .flat_map(|it| it["matchFileNames"].as_array().into_iter().flatten())
                .filter_map(Value::as_str)
                .collect();
            let rendered = platform.files.iter().filter_map(|(path, text)| {
                let path = path.strip_prefix(&format!("{repository}/"))?;
                // Renovate has no manager that reads shell scripts.
                (text.contains("Written by blueprint")
                    && !path.ends_with(".sh")
                    && (path == "Dockerfile" || path.starts_with(".github/")))
                .then_some((path, text))
            });
            for (path, _) in rendered.filter(|(_, text)| {
                text.contains("@sha256:") || text.contains("==") || text.contains("uses: ")
            }) {
                verdict.hold(off.contains(path), format!("{repository}: a robot would change `{path}`"));
            }
        }
    }
    /// What a render keeps, a robot may raise: base images and toolchains, within their line, by a commit that is a release.
    fn raised(platform: &Platform, repository: &str, rules: &Value, verdict: &mut Verdict) {
        let words = |it: &Value| -> BTreeSet<String> {
            it.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let ignored = words(&rules["ignorePaths"]);
        let ignores =
            ["**/node_modules/**", "**/vendor/**", ".blueprint/**"].iter().all(|it| ignored.contains(*it));
        verdict.hold(ignores, format!("{repository}: a robot reads what was rendered before"));
        let rules = rules["packageRules"].as_array().cloned().unwrap_or_default();
        let at = |wanted: &dyn Fn(&Value) -> bool| rules.iter().position(wanted);
        let off = at(&|it| it["enabled"] == false);
        let on = at(&|it| it["enabled"] == true);
        // The last rule that matches an update wins, and a dependency that is disabled is not looked up at all.
        let ordered = off < on && off.is_some();
        verdict.hold(ordered, format!("{repository}: base images are never raised"));
        let rule = on.map(|at| rules[at].clone()).unwrap_or_default();
        verdict.hold(
            rule["semanticCommitType"] == "fix" && rule["groupName"] == "base image and toolchain",
            format!("{repository}: a newer base image is no release"),
        );
        verdict.hold(rule["automerge"] == false, format!("{repository}: nobody looks at a newer base image"));
        verdict.hold(
            rule["minimumReleaseAgeBehaviour"] == "timestamp-optional",
            format!("{repository}: ECR Public has no timestamps, so a newer base image waits forever"),
        );
        let names = words(&rule["matchDepNames"]);
        let leaves = |it: &Value| it["enabled"] == false && words(&it["matchUpdateTypes"]).contains("major");
        let kept = rules.iter().any(|it| leaves(it) && words(&it["matchDepNames"]) == names);
        verdict.hold(kept, format!("{repository}: a robot leaves the line"));
        let mut versions: Vec<(String, String)> = Vec::new();
        let ours = |path: &str| file(platform, repository, path).contains("Written by blueprint");
        for line in file(platform, repository, "Dockerfile").lines().filter(|_| ours("Dockerfile")) {
            let image =
                line.strip_prefix("FROM ").and_then(|it| it.split(' ').find(|it| !it.starts_with("--")));
            versions.extend(
                image.and_then(|it| it.split_once(':')).map(|(name, tag)| (name.to_owned(), tag.to_owned())),
            );
        }
        for line in file(platform, repository, ".github/workflows/ci.yml").lines() {
            for (start, name) in
                [("go-version: ", "go"), ("node-version: ", "node"), ("rustup default ", "rust")]
            {
                let value = line.trim_start().strip_prefix(start).map(|it| it.trim_matches('"').to_owned());
                versions.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        for (name, version) in versions {
            verdict.hold(names.contains(&name), format!("{repository}: `{name}` is never raised"));
            let line = rules
                .iter()
                .find(|it| it["allowedVersions"].is_string() && words(&it["matchDepNames"]).contains(&name));
            let line = line.and_then(|it| it["allowedVersions"].as_str()).unwrap_or_default();
            let line = line.trim_start_matches("/^").trim_end_matches("\\./").replace('\\', "");
            let number = version.starts_with(|c: char| c.is_ascii_digit());
            // A line is a minor version, or the major version of Node, which corrects only its newest minor version.
            let parts = if name.ends_with("node") { 1 } else { 2 };
            let fits = version.split('.').take(parts).collect::<Vec<_>>().join(".") == line;
            verdict.hold(fits == number, format!("{repository}: `{name}` leaves its line: {line}"));
        }
    }
}

#[test]
fn a13_a_release_takes_nothing_from_a_cache() {
    prove(
        "A13",
        &["toolchain"],
        check,
        &[
            ("application/.github/workflows/release.yml", "cache: false", "cache: true"),
            ("application/.github/workflows/release.yml", "cache: false", ""),
            (
                "application/.github/scripts/build.sh",
                "--provenance=false",
                "--provenance=false --cache-from type=gha",
            ),
            (
                "application/.github/workflows/release.yml",
                "run: sh .github/scripts/build.sh …",
                "run: sh .github/scripts/build.sh \"$RUNNER_TEMP/release/image\" \"$VERSION\" \"$RUNNER_TEMP/layers\"",
            ),
            (
                "application/.github/workflows/ci.yml",
                "build.sh \"$RUNNER_TEMP/image\" 0.0.0 \"$RUNNER_TEMP/layers\"",
                "build.sh \"$RUNNER_TEMP/image\" 0.0.0",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            let jobs = workflow(platform, repository, "release")["jobs"].as_object().unwrap();
            for step in jobs.values().flat_map(steps) {
                let action = step["uses"].as_str().unwrap_or_default();
                let with = &step["with"];
                let off = match action.split('@').next().unwrap() {
                    "actions/setup-go" => with["cache"] == false,
                    "actions/setup-node" => with["package-manager-cache"] == false && with["cache"].is_null(),
                    "actions/setup-python" => with["cache"].is_null(),
                    "docker/setup-qemu-action" => with["cache-image"] == false,
                    "actions/cache" => false,
                    _ => continue,
                };
                verdict.see("toolchain");
                verdict
                    .hold(off, format!("{repository}: `{action}` takes what a pull request may have left"));
            }
            let script = file(platform, repository, ".github/scripts/build.sh");
            let build = script.split_once("docker buildx build").map(|it| it.1).unwrap_or_default();
            let options = script.contains("\nif [ -n \"$cache\" ]; then\n") && !build.contains("--cache-");
            verdict.hold(options, format!("{repository}: every image is built from a cache"));
            let cached = |name: &str| {
                let jobs = workflow(platform, repository, name)["jobs"].as_object().unwrap();
                jobs.values().flat_map(commands).any(|it| it.contains("build.sh") && it.contains("layers"))
            };
            verdict.hold(!cached("release"), format!("{repository}: a release is built from a cache"));
            verdict.hold(cached("ci"), format!("{repository}: a pull request builds all layers anew"));
        }
    }
}

#[test]
fn a14_somebody_looks_after_it() {
    prove(
        "A14",
        &["owners", "template", "rules"],
        check,
        &[
            ("application/CODEOWNERS", "* @acme/test-app-team", "docs/ @acme/test-app-team"),
            (
                "application/README.md",
                "require a pull request and the checks `Title`, `Lint`, `Test` and `Image`",
                "require a pull request and the checks `Lint`, `Test` and `Image`",
            ),
            ("workflows/title.yml", "pull_request:", "pull_request_review:"),
            ("workflows/title.yml", "edited, ", ""),
            ("workflows/title.yml", "version.sh title \"$TITLE\"", "version.sh next"),
            ("workflows/title.yml", "pull_request.title", "pull_request.body"),
            ("application/README.md", "for tags `v*`: restrict updates and deletions", "for tags"),
            ("application/.github/pull_request_template.md", "`feat: …`", "`x`"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            let readme = file(platform, repository, "README.md");
            let owners = file(platform, repository, "CODEOWNERS");
            if !owners.is_empty() {
                verdict.see("owners");
                let all = owners.lines().any(|it| it.starts_with("* @"));
                verdict.hold(all, format!("{repository}: nobody owns what is not named"));
            } else {
                verdict.hold(
                    readme.contains("`code-owners`"),
                    format!("{repository}: nobody is told of owners"),
                );
            }
            verdict.see("template");
            let template = file(platform, repository, ".github/pull_request_template.md");
            verdict.hold(
                template.contains("feat: …"),
                format!("{repository}: nobody is told what a title does"),
            );
            verdict.see("rules");
            let jobs =
                |name: &str| workflow(platform, repository, name)["jobs"].as_object().unwrap().values();
            for name in jobs("ci").chain(jobs("title")).filter_map(|it| it["name"].as_str()) {
                let required = readme
                    .lines()
                    .any(|it| it.contains("require a pull request") && it.contains(&format!("`{name}`")));
                verdict.hold(required, format!("{repository}: `{name}` need not pass"));
            }
            // The title becomes the message of the commit that the release reads, so the same script checks both.
            let title = workflow(platform, repository, "title");
            let changes = &title["on"]["pull_request"]["types"];
            let every = ["opened", "edited", "reopened", "synchronize"];
            let read = title["jobs"].as_object().unwrap().values().flat_map(steps).any(|it| {
                it["run"] == "sh .github/scripts/version.sh title \"$TITLE\""
                    && it["env"]["TITLE"] == "${{ github.event.pull_request.title }}"
            });
            let listed = |it: &&str| changes.as_array().is_some_and(|all| all.iter().any(|one| one == it));
            verdict.hold(
                read && every.iter().all(listed),
                format!("{repository}: a title may be anything, or become it"),
            );
            let tags = readme.contains("for tags `v*`: restrict updates and deletions");
            verdict.hold(tags, format!("{repository}: a tag may be moved"));
        }
    }
}

/// Traps 81, 91, 97.
#[test]
fn a16_what_is_released_was_tested_before() {
    const RELEASE: &str = "application/.github/workflows/release.yml";
    prove(
        "A16",
        &["release"],
        check,
        &[
            (RELEASE, "needs: [version, build, release]", "needs: [version, build]"),
            (RELEASE, "needs: [version, build] runs-on", "needs: [version]\n    runs-on"),
            (RELEASE, "run: go test -race ./...", "run: \"true\""),
            (RELEASE, "run: sh .github/scripts/smoke.sh …", "run: \"true\""),
            (RELEASE, "run: sh .github/scripts/scan.sh …", "run: \"true\""),
            (RELEASE, "run: sh .github/scripts/publish.sh …", "run: sh .github/scripts/build.sh x"),
            (RELEASE, "needs: [version, publish]", "needs: version"),
            (RELEASE, "if: needs.release.outputs.released == 'true'", ""),
            (RELEASE, "released: ${{ steps.release.outputs.released }}", "released: \"true\""),
            (RELEASE, "packages: read # to verify the image", ""),
            (
                "application/.github/scripts/deliver.sh",
                "sh \"$(dirname \"$0\")/verify.sh\" \"$digest\"",
                "true",
            ),
            (
                "application/.github/scripts/publish.sh",
                "sh \"$(dirname \"$0\")/verify.sh\" \"$digest\"",
                "true",
            ),
            (
                "application/.github/scripts/publish.sh",
                "\"docker://$image@$digest\"\nfi",
                "\"docker://$image:$version\"\nfi",
            ),
            ("application/.github/scripts/deliver.sh", "-v digest=\"$digest\"", ""),
            ("application/.github/workflows/rescan.yml", "schedule:", "push:"),
            ("application/.github/workflows/rescan.yml", "packages: read", "packages: write"),
            (
                "application/.github/workflows/rescan.yml",
                "run: sh .github/scripts/rescan.sh",
                "run: \"true\"",
            ),
            ("application/.github/scripts/verify.sh", "refs/heads/main", "refs/heads/other"),
            ("application/.github/scripts/verify.sh", "cosign verify-attestation", "true"),
            ("application/.github/scripts/release.sh", "--verify-tag", "--target \"$GITHUB_SHA\""),
            ("application/.github/scripts/version.sh", "limit=120000", "limit=125000"),
            ("application/.github/scripts/scan.sh", "--exit-code 3", "--exit-code 0"),
            ("application/.github/scripts/scan.sh", "architectures=amd64", "architectures=x86"),
            (
                "application/.github/scripts/publish.sh",
                "skopeo copy --quiet --all --preserve-digests",
                "skopeo copy",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            verdict.see("release");
            let jobs = &workflow(platform, repository, "release")["jobs"];
            let ordered = needs(&jobs["release"], "build") && needs(&jobs["publish"], "release");
            verdict.hold(ordered, format!("{repository}: released before it was tested"));
            let delivered = jobs["deliver"].is_null() || needs(&jobs["deliver"], "publish");
            verdict.hold(delivered, format!("{repository}: delivered before it is there"));
            let build = &jobs["build"];
            let tests = workflow(platform, repository, "ci")["jobs"]["test"].clone();
            // Steps that install a toolchain differ, because a release uses no cache.
            let own = commands(&tests).filter(|it| !it.starts_with("rustup") && !it.starts_with("echo"));
            let built = place(build, ".github/scripts/build.sh");
            for command in own {
                let ran = place(build, &command).filter(|it| Some(*it) < built);
                verdict.hold(ran.is_some(), format!("{repository}: releases without `{command}`"));
            }
            let (smoke, scan) =
                (place(build, ".github/scripts/smoke.sh"), place(build, ".github/scripts/scan.sh"));
            verdict.hold(
                built.is_some() && built < smoke && smoke < scan,
                format!("{repository}: not tried, or not scanned"),
            );
            let publish = &jobs["publish"];
            let copies = place(publish, ".github/scripts/publish.sh").is_some()
                && place(publish, "build.sh").is_none();
            verdict.hold(copies, format!("{repository}: publishes something else"));
            let script = file(platform, repository, ".github/scripts/publish.sh");
            let copied: Vec<&str> = script
                .lines()
                .filter_map(|it| it.trim().strip_prefix("skopeo copy "))
                .map(|it| it.trim_start_matches("--quiet --all --preserve-digests --retry-times 3 "))
                .collect();
            // The tag comes from the registry, after the image was verified there.
            let same = copied
                == [
                    "\"docker://$image@$digest\" \"docker://$image:$version\"",
                    "\"oci:$layout\" \"docker://$image@$digest\"",
                ]
                && !script.contains("docker build");
            verdict.hold(same, format!("{repository}: publishes other bytes than were scanned"));
            let skipped = publish["if"] == "needs.release.outputs.released == 'true'"
                && jobs["release"]["outputs"]["released"] == "${{ steps.release.outputs.released }}";
            verdict.hold(skipped, format!("{repository}: publishes what is not released"));
            // Naming a commit needs a permission for workflows that no job has.
            let tagged = file(platform, repository, ".github/scripts/release.sh").contains(" --verify-tag ");
            verdict.hold(tagged, format!("{repository}: a release is refused once main has other workflows"));
            let versions = file(platform, repository, ".github/scripts/version.sh");
            let limit = versions.lines().find_map(|it| it.strip_prefix("limit=")?.parse::<u32>().ok());
            verdict.hold(limit.is_some_and(|it| it <= 124_000), format!("{repository}: notes are too long"));
            let verify = file(platform, repository, ".github/scripts/verify.sh");
            let by_main = verify.contains("/.github/workflows/release.yml@refs/heads/main\n");
            let whole =
                ["cosign verify --certificate-identity", "cosign verify-attestation --type slsaprovenance1"];
            verdict.hold(
                by_main && whole.iter().all(|it| verify.contains(it)),
                format!("{repository}: takes anybody's signature"),
            );
            let verifies = |script: &str, what: &str| {
                script.contains(&format!("sh \"$(dirname \"$0\")/verify.sh\" \"{what}\"\n"))
            };
            verdict.hold(verifies(script, "$digest"), format!("{repository}: tags what is not verified"));
            let deliver = file(platform, repository, ".github/scripts/deliver.sh");
            if !deliver.is_empty() {
                let right = jobs["deliver"]["permissions"]["packages"] == "read";
                verdict.hold(
                    right && verifies(deliver, "$digest") && deliver.contains("-v digest=\"$digest\""),
                    format!("{repository}: delivers what is not verified"),
                );
            }
            let gate = file(platform, repository, ".github/scripts/scan.sh");
            verdict.hold(gate.contains("--exit-code 3"), format!("{repository}: the scan stops nothing"));
            // A vulnerability becomes known after the release.
            let rescan = workflow(platform, repository, "rescan");
            let job = &rescan["jobs"]["rescan"];
            let permissions = serde_json::json!({"contents": "read", "packages": "read", "issues": "write"});
            let regular = rescan["on"]["schedule"][0]["cron"].is_string()
                && place(job, ".github/scripts/rescan.sh").is_some()
                && job["permissions"] == permissions;
            verdict.hold(regular, format!("{repository}: what is released is not scanned again"));
            let build_for = file(platform, repository, ".github/scripts/build.sh");
            let wanted = build_for.split("--platform ").nth(1).and_then(|it| it.split_whitespace().next());
            let wanted = wanted.unwrap_or_default().replace("linux/", "").replace(',', " ");
            for script in ["scan.sh", "smoke.sh"] {
                let text = file(platform, repository, &format!(".github/scripts/{script}"));
                let listed =
                    text.lines().find_map(|it| it.strip_prefix("architectures=")).unwrap_or_default();
                verdict.hold(
                    listed.trim_matches('\'') == wanted,
                    format!("{repository}: {script} passes over an architecture"),
                );
            }
        }
    }
}

#[test]
fn a17_an_app_opens_the_pull_request() {
    const RELEASE: &str = "application/.github/workflows/release.yml";
    prove(
        "A17",
        &["delivery"],
        check,
        &[
            (RELEASE, "GH_TOKEN: ${{ steps.app.outputs.token }}", "GH_TOKEN: ${{ secrets.PERSONAL_TOKEN }}"),
            (RELEASE, "GH_TOKEN: ${{ steps.app.outputs.token }}", "GH_TOKEN: ${{ github.token }}"),
            (RELEASE, "repositories: kubernetes-manifest", ""),
            (RELEASE, "permission-contents: write", ""),
            (RELEASE, "environment: delivery", ""),
            ("application/README.md", "gh secret set DELIVERY_APP_PRIVATE_KEY", "gh secret list"),
            ("application/README.md", "--field name=main", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for repository in repositories(platform) {
            let release = workflow(platform, repository, "release");
            let readme = file(platform, repository, "README.md");
            for (name, job) in release["jobs"].as_object().unwrap() {
                let secrets: Vec<String> = job
                    .to_string()
                    .split("secrets.")
                    .skip(1)
                    .map(|it| it.chars().take_while(|it| it.is_ascii_uppercase() || *it == '_').collect())
                    .collect();
                for secret in &secrets {
                    verdict.hold(
                        secret == "DELIVERY_APP_PRIVATE_KEY",
                        format!("{repository}: `{name}` uses {secret}"),
                    );
                }
                if place(job, ".github/scripts/deliver.sh").is_none() {
                    continue;
                }
                verdict.see("delivery");
                let app = steps(job).find(|it| {
                    it["uses"].as_str().is_some_and(|it| it.starts_with("actions/create-github-app-token@"))
                });
                let with = app.map(|it| &it["with"]).unwrap_or(&Value::Null);
                let narrow =
                    with["repositories"].as_str().is_some_and(|it| !it.is_empty() && !it.contains(','))
                        && with["permission-contents"] == "write"
                        && with["permission-pull-requests"] == "write";
                verdict.hold(narrow, format!("{repository}: a token for more than the manifests"));
                verdict.hold(
                    job["environment"] == "delivery",
                    format!("{repository}: any branch may read the key"),
                );
                let token = steps(job).filter_map(|it| it["env"]["GH_TOKEN"].as_str()).collect::<Vec<_>>();
                verdict.hold(
                    token == ["${{ steps.app.outputs.token }}"],
                    format!("{repository}: opened as {token:?}"),
                );
                for words in [
                    "gh variable set DELIVERY_APP_CLIENT_ID",
                    "gh secret set DELIVERY_APP_PRIVATE_KEY",
                    "--field name=main",
                ] {
                    verdict
                        .hold(readme.contains(words), format!("{repository}: nobody is told of `{words}`"));
                }
            }
        }
    }
}

#[test]
fn x05_a_version_is_one_in_all_repositories() {
    prove(
        "X05",
        &["action", "linter", "toolchain"],
        check,
        &[
            (
                "application/.github/workflows/ci.yml",
                "actions/checkout@…",
                "actions/checkout@0000000000000000000000000000000000000000 # v7.0.0",
            ),
            ("infrastructure/.github/workflows/lint.yml", "go-version: …", "go-version: \"1.25.0\""),
            ("application/.github/requirements.txt", "zizmor==…", "zizmor==1.0.0"),
            ("application/Dockerfile", "golang:1.26.9", "golang:1.25.0"),
            ("application/go.mod", "go 1.26.0", "go 1.25.0"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut add =
            |what: &str, version: &str| found.entry(what.to_owned()).or_default().insert(version.to_owned());
        for (path, text) in &platform.files {
            if path.contains("/.github/workflows/") {
                for line in text.lines().map(|it| it.trim().trim_start_matches("- ")) {
                    if let Some((action, commit)) =
                        line.strip_prefix("uses: ").and_then(|it| it.split_once('@'))
                    {
                        verdict.see("action");
                        add(action, commit);
                    }
                    if let Some(version) = line.strip_prefix("go-version: ") {
                        verdict.see("toolchain");
                        add("go", version.trim_matches('"'));
                    }
                }
            }
            if path.ends_with("/.github/requirements.txt") {
                for (tool, version) in text.lines().filter_map(|it| it.split_once("==")) {
                    verdict.see("linter");
                    add(tool, version);
                }
            }
            if path.ends_with("/Dockerfile")
                && let Some(version) = text.split("golang:").nth(1).and_then(|it| it.split('-').next())
            {
                add("go", version);
            }
            if path.ends_with("/go.mod")
                && let Some(version) = text.lines().find_map(|it| it.strip_prefix("go "))
            {
                // The version of the language; the compiler may have a later patch version.
                add("go language", version.rsplit_once('.').map(|it| it.0).unwrap_or(version));
            }
        }
        let minor: BTreeSet<String> = found
            .get("go")
            .into_iter()
            .flatten()
            .filter_map(|it| Some(it.rsplit_once('.')?.0.to_owned()))
            .collect();
        found.entry("go language".to_owned()).or_default().extend(minor);
        for (what, versions) in found {
            verdict.hold(versions.len() < 2, format!("{what} is at once {versions:?}"));
        }
    }
}
