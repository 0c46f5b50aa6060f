use std::{collections::BTreeSet, fs, path::Path, process::Command, sync::LazyLock};

use blueprint::{
    application::{Workload, delivery},
    blueprint as asked,
    contribution::Writer,
    diagnostics::Report,
    platform,
    source::Source,
};
use tempfile::TempDir;

use crate::{DRAWN, Tree, blueprints, plan, tree};

/// Two environments in one account: the first creates the account's OIDC provider, the other needs it.
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

/// The things that preflight reports, each with how to create it.
type Items = Vec<(String, String)>;

/// When the platform's key was created, and when the secrets were written.
const MADE: &str = "2026-11-01T10:00:00.000000+00:00";
const PUT: &str = "2026-11-02T10:00:00.000000+00:00";

/// The text after a word in `names.txt`.
fn named<'a>(names: &'a str, word: &str) -> Vec<&'a str> {
    names.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

/// A checkout of the infrastructure repository, and stand-ins for AWS and GitHub in which everything exists.
struct World {
    root: TempDir,
    environment: &'static str,
}

impl World {
    fn new(environment: &'static str) -> Self {
        let world = Self { root: TempDir::new().unwrap(), environment };
        static FILES: LazyLock<Tree> = LazyLock::new(|| tree(plan(PLATFORM)));
        let files = &*FILES;
        for (path, text) in files {
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
            ("addresses", "0"),
            ("branches", "true"),
            ("default", "true"),
            ("delivery-id", "DELIVERY_APP_CLIENT_ID"),
            ("delivery-key", "DELIVERY_APP_PRIVATE_KEY"),
            ("environment", "2"),
            ("instances", ""),
            ("key-alias-orchard-production-parameters-KeyMetadata.CreationDate", MADE),
            ("key-alias-orchard-staging-parameters-KeyMetadata.CreationDate", MADE),
            ("manifests", "acme/kubernetes-manifest"),
            ("policies", "branch 7 main"),
            ("provider", "sts.amazonaws.com"),
            ("quota-L-0263D0A3", "10.0"),
            ("quota-L-1216C47A", "256.0"),
            ("quota-L-F678F1CE", "5.0"),
            ("repository", "acme/infrastructure"),
            ("role-platform-team", "arn:aws:iam::111122223333:role/platform-team"),
            ("shop", "acme/shop"),
            ("stack", "UPDATE_COMPLETE"),
            ("subject", "repo:acme@12345678/infrastructure@987654321"),
            ("switch", "true"),
            ("template", template),
            ("types", "m7i.large 2\n"),
            ("vpcs", "1"),
        ] {
            world.set(what, text);
        }
        let secrets = world.secrets();
        world.set(
            "parameters",
            &secrets.iter().map(|path| format!("{path} SecureString\t{PUT}\n")).collect::<String>(),
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
        self.script("preflight", arguments)
    }

    fn script(&self, name: &str, arguments: &[&str]) -> (i32, String, String) {
        let stand_ins = Path::new("tests/stand-ins").canonicalize().unwrap();
        let path = format!("{}:{}", stand_ins.display(), std::env::var("PATH").unwrap());
        let done = Command::new("bash")
            .arg(self.path(&format!("checkout/scripts/{name}")))
            .args(arguments)
            .env("PATH", path)
            .env("BASH_ENV", stand_ins.join("functions"))
            .env("STAND_INS", &stand_ins)
            .env("WORLD", self.path("world"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    /// The missing things that it reports, and how to create them.
    fn missing(&self) -> Items {
        self.said().0
    }

    /// The missing things, and those that can only be created after the first apply; each with how to create it.
    fn said(&self) -> (Items, Items) {
        let (code, said, complaint) = self.run(&[self.environment]);
        let (mut missing, mut later) = (Vec::new(), Vec::new());
        let mut lines = said.lines().peekable();
        while let Some(line) = lines.next() {
            let (list, what) = match (line.strip_prefix("MISSING  "), line.strip_prefix("later    ")) {
                (Some(what), _) => (&mut missing, what),
                (_, Some(what)) => (&mut later, what),
                _ => continue,
            };
            let mut how = String::new();
            while let Some(line) = lines.next_if(|it| it.starts_with("           ")) {
                how.push_str(&format!("{}\n", line.trim_start()));
            }
            list.push((what.to_owned(), how));
        }
        assert_eq!(code, i32::from(!missing.is_empty()), "{said}{complaint}");
        (missing, later)
    }

    /// The missing thing, if there is exactly one. Returns the command that creates it.
    fn only(&self, what: &str, how: &str) -> String {
        let mut missing = self.missing();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].0.contains(what), "{missing:?}");
        assert!(missing[0].1.contains(how), "{missing:?}");
        missing.remove(0).1
    }
}

/// With this annotation External Secrets reads a new secret at once: each text that tells a person to put one names it, and
/// preflight only if one is missing.
#[test]
fn a_secret_that_is_put_can_be_read_at_once() {
    let annotate = "annotate externalsecrets --all force-sync=\"$(date +%s)\" --overwrite";
    let world = World::new("production");
    let hint = |world: &World| world.run(&["production"]).1.contains(annotate);
    assert!(!hint(&world), "nothing is to be put");
    let put = fs::read_to_string(world.path("world/parameters")).unwrap();
    let late = "/orchard/production/shop/registry/docker-config";
    world.set("parameters", &put.replace(late, "/orchard/production/another"));
    let said = world.run(&["production"]).1;
    let command = format!("  bash scripts/tunnel orchard-production kubectl --namespace shop {annotate}\n");
    assert_eq!(said.matches(&command).count(), 1, "{said}");
    // External Secrets does not read the Git credential.
    world.set("parameters", &put.replace("/flux-system/git/identity", "/flux-system/git/another"));
    assert!(!hint(&world) && world.missing().len() == 1);

    for (path, files) in DRAWN.iter() {
        let by_hand = files.iter().filter(|(path, _)| path.ends_with("/names.txt"));
        for (names, _) in
            by_hand.filter(|(_, text)| named(text, "secret").iter().any(|it| !it.contains(" alias/aws/ssm ")))
        {
            let runbook = &files[&names.replace("names.txt", "README.md")];
            let secrets = runbook.split("\n## ").find(|it| it.starts_with("Secrets\n")).unwrap();
            assert!(
                secrets.contains(annotate),
                "{path}: {names} lists secrets, and the runbook has no `{annotate}`"
            );
        }
        for (readme, text) in files.iter().filter(|(path, _)| path.ends_with("/README.md")) {
            let told = text.contains("docker-config.json") || text.contains("## How secrets are injected");
            assert!(!told || text.contains("force-sync=\"$(date +%s)\" --overwrite"), "{path}: {readme}");
        }
    }
}

/// X08: preflight checks exactly the secrets that a person must put, in every environment of every blueprint.
#[test]
fn x08_what_a_person_puts_is_what_preflight_asks_for() {
    let mut all = 0;
    for (path, text) in blueprints() {
        let source = Source { path, text };
        let mut report = Report::default();
        let blueprint = asked::read(&source, &mut report).unwrap();
        let platform = platform::resolve(&blueprint, &mut report).unwrap();
        let files = &DRAWN[&source.path];
        for plan in &platform.environment_plans {
            let environment = &plan.environment;
            let components = plan.contributions.iter().flat_map(|it| it.secrets.clone());
            let secrets = components.chain(plan.workloads.iter().flat_map(Workload::secrets));
            let secrets = secrets.chain(delivery::secrets(&plan.workloads));
            let by_hand = secrets.filter(|it| it.writer == Writer::Person);
            let wanted: BTreeSet<String> =
                by_hand.map(|it| it.path(&environment.platform, &environment.name)).collect();
            let folder = format!("{}/environments/{environment}", environment.github.infrastructure);
            assert!(asks_for(files, &folder, &wanted), "{}: {environment}", source.path);
            let mut fewer = wanted.clone();
            fewer.pop_last().expect("Git is read with a secret");
            assert!(!asks_for(files, &folder, &fewer), "one too many is seen");
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
        let harmless = ["get-", "describe-", "head-", "list-"];
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
        "switch",
        "manifests",
        "shop",
        "default",
        "delivery-id",
        "delivery-key",
        "stack",
        "template",
        "provider",
        "role-platform-team",
        "key-alias-orchard-staging-parameters-KeyMetadata.CreationDate",
        "quota-L-0263D0A3",
        "quota-L-1216C47A",
        "quota-L-F678F1CE",
    ] {
        world.unset(what);
    }
    world.set("parameters", "");
    // As in a new account.
    for (quota, default) in [("L-0263D0A3", "5.0"), ("L-1216C47A", "5.0"), ("L-F678F1CE", "5.0")] {
        world.set(&format!("default-{quota}"), default);
    }
    for root in ["gitops", "platform"] {
        fs::remove_file(world.path(&format!("checkout/environments/staging/{root}/.terraform.lock.hcl")))
            .unwrap();
    }
    let (missing, later) = world.said();
    let what: Vec<&str> = missing.iter().map(|(what, _)| what.as_str()).collect();
    let mut wanted = vec![
        "repository acme/infrastructure, or your access to it".to_owned(),
        "GitHub environment staging, with reviewers, for main only".to_owned(),
        "repository acme/kubernetes-manifest, or your access to it".to_owned(),
        // Both environments are in one account and region.
        "quota L-1216C47A, vCPUs of on-demand instances: limit 5; the first apply needs 12, the maximum is 48"
            .to_owned(),
        "quota L-0263D0A3, elastic IP addresses: limit 5; the first apply needs 6, the maximum is 6"
            .to_owned(),
        "administrator arn:aws:iam::111122223333:role/platform-team: there is no such role".to_owned(),
        "OIDC provider token.actions.githubusercontent.com of account 111122223333, for sts.amazonaws.com"
            .to_owned(),
        "stack orchard-staging-bootstrap".to_owned(),
        "environments/staging/gitops/.terraform.lock.hcl, for three platforms".to_owned(),
        "environments/staging/platform/.terraform.lock.hcl, for three platforms".to_owned(),
    ];
    let (early, late): (Vec<String>, Vec<String>) =
        world.secrets().into_iter().partition(|it| it.contains("/flux-system/git/"));
    wanted.extend(early.into_iter().map(|path| format!("secret {path}: ")));
    wanted.push("variable BOOTSTRAPPED_STAGING of acme/infrastructure".to_owned());
    wanted.push("repository acme/shop".to_owned());
    let app = ["private key", "client id"]
        .map(|it| format!("{it} of the GitHub App that opens the pull requests of acme/shop"));
    wanted.extend(app);
    assert_eq!(what.len(), wanted.len(), "{what:#?}");
    for (what, wanted) in what.iter().zip(&wanted) {
        assert!(what.starts_with(wanted.as_str()), "{what} is not {wanted}");
    }
    assert!(missing.iter().chain(&later).all(|(_, how)| !how.is_empty()), "each says how: {missing:#?}");
    // Nothing that is reported as missing needs a key that only the first apply creates.
    assert!(missing.iter().all(|(_, how)| !how.contains("-parameters")), "{missing:#?}");
    assert_eq!(later.len(), late.len(), "{later:#?}");
    for ((what, how), path) in later.iter().zip(&late) {
        assert!(
            what.starts_with(&format!("secret {path}: ")) && how.contains("-parameters"),
            "{what}: {how}"
        );
    }
}

/// All environments of an account and region share the quotas, also with everything else that runs there.
#[test]
fn quotas_are_compared_with_what_the_nodes_need() {
    let world = World::new("production");
    // 6 vCPUs for three nodes, 24 at full size with a rotation, the same for the other environment, and 8 of others.
    world.set(
        "instances",
        "m5.xlarge\tNone\t2\t2\nc7g.xlarge\tNone\t4\t1\nm5.large\tspot\t1\t2\ng5.xlarge\tNone\t2\t2\n",
    );
    world.set("quota-L-1216C47A", "56.0");
    assert_eq!(world.missing(), []);
    world.set("quota-L-1216C47A", "55.0");
    world.only(
        "quota L-1216C47A, vCPUs of on-demand instances: limit 55; the first apply needs 20, the maximum is 56, both including 8 in use by others",
        "aws service-quotas request-service-quota-increase --region eu-west-1 --service-code ec2 --quota-code L-1216C47A --desired-value 56",
    );
    // AWS refuses a second request.
    world.set("request-L-1216C47A", "64.0");
    world.only("a request for 64 is open", "list-requested-service-quota-change-history-by-quota");

    let world = World::new("production");
    world.set("addresses", "5");
    world.only("elastic IP addresses: limit 10; the first apply needs 11", "--desired-value 11");
    world.set("addresses", "0");
    world.set("vpcs", "4");
    world.only("VPCs: limit 5; the first apply needs 6", "--service-code vpc --quota-code L-F678F1CE");
    world.set("vpcs", "0");
    world.set("types", "");
    let missing = world.missing();
    assert!(missing.iter().all(|(what, _)| what == "instance type m7i.large: not available in eu-west-1"));
    assert!(!missing.is_empty());
}

/// preflight and the README have the same numbers, which are those of the node groups.
#[test]
fn the_runbook_names_the_quotas_that_preflight_compares() {
    let files = tree(plan(PLATFORM));
    let runbook = &files["infrastructure/environments/production/README.md"];
    assert!(runbook.contains("| `L-1216C47A` | vCPUs of on-demand instances | 6 | 24 |"), "{runbook}");
    assert!(runbook.contains("| `L-0263D0A3` | elastic IP addresses | 3 | 3 |"), "{runbook}");
    let names = &files["infrastructure/environments/production/names.txt"];
    assert_eq!(named(names, "nodes"), ["L-1216C47A 3 6 6 m7i.large"]);
    assert_eq!(named(names, "addresses"), ["3"]);
}

// Each missing thing alone is reported with the command that creates it.

#[test]
fn what_is_missing_of_an_environment_is_named_with_its_command() {
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
    world.only("main only", "gh api --method DELETE repos/acme/infrastructure/environments/production/deployment-branch-policies/8\n");
    world.set("policies", "");
    world.only("main only", "--field name=main");

    let world = World::new("production");
    world.set("subject", "repo:acme/infrastructure");
    world.only("GitHub sends repo:acme/infrastructure", "no ids");
    world.set("subject", "repo:acme@12345678/infrastructure@5");
    world.only("infrastructure@5", "ids = { owner = 12345678, infrastructure = 5 }");

    let world = World::new("production");
    world.set("default", "false");
    world.only("customized", "--field use_default=true");
}

#[test]
fn what_is_missing_of_a_delivery_is_named_with_its_command() {
    let world = World::new("production");
    world.unset("delivery-key");
    world.only(
        "private key of the GitHub App that opens the pull requests of acme/shop",
        "--env delivery < FILE",
    );

    let world = World::new("production");
    world.unset("delivery-id");
    world.only("client id of the GitHub App", "gh variable set DELIVERY_APP_CLIENT_ID --repo acme/shop");

    // A private repository on GitHub Free has no environments.
    let world = World::new("production");
    world.unset("delivery-key");
    world.unset("delivery-id");
    world.set("repository-delivery-key", "DELIVERY_APP_PRIVATE_KEY");
    world.only(
        "client id of the GitHub App",
        "gh variable set DELIVERY_APP_CLIENT_ID --repo acme/shop --body",
    );
    world.set("repository-delivery-id", "DELIVERY_APP_CLIENT_ID");
    assert_eq!(world.missing(), []);
}

#[test]
fn what_is_wrong_with_a_stack_is_named_with_its_command() {
    let world = World::new("production");
    for (state, how) in [
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack"),
        ("ROLLBACK_FAILED", "aws cloudformation delete-stack"),
        ("CREATE_FAILED", "aws cloudformation delete-stack"),
        ("DELETE_FAILED", "aws cloudformation delete-stack"),
        ("CREATE_IN_PROGRESS", "wait stack-create-complete"),
        ("ROLLBACK_IN_PROGRESS", "wait stack-rollback-complete"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ] {
        world.set("stack", state);
        let said = world.only(&format!("it is in {state}"), how);
        // None of these can be updated.
        assert!(!said.contains("cloudformation deploy"), "{state}");
    }
    world.set("stack", "UPDATE_ROLLBACK_COMPLETE");
    world.only("was rolled back", "aws cloudformation deploy");
    world.set("stack", "CREATE_COMPLETE");
    world.set("template", "Resources: {}");
    world.only(
        "it differs from environments/production/bootstrap/stack.yaml",
        "--tags project=orchard environment=production managed-by=cloudformation owner=acme",
    );
}

#[test]
fn what_is_missing_of_the_account_is_named_with_its_command() {
    let world = World::new("staging");
    world.unset("provider");
    world.only("OIDC provider token.actions.githubusercontent.com", "the account's first environment");
    let first = World::new("production");
    first.unset("provider");
    assert_eq!(first.missing(), [], "its own stack makes the provider");

    // Resources of an earlier stack would make the new one fail.
    let world = World::new("production");
    world.unset("stack");
    world.only("already has an OIDC provider", "oidc-provider = \"existing\"");
    world.unset("provider");
    world.only("stack orchard-production-bootstrap", "aws cloudformation deploy");
    world.set("key-alias-orchard-production-tfstate-KeyMetadata.KeyId", "1234");
    world.only("the key alias of an earlier stack", "aws kms delete-alias --region eu-west-1 --alias-name alias/orchard-production-tfstate\naws cloudformation deploy");
    world.set("bucket", "");
    world.only(
        "the bucket orchard-production-tfstate-111122223333 of an earlier stack",
        "bash scripts/adopt production\naws cloudformation deploy",
    );

    let world = World::new("production");
    world.unset("role-platform-team");
    world.only("platform-team: there is no such role", "under [cluster]");
    world.set("role-platform-team", "arn:aws:iam::111122223333:role/people/platform-team");
    world.only(
        "its ARN is arn:aws:iam::111122223333:role/people/platform-team",
        "under [cluster], write: arn:",
    );
}

#[test]
fn what_is_missing_in_repositories_is_named_with_its_command() {
    let world = World::new("production");
    world.unset("switch");
    world.only(
        "the workflows skip production",
        "gh variable set BOOTSTRAPPED_PRODUCTION --repo acme/infrastructure --body true",
    );
    world.set("switch", "false");
    world.only("the workflows skip production", "gh variable set BOOTSTRAPPED_PRODUCTION");

    let world = World::new("production");
    world.unset("shop");
    world.only("repository acme/shop", "gh repo create acme/shop");
    let world = World::new("production");
    world.unset("manifests");
    world.only("repository acme/kubernetes-manifest", "gh repo create acme/kubernetes-manifest");

    let world = World::new("production");
    let lock = "checkout/environments/production/platform/.terraform.lock.hcl";
    world.write(lock, "provider \"a\" {\n  \"h1:a\",\n  \"h1:b\",\n  \"h1:c\",\n}\nprovider \"b\" {\n  \"h1:a\",\n  \"zh:b\",\n}\n");
    world.only(
        ".terraform.lock.hcl",
        "terraform -chdir=environments/production/platform providers lock -platform=linux_amd64",
    );
}

#[test]
fn a_missing_secret_is_named_with_its_command() {
    let world = World::new("production");
    // Only the Git credential is older than the platform's key.
    for (path, put) in [
        ("flux-system/git/identity", "--type SecureString --value file://FILE"),
        (
            "shop/registry/docker-config",
            "--type SecureString --key-id alias/orchard-production-parameters --value file://FILE",
        ),
    ] {
        let path = format!("/orchard/production/{path}");
        let all = fs::read_to_string(world.path("world/parameters")).unwrap();
        let mine = format!("{path} SecureString\t{PUT}\n");
        assert!(all.contains(&mine), "{all}");
        world.set("parameters", &all.replace(&mine, ""));
        let put = format!("aws ssm put-parameter --region eu-west-1 --name {path} {put}");
        world.only(&format!("secret {path}: "), &put);
        world.set("parameters", &all.replace(&mine, &format!("{path} String\t{PUT}\n")));
        world.only("not encrypted", "aws ssm delete-parameter");
        world.set("parameters", &all);
    }
    // After a teardown the platform has a new key, which cannot decrypt older secrets.
    world.set(
        "key-alias-orchard-production-parameters-KeyMetadata.CreationDate",
        "2026-11-03T10:00:00.000000+00:00",
    );
    let missing = world.missing();
    assert!(!missing.is_empty());
    for (what, how) in missing {
        assert!(
            what.contains("with a key that was deleted") && how.contains(" --overwrite --value "),
            "{what}: {how}"
        );
        assert!(!what.contains("/flux-system/git/"), "{what}");
    }
}

/// A deleted stack is created again by importing its bucket, with a template of exactly the imported resources.
#[test]
fn a_deleted_stack_is_made_around_what_it_left_behind() {
    let world = World::new("production");
    let refused = world.script("adopt", &["production"]);
    assert!(refused.0 == 2 && refused.2.contains("there is a stack"), "{refused:?}");
    world.unset("stack");
    let refused = world.script("adopt", &["production"]);
    assert!(refused.0 == 2 && refused.2.contains("there is no bucket"), "{refused:?}");
    world.set("bucket", "arn:aws:kms:eu-west-1:111122223333:key/1234");
    world.set("bucket-policy", "{}");
    world.set("key-1234-KeyMetadata.KeyState", "PendingDeletion");
    let refused = world.script("adopt", &["production"]);
    assert!(refused.0 == 2 && refused.2.contains("cancel-key-deletion"), "{refused:?}");
    world.set("key-1234-KeyMetadata.KeyState", "Enabled");
    world.set("key-alias-orchard-production-tfstate-KeyMetadata.KeyId", "5678");
    let refused = world.script("adopt", &["production"]);
    assert!(refused.0 == 2 && refused.2.contains("delete the alias"), "{refused:?}");
    world.set("key-alias-orchard-production-tfstate-KeyMetadata.KeyId", "1234");
    let everything = ["StateKey", "StateKeyAlias", "StateBucket", "StateBucketPolicy", "GitHub"];
    assert_eq!(adopted(&world), everything);
    world.unset("provider");
    world.unset("bucket-policy");
    assert_eq!(adopted(&world), &everything[..3]);
}

/// The names of the imported resources.
fn adopted(world: &World) -> Vec<String> {
    let (code, said, complaint) = world.script("adopt", &["production"]);
    assert_eq!(code, 0, "{said}{complaint}");
    let calls = fs::read_to_string(world.path("world/calls")).unwrap();
    for call in [
        "create-change-set",
        "wait change-set-create-complete",
        "execute-change-set",
        "wait stack-import-complete",
    ] {
        assert!(
            calls.contains(&format!("aws cloudformation {call} --stack-name orchard-production-bootstrap")),
            "{calls}"
        );
    }
    let read = |name: &str| fs::read_to_string(world.path(&format!("world/{name}"))).unwrap();
    let resources: Vec<serde_json::Value> = serde_json::from_str(&read("resources-to-import")).unwrap();
    let template: serde_yaml::Value = serde_yaml::from_str(&read("template-body")).unwrap();
    let sections: Vec<&str> = template.as_mapping().unwrap().keys().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(sections, ["AWSTemplateFormatVersion", "Resources"]);
    let kept = template["Resources"].as_mapping().unwrap();
    assert_eq!(kept.len(), resources.len());
    let text = read("template-body");
    let mut names = Vec::new();
    for resource in &resources {
        let name = resource["LogicalResourceId"].as_str().unwrap();
        assert_eq!(kept[name]["Type"].as_str(), resource["ResourceType"].as_str(), "{name}");
        assert_eq!(kept[name]["DeletionPolicy"].as_str(), Some("Retain"), "{name}: an import asks for it");
        let identifiers = resource["ResourceIdentifier"].as_object().unwrap();
        assert!(identifiers.len() == 1 && identifiers.values().all(|it| it.as_str() != Some("")), "{name}");
        names.push(name.to_owned());
    }
    // Referenced resources are imported as well.
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let ours =
            ["State", "Boundary", "Plan", "Apply", "Read", "GitHub"].iter().any(|it| word.starts_with(it));
        let property = ["Statement", "ApplyServerSideEncryptionByDefault"].contains(&word);
        assert!(!ours || property || names.iter().any(|it| it == word), "`{word}` is not imported");
    }
    names
}

/// Without the permission to read something, it is not reported as missing, and preflight never reads another account.
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
    for call in [
        "cloudformation describe-stacks",
        "cloudformation get-template",
        "ec2 describe-addresses",
        "ec2 describe-instance-types",
        "ec2 describe-instances",
        "ec2 describe-vpcs",
        "iam get-role",
        "kms describe-key",
        "service-quotas get-service-quota",
        "ssm describe-parameters",
    ] {
        world.set("denied", call);
        refuses(&world, &["production"], &format!("`aws {call}` failed"));
    }
}

/// The scripts of an application, with stand-ins for GitHub, Skopeo and the scan.
struct Released {
    root: TempDir,
}

/// Answers from `$WORLD`, and keeps issues there, one file each.
const GH: &str = r#"#!/bin/sh
set -eu
echo "gh $*" >>"$WORLD/calls"
input=
for word; do
    [ "$input" = next ] && input=$word
    [ "$word" = --input ] && input=next
done
case "$*" in
    'api repos/acme/shop/releases/latest --jq .tag_name')
        [ -e "$WORLD/tag" ] || { echo '{"status":"404"}'; echo 'gh: Not Found (HTTP 404)' >&2; exit 1; }
        [ ! -e "$WORLD/outage" ] || { echo 'gh: Bad Gateway (HTTP 502)' >&2; exit 1; }
        cat "$WORLD/tag" ;;
    'release view v1.4.2 --json body --jq .body') cat "$WORLD/notes" ;;
    'api --paginate repos/acme/shop/issues?state=open&creator=github-actions%5Bbot%5D&per_page=100') cat "$WORLD/issues" ;;
    'api --silent --method POST repos/acme/shop/issues --input '*) cp "$input" "$WORLD/opened" ;;
    'api --silent --method POST repos/acme/shop/issues/7/comments --input '*) cp "$input" "$WORLD/comment" ;;
    'api --silent --method PATCH repos/acme/shop/issues/7 --input '*) cp "$input" "$WORLD/changed" ;;
    *) echo "nobody expects gh $*" >&2; exit 1 ;;
esac
"#;

const SKOPEO: &str = r#"#!/bin/sh
set -eu
echo "skopeo $*" >>"$WORLD/calls"
case $1 in
    login) [ "$(cat)" = token ] ;;
    inspect) [ ! -e "$WORLD/gone" ] ;;
    copy) for last; do :; done; mkdir -p "${last#oci:}"; echo image >"${last#oci:}/index.json" ;;
esac
"#;

const SCAN: &str = r#"#!/bin/sh
grep -q image "$1/index.json" || exit 9
cat "$WORLD/findings"
exit "$(cat "$WORLD/status")"
"#;

impl Released {
    fn new(status: &str) -> Self {
        let released = Self { root: TempDir::new().unwrap() };
        let files = tree(plan(PLATFORM));
        for script in ["rescan.sh", "earlier.sh"] {
            released.put(&format!("scripts/{script}"), &files[&format!("shop/.github/scripts/{script}")]);
        }
        for (program, text) in [("bin/gh", GH), ("bin/skopeo", SKOPEO), ("scripts/scan.sh", SCAN)] {
            released.put(program, text);
            let done = Command::new("chmod").arg("+x").arg(released.root.path().join(program)).status();
            assert!(done.unwrap().success());
        }
        let digest = "a".repeat(64);
        released.put("world/tag", "v1.4.2\n");
        released.put("world/notes", &format!("Words.\n\nImage: `ghcr.io/acme/shop:1.4.2@sha256:{digest}`\n"));
        released.put("world/findings", "Total: 1 (CRITICAL: 1)\n```\n@everyone CVE-2026-1\n");
        released.put("world/status", status);
        released.put("world/issues", "[]");
        released
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// An open issue with this body, of this user.
    fn issue(&self, user: &str) {
        let body = "<!-- vulnerabilities of the released image -->\\n\\nolder";
        self.put(
            "world/issues",
            &format!("[{{\"number\": 7, \"body\": \"{body}\", \"user\": {{\"login\": \"{user}\"}}}}]"),
        );
    }

    fn run(&self) -> i32 {
        let path = format!("{}:{}", self.root.path().join("bin").display(), std::env::var("PATH").unwrap());
        let done = Command::new("sh")
            .arg(self.root.path().join("scripts/rescan.sh"))
            .envs([
                ("PATH", path.as_str()),
                ("GH_TOKEN", "token"),
                ("GH_REPO", "acme/shop"),
                ("GITHUB_ACTOR", "jo"),
            ])
            .envs([("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_RUN_ID", "5")])
            .env("WORLD", self.root.path().join("world"))
            .output()
            .unwrap();
        done.status.code().unwrap()
    }

    fn sent(&self, name: &str) -> Option<serde_json::Value> {
        let text = fs::read_to_string(self.root.path().join("world").join(name)).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }
}

/// A finding in a released image opens an issue that says what to do, or updates the one that is open; a clean scan closes it.
#[test]
fn a_finding_in_a_released_image_is_one_issue() {
    let world = Released::new("3");
    assert_eq!(world.run(), 0);
    let opened = world.sent("opened").unwrap();
    assert_eq!(opened["title"], "Vulnerabilities in the released image");
    let body = opened["body"].as_str().unwrap();
    for words in [
        "<!-- vulnerabilities of the released image -->\n",
        "`v1.4.2`",
        "https://github.com/acme/shop/actions/runs/5",
        "title begins with `fix(deps):`",
        "`.trivyignore`",
        "\n    @everyone CVE-2026-1\n",
    ] {
        assert!(body.contains(words), "{words}: {body}");
    }
    assert!(world.sent("changed").is_none());
    let calls = fs::read_to_string(world.root.path().join("world/calls")).unwrap();
    let copied = format!("docker://ghcr.io/acme/shop@sha256:{}", "a".repeat(64));
    assert!(calls.contains(&copied), "scans the image of the release: {calls}");

    let world = Released::new("3");
    world.issue("github-actions[bot]");
    world.put("world/findings", &"long line\n".repeat(20_000));
    assert_eq!(world.run(), 0);
    assert!(world.sent("opened").is_none());
    let body = world.sent("changed").unwrap()["body"].as_str().unwrap().to_owned();
    assert!(body.contains("long line") && body.len() <= 65536, "{}", body.len());

    // The marker of somebody else.
    let world = Released::new("3");
    world.issue("somebody");
    assert_eq!(world.run(), 0);
    assert!(world.sent("opened").is_some() && world.sent("changed").is_none());

    let world = Released::new("0");
    assert_eq!(world.run(), 0);
    assert!(world.sent("opened").is_none() && world.sent("changed").is_none(), "nothing to say");
    world.issue("github-actions[bot]");
    assert_eq!(world.run(), 0);
    assert_eq!(world.sent("changed").unwrap()["state"], "closed");
    assert!(world.sent("comment").unwrap()["body"].as_str().unwrap().contains("`v1.4.2`"));
}

/// Without a scan nothing is known: the issue stays as it is, and the run fails. Without a release there is nothing to scan.
#[test]
fn a_rescan_that_fails_says_nothing_about_the_image() {
    let fails = |prepare: &dyn Fn(&Released), code: i32| {
        let world = Released::new("0");
        world.issue("github-actions[bot]");
        prepare(&world);
        assert_eq!(world.run(), code);
        assert!(world.sent("opened").is_none() && world.sent("changed").is_none());
    };
    fails(&|world| world.put("world/status", "1"), 1);
    fails(&|world| world.put("world/status", "22"), 22);
    fails(&|world| world.put("world/gone", ""), 1);
    fails(&|world| world.put("world/notes", "Words."), 1);
    fails(&|world| world.put("world/outage", ""), 1);
    fails(&|world| fs::remove_file(world.root.path().join("world/tag")).unwrap(), 0);
}

/// The commit type that Renovate uses for a newer base image is one that is released.
#[test]
fn a_newer_base_image_is_a_release() {
    let files = tree(plan(PLATFORM));
    let rules: serde_json::Value = serde_json::from_str(&files["shop/renovate.json"]).unwrap();
    let rule = rules["packageRules"].as_array().unwrap().iter().find(|it| it["enabled"] == true).unwrap();
    let subject = format!(
        "{}(deps): update {} (#45)",
        rule["semanticCommitType"].as_str().unwrap(),
        rule["groupName"].as_str().unwrap()
    );
    let root = TempDir::new().unwrap();
    let script = root.path().join("version.sh");
    fs::write(&script, &files["shop/.github/scripts/version.sh"]).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let identity = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
        let done = Command::new(program)
            .args(arguments)
            .current_dir(root.path())
            .envs(identity.map(|it| (it, "jo@localhost")))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let next = |subject: &str| {
        run("git", &["commit", "--quiet", "--allow-empty", "--message", subject]);
        run("sh", &["version.sh", "next"]).trim().to_owned()
    };
    run("git", &["init", "--quiet"]);
    run("git", &["commit", "--quiet", "--allow-empty", "--message", "feat: start"]);
    run("git", &["tag", "v1.4.2"]);
    assert_eq!(next("chore(deps): update minor and patch updates (#44)"), "");
    assert_eq!(next(&subject), "1.4.3");
    run("sh", &["version.sh", "title", subject.trim_end_matches(" (#45)")]);
}
