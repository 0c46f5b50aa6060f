use std::{collections::BTreeSet, fs, path::Path, process::Command};

use blueprint::{
    application::{Workload, delivery},
    blueprint as asked,
    contribution::Writer,
    diagnostics::Report,
    platform,
    source::Source,
};
use tempfile::TempDir;

use crate::{Tree, blueprints, plan, tree};

/// Two environments in one account: the first makes the account's provider, the other needs it.
const PLATFORM: &str = r#"
schema = 1
name = "orchard"

[github]
owner = "acme"
ids = { owner = 12345678, infrastructure = 987654321 }

[aws]
account = "111122223333"
region = "eu-west-1"

[cluster]
administrators = ["arn:aws:iam::111122223333:role/platform-team"]

[applications.shop]
delivery = "pull-request"

[environments.production]

[environments.staging]
network.range = "10.1.0.0/16"
"#;

/// What stands in `names.txt` behind a word.
fn named<'a>(names: &'a str, word: &str) -> Vec<&'a str> {
    names.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

/// A checkout of the infrastructure repository, and a world in which all is there.
struct World {
    root: TempDir,
    environment: &'static str,
}

impl World {
    fn new(environment: &'static str) -> Self {
        let world = Self { root: TempDir::new().unwrap(), environment };
        let files = tree(plan(PLATFORM));
        for (path, text) in &files {
            if let Some(path) = path.strip_prefix("infrastructure/") {
                world.write(&format!("checkout/{path}"), text);
            }
        }
        let lock = "provider \"registry.terraform.io/hashicorp/aws\" {\n  hashes = [\n    \"h1:a\",\n    \"h1:b\",\n    \"h1:c\",\n  ]\n}\n";
        for root in ["gitops", "platform"] {
            world.write(&format!("checkout/environments/{environment}/{root}/.terraform.lock.hcl"), lock);
        }
        let template = &files[&format!("infrastructure/environments/{environment}/bootstrap/stack.yaml")];
        for (what, text) in [
            ("account", "111122223333"),
            ("branches", "true"),
            ("default", "true"),
            ("delivery-id", "DELIVERY_APP_CLIENT_ID"),
            ("delivery-key", "DELIVERY_APP_PRIVATE_KEY"),
            ("environment", "2"),
            ("policies", "branch 7 main"),
            ("provider", "sts.amazonaws.com"),
            ("repository", "acme/infrastructure"),
            ("stack", "UPDATE_COMPLETE"),
            ("subject", "repo:acme@12345678/infrastructure@987654321"),
            ("template", template),
        ] {
            world.set(what, text);
        }
        let secrets = world.secrets();
        world.set(
            "parameters",
            &secrets.iter().map(|path| format!("{path} SecureString\n")).collect::<String>(),
        );
        world
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn set(&self, what: &str, text: &str) {
        self.write(&format!("world/{what}"), text);
    }

    fn unset(&self, what: &str) {
        fs::remove_file(self.path(&format!("world/{what}"))).unwrap();
    }

    fn secrets(&self) -> Vec<String> {
        let names = self.path(&format!("checkout/environments/{}/names.txt", self.environment));
        let names = fs::read_to_string(names).unwrap();
        named(&names, "secret").iter().map(|it| it.split(' ').next().unwrap().to_owned()).collect()
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let stand_ins = Path::new("tests/stand-ins").canonicalize().unwrap();
        let path = format!("{}:{}", stand_ins.display(), std::env::var("PATH").unwrap());
        let done = Command::new("bash")
            .arg(self.path("checkout/scripts/preflight"))
            .args(arguments)
            .env("PATH", path)
            .env("WORLD", self.path("world"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    /// What it says is missing, and how to make it.
    fn missing(&self) -> Vec<(String, String)> {
        let (code, said, complaint) = self.run(&[self.environment]);
        let mut missing: Vec<(String, String)> = Vec::new();
        let mut in_missing = false;
        for line in said.lines() {
            if let Some(what) = line.strip_prefix("MISSING  ") {
                missing.push((what.to_owned(), String::new()));
            } else if let (Some(how), true) = (line.strip_prefix("           "), in_missing) {
                missing.last_mut().unwrap().1.push_str(&format!("{how}\n"));
                continue;
            }
            in_missing = line.starts_with("MISSING  ");
        }
        assert_eq!(code, i32::from(!missing.is_empty()), "{said}{complaint}");
        missing
    }

    /// The one thing that is missing, when one thing is.
    fn only(&self, what: &str, how: &str) {
        let missing = self.missing();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].0.contains(what), "{missing:?}");
        assert!(missing[0].1.contains(how), "{missing:?}");
    }
}

/// X08: preflight asks for exactly the secrets that a person must put, in every environment of every blueprint.
#[test]
fn x08_what_a_person_puts_is_what_preflight_asks_for() {
    let mut all = 0;
    for (path, text) in blueprints() {
        let source = Source { path, text: text.clone() };
        let mut report = Report::default();
        let blueprint = asked::read(&source, &mut report).unwrap();
        let platform = platform::resolve(&blueprint, &mut report).unwrap();
        let files = tree(plan(&text));
        for stage in &platform.stages {
            let environment = &stage.environment;
            let components = stage.contributions.iter().flat_map(|it| it.secrets.clone());
            let secrets = components.chain(stage.workloads.iter().flat_map(Workload::secrets));
            let secrets = secrets.chain(delivery::secrets(&stage.workloads));
            let by_hand = secrets.filter(|it| it.writer == Writer::Person);
            let wanted: BTreeSet<String> =
                by_hand.map(|it| it.path(&environment.platform, &environment.name)).collect();
            let folder = format!("{}/environments/{environment}", environment.github.infrastructure);
            assert!(asks_for(&files, &folder, &wanted), "{}: {environment}", source.path);
            let mut fewer = wanted.clone();
            fewer.pop_last().expect("Git is read with a secret");
            assert!(!asks_for(&files, &folder, &fewer), "one too many is seen");
            all += wanted.len();
        }
    }
    assert!(all > 0);
}

fn asks_for(files: &Tree, folder: &str, wanted: &BTreeSet<String>) -> bool {
    let lines = named(&files[&format!("{folder}/names.txt")], "secret");
    let listed: Vec<String> = lines.iter().map(|it| it.split(' ').next().unwrap().to_owned()).collect();
    let runbook = &files[&format!("{folder}/README.md")];
    listed.len() == wanted.len()
        && listed.iter().collect::<BTreeSet<_>>() == wanted.iter().collect()
        && wanted.iter().all(|path| runbook.contains(&format!("| `{path}` |")))
}

#[test]
fn nothing_is_missing_where_all_is_there() {
    for environment in ["production", "staging"] {
        let world = World::new(environment);
        assert_eq!(world.missing(), []);
        let calls = fs::read_to_string(world.path("world/calls")).unwrap();
        let harmless = ["get-", "describe-"];
        for call in calls.lines() {
            let words: Vec<&str> = call.split(' ').collect();
            let reads = match words[0] {
                "aws" => {
                    harmless.iter().any(|it| words[2].starts_with(it)) && !call.contains("get-parameter")
                }
                _ => words[1] == "api" && !call.contains("--method") && !call.contains("--field"),
            };
            assert!(reads, "`{call}` is more than a look");
        }
        for path in world.secrets() {
            assert!(calls.contains(&format!("Values={path} ")), "nobody looked for {path}");
        }
    }
}

#[test]
fn everything_is_missing_at_first() {
    let world = World::new("staging");
    for what in [
        "repository",
        "environment",
        "policies",
        "branches",
        "subject",
        "default",
        "delivery-id",
        "delivery-key",
        "stack",
        "template",
        "provider",
    ] {
        world.unset(what);
    }
    world.set("parameters", "");
    for root in ["gitops", "platform"] {
        fs::remove_file(world.path(&format!("checkout/environments/staging/{root}/.terraform.lock.hcl")))
            .unwrap();
    }
    let missing = world.missing();
    let what: Vec<&str> = missing.iter().map(|(what, _)| what.as_str()).collect();
    let mut wanted = vec![
        "repository acme/infrastructure, or your right to see it".to_owned(),
        "GitHub environment staging, with reviewers, for main alone".to_owned(),
        "provider token.actions.githubusercontent.com of account 111122223333, for sts.amazonaws.com"
            .to_owned(),
        "stack orchard-staging-bootstrap".to_owned(),
        "environments/staging/gitops/.terraform.lock.hcl, for three platforms".to_owned(),
        "environments/staging/platform/.terraform.lock.hcl, for three platforms".to_owned(),
    ];
    wanted.extend(world.secrets().into_iter().map(|path| format!("secret {path}: ")));
    let app = ["key", "client id"]
        .map(|it| format!("{it} of the GitHub App that opens the pull requests of acme/shop"));
    wanted.extend(app);
    assert_eq!(what.len(), wanted.len(), "{what:#?}");
    for (what, wanted) in what.iter().zip(&wanted) {
        assert!(what.starts_with(wanted.as_str()), "{what} is not {wanted}");
    }
    assert!(missing.iter().all(|(_, how)| !how.is_empty()), "each says how: {missing:#?}");
}

/// Each thing by itself, with the command that makes it.
#[test]
fn what_is_missing_is_named_with_its_command() {
    let world = World::new("production");
    world.set("environment", "0");
    world.only(
        "reviewers of GitHub environment production",
        "gh api --method PUT repos/acme/infrastructure/environments/production",
    );

    let world = World::new("production");
    world.unset("environment");
    world.only("GitHub environment production, with reviewers", "--field name=main");

    let world = World::new("production");
    world.set("branches", "false");
    world.only("branch rule of GitHub environment production: any branch", "custom_branch_policies");

    let world = World::new("production");
    world.set("policies", "branch 7 main\nbranch 8 release/*\ntag 9 v*");
    world.only("main alone", "gh api --method DELETE repos/acme/infrastructure/environments/production/deployment-branch-policies/8\n");
    world.set("policies", "");
    world.only("main alone", "--field name=main");

    let world = World::new("production");
    world.set("subject", "repo:acme/infrastructure");
    world.only("GitHub calls the repository repo:acme/infrastructure", "no ids");
    world.set("subject", "repo:acme@12345678/infrastructure@5");
    world.only("infrastructure@5", "ids = { owner = 12345678, infrastructure = 5 }");

    let world = World::new("production");
    world.set("default", "false");
    world.only("customized", "--field use_default=true");

    let world = World::new("production");
    world.unset("delivery-key");
    world.only("key of the GitHub App that opens the pull requests of acme/shop", "--env delivery < FILE");

    let world = World::new("production");
    world.unset("delivery-id");
    world.only("client id of the GitHub App", "gh variable set DELIVERY_APP_CLIENT_ID --repo acme/shop");

    let world = World::new("production");
    world.set("stack", "ROLLBACK_COMPLETE");
    world.only("it is in ROLLBACK_COMPLETE", "describe-stack-events");
    world.set("stack", "CREATE_COMPLETE");
    world.set("template", "Resources: {}");
    world.only(
        "as environments/production/bootstrap/stack.yaml says it now",
        "--tags project=orchard environment=production managed-by=cloudformation owner=acme",
    );

    let world = World::new("staging");
    world.unset("provider");
    world.only("provider token.actions.githubusercontent.com", "the account's first environment");
    let first = World::new("production");
    first.unset("provider");
    assert_eq!(first.missing(), [], "its own stack makes the provider");

    let world = World::new("production");
    let lock = "checkout/environments/production/platform/.terraform.lock.hcl";
    world.write(lock, "provider \"a\" {\n  \"h1:a\",\n  \"h1:b\",\n  \"h1:c\",\n}\nprovider \"b\" {\n  \"h1:a\",\n  \"zh:b\",\n}\n");
    world.only(
        ".terraform.lock.hcl",
        "terraform -chdir=environments/production/platform providers lock -platform=linux_amd64",
    );

    let world = World::new("production");
    // Only the Git credential is older than the platform's own key.
    for (path, key) in [
        ("flux-system/git/identity", "aws/ssm"),
        ("shop/registry/docker-config", "orchard-production-parameters"),
    ] {
        let path = format!("/orchard/production/{path}");
        let all = fs::read_to_string(world.path("world/parameters")).unwrap();
        let mine = format!("{path} SecureString\n");
        assert!(all.contains(&mine), "{all}");
        world.set("parameters", &all.replace(&mine, ""));
        let put = format!(
            "aws ssm put-parameter --region eu-west-1 --name {path} --type SecureString --key-id alias/{key} --value"
        );
        world.only(&format!("secret {path}: "), &put);
        world.set("parameters", &all.replace(&mine, &format!("{path} String\n")));
        world.only("not encrypted", "aws ssm delete-parameter");
        world.set("parameters", &all);
    }
}

/// What may not be seen is not called missing, and another account's things are never looked at.
#[test]
fn what_cannot_be_known_is_neither_there_nor_missing() {
    let refuses = |world: &World, arguments: &[&str], words: &str| {
        let (code, said, complaint) = world.run(arguments);
        assert_eq!((code, said.contains("MISSING")), (2, false), "{said}{complaint}");
        assert!(complaint.contains(words), "{complaint}");
    };
    let world = World::new("production");
    refuses(&world, &[], "usage: scripts/preflight ENVIRONMENT, one of: production staging");
    refuses(&world, &["sandbox"], "usage: ");
    refuses(&world, &["production", "staging"], "usage: ");
    world.set("account", "999988887777");
    refuses(&world, &["production"], "these credentials are for account 999988887777");
    let calls = fs::read_to_string(world.path("world/calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    world.set("account", "111122223333");
    world.set("denied", "sts get-caller-identity");
    refuses(&world, &["production"], "no credentials");
    for call in ["cloudformation describe-stacks", "cloudformation get-template", "ssm describe-parameters"] {
        world.set("denied", call);
        refuses(&world, &["production"], &format!("`aws {call}` was refused"));
    }
}
