// Terraform: providers, states, versions, secrets and names.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::{
    Platform, Verdict,
    policies::{Stack, Statement},
    prove,
    terraform::{Item, Root, attributes, is_unknown, parsed, words},
};

/// Trap 1.
#[test]
fn t01_no_provider_of_a_cluster_stands_beside_it() {
    prove(
        "T01",
        &["cluster", "gitops root"],
        check,
        &[
            ("platform/providers.tf", "provider \"aws\" {", "provider \"helm\" {\n}\n\nprovider \"aws\" {"),
            (
                "gitops/providers.tf",
                "data.aws_eks_cluster.main.certificate_authority",
                "aws_eks_cluster.main.certificate_authority",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let inside =
                |it: &&Item| ["helm", "kubernetes", "kubectl", "flux"].contains(&it.labels[0].as_str());
            let makes = root.resources("aws_eks_cluster").next().is_some();
            if makes {
                verdict.see("cluster");
            }
            for provider in root.words("provider").filter(inside) {
                let name = &provider.labels[0];
                verdict.see("gitops root");
                verdict.hold(!makes, format!("{}: `{name}` beside the cluster that it needs", root.path));
                let mut found = Vec::new();
                attributes(&provider.body, &mut found);
                for (key, value) in found {
                    let text = value.as_str().unwrap_or_default();
                    let made = root
                        .words("resource")
                        .any(|it| it.is_meant_by(value) && !text.contains(&format!("data.{}", it.labels[0])));
                    let made =
                        made || text.contains("aws_eks_cluster") && !text.contains("data.aws_eks_cluster");
                    verdict.hold(!made, format!("{}: `{name}.{key}` comes from a resource", root.path));
                }
            }
        }
    }
}

/// Trap 48.
#[test]
fn t02_versions_are_bounded_and_locked() {
    prove(
        "T02",
        &["root", "workflow", "runbook"],
        check,
        &[
            ("platform/versions.tf", ">= 1.11, < 2.0", ">= 1.11"),
            ("platform/versions.tf", "version = \"~> …\"", "version = \">= 6.0\""),
            ("platform/versions.tf", "version = \"~> …\"", ""),
            ("workflows/terraform.yml", "terraform init -lockfile=readonly", "terraform init"),
            ("production/README.md", "-platform=darwin_arm64", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let Some(terraform) = root.words("terraform").next() else { continue };
            verdict.see("root");
            let bounded = |it: &Value| it.as_str().is_some_and(|it| it.contains('<') || it.contains("~>"));
            let required = &terraform.body["required_version"];
            verdict.hold(bounded(required), format!("{}: `required_version` is {required}", root.path));
            let providers = terraform.body["required_providers"][0].as_object().cloned().unwrap_or_default();
            for (name, it) in &providers {
                verdict.hold(bounded(&it["version"]), format!("{}: `{name}` has no upper bound", root.path));
            }
            let kinds =
                root.items.iter().filter(|it| ["resource", "data", "ephemeral"].contains(&it.word.as_str()));
            let used: BTreeSet<&str> = kinds.map(|it| it.labels[0].split('_').next().unwrap()).collect();
            for name in used.into_iter().filter(|it| *it != "terraform") {
                verdict.hold(providers.contains_key(name), format!("{}: `{name}` has no version", root.path));
            }
        }
        for (path, text) in &platform.files {
            if path.contains("/environments/") && path.ends_with("/README.md") {
                verdict.see("runbook");
                for system in ["linux_amd64", "linux_arm64", "darwin_arm64"] {
                    let said =
                        text.contains("providers lock") && text.contains(&format!("-platform={system}"));
                    verdict.hold(said, format!("{path}: does not lock `{system}`"));
                }
            }
        }
        for document in platform.documents().filter(|it| it.is_workflow()) {
            for line in document.commands().filter(|it| it.contains("terraform init")) {
                verdict.see("workflow");
                verdict.hold(line.contains("-lockfile=readonly"), format!("{}: `{line}`", document.path));
            }
        }
    }
}

#[test]
fn t03_the_state_is_encrypted_versioned_and_locked() {
    prove(
        "T03",
        &["backend", "bucket"],
        check,
        &[
            ("platform/versions.tf", "use_lockfile = true", "use_lockfile = false"),
            (
                "platform/versions.tf",
                "use_lockfile = true",
                "use_lockfile = true\n dynamodb_table = \"locks\"",
            ),
            ("platform/versions.tf", "-tfstate-", "-state-"),
            ("bootstrap/stack.yaml", "SSEAlgorithm: aws:kms", "SSEAlgorithm: AES256"),
            (
                "bootstrap/stack.yaml",
                "VersioningConfiguration: Status: Enabled",
                "VersioningConfiguration:\n        Status: Suspended",
            ),
            ("bootstrap/stack.yaml", "RestrictPublicBuckets: true", "RestrictPublicBuckets: false"),
            ("bootstrap/stack.yaml", "aws:SecureTransport: \"false\"", "aws:SecureTransport: \"true\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for backend in root.words("terraform").map(|it| &it.body["backend"][0]) {
                let place = &root.path;
                verdict.see("backend");
                verdict.hold(backend["label"] == "s3", format!("{place}: the state does not lie in S3"));
                verdict.hold(backend["use_lockfile"] == true, format!("{place}: the state has no lock"));
                verdict.hold(
                    backend["dynamodb_table"].is_null(),
                    format!("{place}: DynamoDB is no longer needed"),
                );
                let mut stacks = Stack::all(platform).filter(|it| it.environment == root.environment);
                let made = stacks.any(|it| {
                    it.resources("AWS::S3::Bucket")
                        .any(|(_, it)| it["Properties"]["BucketName"] == backend["bucket"])
                });
                verdict.hold(made, format!("{place}: nothing makes its bucket"));
            }
        }
        for stack in Stack::all(platform) {
            let place = &stack.document.path;
            for (name, bucket) in stack.resources("AWS::S3::Bucket") {
                verdict.see("bucket");
                let it = &bucket["Properties"];
                let rule = &it["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"];
                let encrypted = rule["SSEAlgorithm"] == "aws:kms" && is_unknown(&rule["KMSMasterKeyID"]);
                verdict.hold(encrypted, format!("{place}: `{name}` has no key of its own"));
                let versioned = it["VersioningConfiguration"]["Status"] == "Enabled";
                verdict.hold(versioned, format!("{place}: `{name}` keeps no versions"));
                let block = it["PublicAccessBlockConfiguration"].as_object().cloned().unwrap_or_default();
                let closed = block.len() == 4 && block.values().all(|it| *it == true);
                verdict.hold(closed, format!("{place}: `{name}` may become public"));
                let tls = stack.resources("AWS::S3::BucketPolicy").any(|(_, it)| {
                    let it = &it["Properties"];
                    it["Bucket"] == format!("${{{name}}}")
                        && Statement::all(name, &it["PolicyDocument"]).iter().any(|it| {
                            it.body["Effect"] == "Deny"
                                && it.body["Principal"] == "*"
                                && it.demands("Bool", "aws:SecureTransport") == ["false"]
                                && it.resources().len() == 2
                        })
                });
                verdict.hold(tls, format!("{place}: `{name}` answers without TLS"));
            }
        }
    }
}

/// Trap 59.
#[test]
fn t04_terraform_accepts_what_we_write() {
    prove(
        "T04",
        &["tests", "format", "workflow"],
        check,
        &[
            (
                "platform/network.tf",
                "cidr_block = local.vpc_range",
                "cidr_block      = local.vpc_range\n  b = 1",
            ),
            ("platform.tftest.hcl", "mock_provider \"aws\" {", "mock_provider \"random\" {"),
            (
                "platform/network.tf",
                "resource \"aws_vpc\" \"main\" {",
                "ephemeral \"aws_ssm_parameter\" \"git\" {\n  arn = \"x\"\n}\n\nresource \"aws_vpc\" \"main\" {",
            ),
            ("workflows/terraform.yml", "terraform fmt -check", "terraform fmt"),
            ("workflows/terraform.yml", "terraform …validate", "terraform version"),
            ("workflows/terraform.yml", "terraform …test", "terraform version"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (path, text) in
            platform.files.iter().filter(|(path, _)| path.ends_with(".tf") || path.ends_with(".hcl"))
        {
            verdict.see("format");
            let lined_up = blueprint::format::align(text) == **text;
            verdict.hold(lined_up, format!("{path}: `terraform fmt` would change it"));
        }
        for root in platform.roots().filter(|it| it.words("terraform").next().is_some()) {
            let tests = platform.files.iter().filter(|(path, _)| {
                path.starts_with(&format!("{}/tests/", root.path)) && path.ends_with(".tftest.hcl")
            });
            let (mut mocks, mut silent, mut runs) = (BTreeSet::new(), BTreeSet::new(), 0);
            for (path, text) in tests {
                verdict.see("tests");
                for block in parsed(path, text).blocks() {
                    match block.identifier() {
                        "mock_provider" => drop(mocks.insert(block.labels()[0].as_str().to_owned())),
                        // The real provider, which needs no network: a mock cannot return an ephemeral value.
                        "provider"
                            if block
                                .body()
                                .attributes()
                                .any(|it| it.key() == "skip_requesting_account_id") =>
                        {
                            silent.insert(block.labels()[0].as_str().to_owned());
                        }
                        "run" => {
                            runs += block.body().blocks().filter(|it| it.identifier() == "assert").count()
                        }
                        _ => {}
                    }
                }
            }
            verdict.hold(runs > 0, format!("{}: nothing is asserted by `terraform test`", root.path));
            for provider in root.words("provider").map(|it| &it.labels[0]) {
                verdict.hold(
                    mocks.contains(provider) || silent.contains(provider),
                    format!("{}: a test would call `{provider}`", root.path),
                );
            }
            for it in root.words("ephemeral") {
                let provider = it.labels[0].split('_').next().unwrap();
                let address = it.address();
                verdict
                    .hold(!mocks.contains(provider), format!("{}: no test can mock `{address}`", root.path));
            }
        }
        let workflows = platform.documents().filter(|it| it.path.ends_with("/workflows/terraform.yml"));
        for document in workflows {
            verdict.see("workflow");
            for command in ["terraform fmt -check", "terraform validate", "terraform test"] {
                let run = document.commands().any(|it| it.contains(command));
                verdict.hold(run, format!("{}: never runs `{command}`", document.path));
            }
        }
    }
}

/// Trap 12.
#[test]
fn t05_what_is_repeated_has_static_keys() {
    prove(
        "T05",
        &["repetition"],
        check,
        &[
            (
                "platform/network.tf",
                "for_each = local.zones",
                "for_each = toset(aws_vpc.main.cidr_block_associations)",
            ),
            (
                "platform/cluster.tf",
                "for_each = toset(local.administrators)",
                "for_each = toset([aws_iam_role.cluster.arn])",
            ),
            (
                "platform/network.tf",
                "resource \"aws_vpc\" \"main\" {",
                "module \"a\" {\n  depends_on = [aws_vpc.main]\n}\n\nresource \"aws_vpc\" \"main\" {",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for item in &root.items {
                let each = &item.body["for_each"];
                let place = format!("{}: `{}`", root.path, item.address());
                if !each.is_null() {
                    verdict.see("repetition");
                    let fixed = match each {
                        Value::Object(entries) => entries.keys().all(|it| !it.contains("${")),
                        Value::Array(list) => list.iter().all(|it| !it.to_string().contains("${")),
                        _ => false,
                    };
                    verdict
                        .hold(fixed, format!("{place} has keys that are known only after an apply: {each}"));
                }
                let count = &item.body["count"];
                verdict.hold(
                    !is_unknown(count) || !count.to_string().contains("aws_"),
                    format!("{place} is counted late"),
                );
                let module = item.word == "module" && !item.body["depends_on"].is_null();
                verdict.hold(!module, format!("{place} reads everything anew at each plan"));
            }
        }
    }
}

/// Trap 17. Trap 18.
#[test]
fn t06_no_secret_enters_the_state() {
    prove(
        "T06",
        &["database password", "secret parameter"],
        check,
        &[
            ("database.tf", "password_wo = …", "password = \"x\""),
            ("database.tf", "password_wo_version = …", ""),
            ("database.tf", "password_wo = …", "manage_master_user_password = true"),
            (".tf", "value_wo = …", "value = \"x\""),
            (".tf", "value_wo_version = …", ""),
            (
                "platform/outputs.tf",
                "output \"cluster_name\" {",
                "output \"password\" {\n  value = aws_db_instance.main.password\n}\n\noutput \"cluster_name\" {",
            ),
            ("database.tf", "ephemeral \"random_password\"", "resource \"random_password\""),
            ("gitops/flux.tf", "data_wo_revision = …", "data = {}\n  data_wo_revision = 1"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for item in root.words("resource") {
                let place = format!("{}: `{}`", root.path, item.address());
                verdict.hold(item.labels[0] != "random_password", format!("{place} lies in the state"));
                let body = item.body.as_object().unwrap();
                match item.labels[0].as_str() {
                    "aws_db_instance" => {
                        verdict.see("database password");
                        let written = body.contains_key("password_wo");
                        verdict.hold(
                            written,
                            format!("{place} has a password that Terraform keeps, or AWS changes weekly"),
                        );
                    }
                    "aws_ssm_parameter" if item.body["type"] == "SecureString" => {
                        verdict.see("secret parameter");
                        let kept = ["value", "insecure_value"].iter().any(|it| body.contains_key(*it));
                        verdict
                            .hold(body.contains_key("value_wo") && !kept, format!("{place} keeps its value"));
                    }
                    kind if kind.starts_with("kubernetes_secret") => {
                        let kept = ["data", "binary_data"].iter().any(|it| body.contains_key(*it));
                        verdict.hold(!kept, format!("{place} keeps its value"));
                    }
                    _ => {}
                }
                let mut found = Vec::new();
                attributes(&item.body, &mut found);
                for (key, value) in found {
                    let secret = ["password", "secret_string", "secret_key", "private_key", "auth_token"];
                    let versions = ["_wo_version", "_wo_revision"];
                    let written = key.ends_with("_wo") || versions.iter().any(|it| key.ends_with(it));
                    let named = secret.iter().any(|it| key.contains(it))
                        && value.is_string()
                        && !key.ends_with("arn");
                    verdict.hold(!named || written, format!("{place}: `{key}` lies in the state"));
                    if let (true, Some(key)) = (key.ends_with("_wo"), key.strip_suffix("_wo")) {
                        let version = versions.iter().any(|it| body.contains_key(&format!("{key}{it}")));
                        verdict.hold(version, format!("{place}: `{key}_wo` can never be written again"));
                    }
                }
            }
            for output in root.words("output") {
                let value = output.body["value"].to_string();
                let secret = ["password", "secret", "token"].iter().any(|it| value.contains(it));
                let open = secret && output.body["sensitive"] != true;
                verdict.hold(!open, format!("{}: output `{}` shows a secret", root.path, output.address()));
            }
        }
    }
}

/// Whether the blueprint enables the protection, which is the default.
fn protected(platform: &Platform, environment: &str, section: &str) -> bool {
    let asked = platform.setting(environment, &[section, "deletion-protection"]);
    asked.and_then(toml::Value::as_bool).unwrap_or(true)
}

/// Trap 84.
#[test]
fn t07_what_holds_data_is_protected_from_deletion() {
    prove(
        "T07",
        &["cluster", "key", "bucket", "database"],
        check,
        &[
            ("platform/cluster.tf", "deletion_protection = true", "deletion_protection = false"),
            ("platform/cluster.tf", "deletion_protection = true", ""),
            ("database.tf", "deletion_protection = true", ""),
            ("database.tf", "skip_final_snapshot = false", "skip_final_snapshot = true"),
            ("platform/keys.tf", "deletion_window_in_days = 30", "deletion_window_in_days = 6"),
            (
                "platform/keys.tf",
                "deletion_window_in_days = 30",
                "deletion_window_in_days = 30\n  lifecycle {\n    prevent_destroy = true\n  }",
            ),
            (
                "bootstrap/stack.yaml",
                "Type: AWS::S3::Bucket DeletionPolicy: RetainExceptOnCreate",
                "Type: AWS::S3::Bucket",
            ),
            (
                "bootstrap/stack.yaml",
                "Type: AWS::S3::Bucket DeletionPolicy: RetainExceptOnCreate",
                "Type: AWS::S3::Bucket\n    DeletionPolicy: Retain",
            ),
            (
                "bootstrap/stack.yaml",
                "Type: AWS::KMS::Alias DeletionPolicy: RetainExceptOnCreate",
                "Type: AWS::KMS::Alias\n    DeletionPolicy: Retain",
            ),
            (
                "bootstrap/stack.yaml",
                "Type: AWS::KMS::Key DeletionPolicy: RetainExceptOnCreate UpdateReplacePolicy: Retain",
                "Type: AWS::KMS::Key\n    DeletionPolicy: RetainExceptOnCreate",
            ),
            ("bootstrap/stack.yaml", "PendingWindowInDays: 30", "PendingWindowInDays: 1"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for item in root.words("resource") {
                let place = format!("{}: `{}`", root.path, item.address());
                let mut found = Vec::new();
                attributes(&item.body, &mut found);
                let blocked = found.iter().any(|(key, _)| *key == "prevent_destroy");
                verdict.hold(!blocked, format!("{place} can never be torn down"));
                let days = |key: &str| item.body[key].as_u64().is_some_and(|it| it >= 7);
                let wanted = |section| {
                    item.body["deletion_protection"] == protected(platform, &root.environment, section)
                };
                match item.labels[0].as_str() {
                    "aws_eks_cluster" => {
                        verdict.see("cluster");
                        verdict.hold(
                            wanted("cluster"),
                            format!("{place} is not protected as the blueprint asks"),
                        );
                    }
                    "aws_db_instance" => {
                        verdict.see("database");
                        verdict.hold(
                            wanted("database"),
                            format!("{place} is not protected as the blueprint asks"),
                        );
                        let last = item.body["skip_final_snapshot"] == false;
                        verdict.hold(last, format!("{place} goes without a last snapshot"));
                    }
                    "aws_kms_key" => {
                        verdict.see("key");
                        verdict.hold(days("deletion_window_in_days"), format!("{place} is gone at once"));
                    }
                    _ => {}
                }
            }
        }
        for stack in Stack::all(platform) {
            let place = &stack.document.path;
            for (name, it) in stack.resources("AWS::S3::Bucket").chain(stack.resources("AWS::KMS::Key")) {
                verdict.see("bucket");
                verdict
                    .hold(!it["DeletionPolicy"].is_null(), format!("{place}: `{name}` goes with the stack"));
                let days = &it["Properties"]["PendingWindowInDays"];
                let late = days.is_null() || days.as_u64().is_some_and(|it| it >= 7);
                verdict.hold(late, format!("{place}: `{name}` is gone at once"));
            }
            // `Retain` also applies when a creation is rolled back, and the next one then fails because the bucket exists.
            let resources = stack.document.value()["Resources"].as_object().unwrap();
            for (name, it) in resources.iter().filter(|(_, it)| !it["DeletionPolicy"].is_null()) {
                let kept =
                    it["DeletionPolicy"] == "RetainExceptOnCreate" && it["UpdateReplacePolicy"] == "Retain";
                verdict.hold(kept, format!("{place}: `{name}` survives a rollback, or not a replacement"));
            }
        }
    }
}

#[test]
fn t08_everything_bears_its_environment_and_owner() {
    prove(
        "T08",
        &["provider", "launch template"],
        check,
        &[
            ("platform/providers.tf", "default_tags { tags = local.tags }", ""),
            ("platform/providers.tf", "environment = local.environment", ""),
            ("platform/providers.tf", "owner = …", ""),
            ("platform/providers.tf", "environment = \"…\"", "environment = \"elsewhere\""),
            ("platform/providers.tf", "managed-by = \"terraform\"", "managed-by = \"blueprint 0.1.0\""),
            ("platform/nodes.tf", "\"network-interface\", \"volume\"", "\"network-interface\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let place = &root.path;
            // Users may write `Owner`, and some AWS services treat the two as the same key.
            let borne = |tags: &Value| {
                let mut keys = tags.as_object().into_iter().flat_map(|it| it.keys());
                let owned = keys.any(|it| it.eq_ignore_ascii_case("owner")) && tags["project"].is_string();
                owned && tags["environment"] == *root.environment
            };
            for provider in root.words("provider").filter(|it| it.labels[0] == "aws") {
                verdict.see("provider");
                let tags = &provider.body["default_tags"][0]["tags"];
                verdict.hold(borne(tags), format!("{place}: what it makes bears {tags}"));
                let churn = tags.to_string().contains(env!("CARGO_PKG_VERSION"));
                verdict.hold(!churn, format!("{place}: each version of the program changes every tag"));
            }
            for template in root.resources("aws_launch_template") {
                verdict.see("launch template");
                let tagged = template.body["tag_specifications"].as_array().cloned().unwrap_or_default();
                for kind in ["instance", "volume", "network-interface"] {
                    let mut own = tagged.iter().filter(|it| it["resource_type"] == kind);
                    verdict.hold(
                        own.any(|it| borne(&it["tags"])),
                        format!("{place}: a node's `{kind}` bears no tags"),
                    );
                }
            }
        }
    }
}

/// The ledger contains every address that was ever rendered for the reference platform. A removed one must have a `moved` block.
#[test]
fn t09_a_new_name_says_what_the_old_one_was() {
    const LEDGER: &str = "tests/addresses.txt";
    let ledger: BTreeSet<String> = fs::read_to_string(LEDGER).unwrap().lines().map(str::to_owned).collect();
    let faceit = &super::PLATFORMS[0].1;
    let now: BTreeSet<String> =
        faceit.roots().filter(|it| it.environment == "production").flat_map(addresses).collect();
    if std::env::var("SNAPSHOTS").is_ok_and(|it| it == "overwrite") {
        let all: Vec<String> = ledger.union(&now).cloned().collect();
        fs::write(LEDGER, all.join("\n") + "\n").unwrap();
        return;
    }
    assert!(now.is_subset(&ledger), "`{LEDGER}` does not know all: bless it with SNAPSHOTS=overwrite");
    prove(
        "T09",
        &["address"],
        check,
        &[
            ("platform/network.tf", "resource \"aws_vpc\" \"main\"", "resource \"aws_vpc\" \"this\""),
            ("platform/keys.tf", "resource \"aws_kms_alias\" \"logs\"", "resource \"aws_kms_alias\" \"log\""),
        ],
    );
    fn addresses(root: &Root) -> impl Iterator<Item = String> {
        root.words("resource").map(|it| format!("{} {}", root.name, it.labels.join(".")))
    }
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let name = platform.blueprint.get("name").and_then(toml::Value::as_str);
        let roots = || platform.roots().filter(|it| it.environment == "production" && name == Some("faceit"));
        let now: BTreeSet<String> = roots().flat_map(addresses).collect();
        let moved: BTreeSet<String> = roots()
            .flat_map(|root| {
                let left = root.items.iter().filter(|it| ["moved", "removed"].contains(&it.word.as_str()));
                left.map(|it| {
                    format!(
                        "{} {}",
                        root.name,
                        it.body["from"].as_str().unwrap().trim_matches(['$', '{', '}'])
                    )
                })
            })
            .collect();
        for address in fs::read_to_string(LEDGER).unwrap().lines().filter(|_| !now.is_empty()) {
            verdict.see("address");
            let known = now.contains(address) || moved.contains(address);
            verdict.hold(known, format!("`{address}` is gone without a `moved` or `removed` block"));
        }
    }
}

#[test]
fn t10_each_environment_has_a_state_of_its_own() {
    prove(
        "T10",
        &["state"],
        check,
        &[
            (
                "staging/platform/versions.tf",
                "faceit-staging-tfstate-444455556666",
                "faceit-production-tfstate-111122223333",
            ),
            ("platform/providers.tf", "environment = \"…\"", "environment = terraform.workspace"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut states = BTreeSet::new();
        for root in platform.roots() {
            for backend in root.words("terraform").map(|it| &it.body["backend"][0]) {
                verdict.see("state");
                let state = format!("{} {}", backend["bucket"], backend["key"]);
                verdict
                    .hold(states.insert(state.clone()), format!("{}: {state} is another's state", root.path));
            }
            let shared = root.items.iter().any(|it| it.body.to_string().contains("terraform.workspace"));
            verdict.hold(!shared, format!("{}: depends on a workspace", root.path));
        }
    }
}

/// Trap 14.
#[test]
fn t11_the_autoscaler_owns_the_number_of_nodes() {
    prove(
        "T11",
        &["node group"],
        check,
        &[("platform/nodes.tf", "ignore_changes = [scaling_config[0].desired_size]", "ignore_changes = []")],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for group in root.resources("aws_eks_node_group") {
                verdict.see("node group");
                let ignored = words(&group.body["lifecycle"][0]["ignore_changes"]);
                let left = ignored.contains(&"${scaling_config[0].desired_size}");
                verdict.hold(left, format!("{}: `{}` takes the number back", root.path, group.address()));
            }
        }
    }
}

/// Trap 13. Trap 52.
#[test]
fn t12_nothing_means_whatever_is_newest() {
    prove(
        "T12",
        &["add-on", "node group", "header"],
        check,
        &[
            ("platform/addons.tf", "addon_version = …", "most_recent = true"),
            ("platform/addons.tf", "version = \"v1…\"", "version = \"latest\""),
            ("platform/nodes.tf", "release_version = each…", ""),
            (
                "platform/nodes.tf",
                "release_version = \"…\"",
                "release_version = data.aws_ssm_parameter.image.value",
            ),
            ("platform/nodes.tf", "version = aws_launch_template…", "version = \"$Latest\""),
            ("platform/nodes.tf", "# Written by blueprint.", "# Written by blueprint 0.1.0."),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let place = &root.path;
            for item in &root.items {
                let mut found = Vec::new();
                attributes(&item.body, &mut found);
                let newest = found.iter().any(|(key, value)| {
                    let word = value.as_str().unwrap_or_default().to_lowercase();
                    // For Pod Security Admission `latest` is the version of the cluster, which is exact.
                    if key.starts_with("pod-security.kubernetes.io/") {
                        return false;
                    }
                    *key == "most_recent" && **value == true
                        || ["latest", "$latest", "$default"].contains(&word.as_str())
                        || key.ends_with("name") && word.contains("/recommended")
                });
                verdict.hold(!newest, format!("{place}: `{}` asks for the newest", item.address()));
                let digits = |key: &str| {
                    item.body[key]
                        .as_str()
                        .is_some_and(|it| it.contains(|it: char| it.is_ascii_digit()) && !it.contains("${"))
                };
                match item.labels.first().map(String::as_str) {
                    Some("aws_eks_addon") => {
                        verdict.see("add-on");
                        verdict.hold(
                            digits("addon_version"),
                            format!("{place}: `{}` has no version", item.address()),
                        );
                    }
                    Some("aws_eks_node_group") => {
                        verdict.see("node group");
                        verdict.hold(
                            digits("release_version"),
                            format!("{place}: `{}` has no version", item.address()),
                        );
                    }
                    _ => {}
                }
            }
        }
        for (path, text) in &platform.files {
            for line in text.lines().take(2).filter(|it| it.contains("Written by blueprint")) {
                verdict.see("header");
                let churn = line.contains(|it: char| it.is_ascii_digit());
                verdict.hold(!churn, format!("{path}: its header changes with each version"));
            }
        }
    }
}

#[test]
fn t13_no_root_reaches_another_account() {
    prove(
        "T13",
        &["provider", "backend"],
        check,
        &[
            ("platform/providers.tf", "allowed_account_ids = …", ""),
            ("platform/versions.tf", "allowed_account_ids = …", ""),
            ("platform/providers.tf", "account = \"…\"", "account = \"999988887777\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let account =
                platform.setting(&root.environment, &["aws", "account"]).and_then(toml::Value::as_str);
            let guarded = |it: &Value| {
                let allowed = words(&it["allowed_account_ids"]);
                allowed.len() == 1 && account.is_none_or(|it| allowed == [it])
            };
            for provider in root.words("provider").filter(|it| it.labels[0] == "aws") {
                verdict.see("provider");
                verdict
                    .hold(guarded(&provider.body), format!("{}: the provider takes any account", root.path));
            }
            for terraform in root.words("terraform") {
                verdict.see("backend");
                let backend = &terraform.body["backend"][0];
                verdict.hold(guarded(backend), format!("{}: the backend takes any account", root.path));
            }
        }
    }
}

/// Trap 62.
#[test]
fn the_second_root_finds_a_way_to_a_private_endpoint() {
    prove(
        "Trap 62",
        &["provider"],
        check,
        &[
            ("gitops/providers.tf", "tls_server_name = …", ""),
            ("gitops/providers.tf", "cluster_ca_certificate = …", "insecure = true"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for provider in root.words("provider") {
                let it = match provider.labels[0].as_str() {
                    "kubernetes" => &provider.body,
                    "helm" => &provider.body["kubernetes"],
                    _ => continue,
                };
                verdict.see("provider");
                let place = format!("{}: `{}`", root.path, provider.labels[0]);
                verdict.hold(
                    it["tls_server_name"].is_string(),
                    format!("{place} takes whoever answers at the end of the tunnel"),
                );
                let checked = it["cluster_ca_certificate"].is_string() && it["insecure"] != true;
                verdict.hold(checked, format!("{place} takes any certificate"));
                verdict
                    .hold(it["token"].is_null(), format!("{place} holds a token that ends within the apply"));
            }
        }
    }
}

/// Trap 70.
#[test]
fn lines_end_alike_on_every_machine() {
    prove("Trap 70", &["repository"], check, &[(".gitattributes", "eol=lf", "eol=crlf")]);
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let repositories: BTreeSet<&str> =
            platform.files.keys().map(|it| it.split('/').next().unwrap()).collect();
        for repository in repositories {
            verdict.see("repository");
            let rules = platform
                .files
                .get(&format!("{repository}/.gitattributes"))
                .map(|it| it.as_str())
                .unwrap_or_default();
            let all = rules.lines().any(|it| it.starts_with("* ") && it.contains("eol=lf"));
            verdict.hold(
                all,
                format!("{repository}: Git may change the ends of lines, and every file looks edited"),
            );
        }
    }
}
