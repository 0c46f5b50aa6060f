// Permissions and trust policies of workloads, of GitHub and of Terraform's roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Platform, Verdict,
    policies::{Stack, Statement, grants, trust},
    prove,
    terraform::{Item, Root, words},
};
use blueprint::{cli::draw, diagnostics::Report, source::Source};

const GITHUB: &str = "token.actions.githubusercontent.com";

fn roles(platform: &Platform) -> impl Iterator<Item = (&Root, &Item)> {
    platform.roots().flat_map(|root| root.resources("aws_iam_role").map(move |it| (root, it)))
}

/// The policies of the roles of workloads, nodes and services.
fn granted(platform: &Platform) -> impl Iterator<Item = (&Root, Statement<'_>)> {
    roles(platform).flat_map(|(root, role)| grants(root, role).into_iter().map(move |it| (root, it)))
}

/// The statements of key policies.
fn of_keys(root: &Root) -> impl Iterator<Item = Statement<'_>> {
    root.resources("aws_kms_key").flat_map(|it| Statement::all(&it.address(), &it.body["policy"]))
}

/// Whether an action only reads. It may still read a secret.
pub fn looks(action: &str) -> bool {
    let (_, verb) = action.split_once(':').unwrap_or_default();
    let secret = ["ssm:GetParameter", "secretsmanager:Get", "s3:GetObject", "dynamodb:Get"];
    ["Describe", "List", "Get"].iter().any(|it| verb.starts_with(it))
        && !secret.iter().any(|it| action.starts_with(it))
}

/// Trap 16.
#[test]
fn t34_a_role_believes_one_service_account() {
    prove(
        "T34",
        &["web identity", "pod identity"],
        check,
        &[
            ("platform/iam.tf", "\"${local.issuer}:aud\" = \"sts.amazonaws.com\"", ""),
            ("platform/iam.tf", "\"${local.issuer}:sub\" = \"…\"", ""),
            (
                "platform/iam.tf",
                "{ namespace = \"kube-system\", name = \"aws-node\" }",
                "{ namespace = \"kube-system\", name = \"*\" }",
            ),
            (
                "platform/iam.tf",
                "{ namespace = \"kube-system\", name = \"aws-node\" }",
                "{ namespace = \"kube-system\", name = \"ebs-csi-controller-sa\" }",
            ),
            (
                "platform/iam.tf",
                "StringEquals = { \"${local.issuer}:aud\"",
                "StringLike = {\n            \"${local.issuer}:aud\"",
            ),
            (
                "platform/iam.tf",
                "issuer = trimprefix(…)",
                "issuer = \"oidc.eks.eu-west-1.amazonaws.com/id/0\"",
            ),
            (
                "platform/iam.tf",
                "service_account = local.service_accounts[\"cluster-autoscaler\"].name",
                "service_account = \"*\"",
            ),
            ("platform/iam.tf", "\"sts:TagSession\"", "\"sts:AssumeRoleWithWebIdentity\""),
            (
                "platform/secrets.tf",
                "Principal = { AWS = aws_iam_role.external_secrets.arn }",
                "Principal = { AWS = \"arn:aws:iam::${local.account}:root\" }",
            ),
            ("platform/addons.tf", "= each.value.role }", "= aws_iam_role.node.arn }"),
            (
                "platform/iam.tf",
                "role_arn = aws_iam_role.cluster_autoscaler.arn",
                "role_arn = aws_iam_role.node.arn",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut believed = Vec::new();
        for (root, role) in roles(platform) {
            for statement in trust(role) {
                let place = format!("{}: `{}`", root.path, role.address());
                if statement.body["Principal"]["Service"] == "pods.eks.amazonaws.com" {
                    verdict.see("pod identity");
                    let actions: BTreeSet<&str> = statement.actions().into_iter().collect();
                    let own = root
                        .resources("aws_eks_pod_identity_association")
                        .filter(|it| role.is_meant_by(&it.body["role_arn"]));
                    let mut whom: Vec<String> = own
                        .map(|it| format!("{}:{}", it.body["namespace"], it.body["service_account"]))
                        .collect();
                    for addon in root.resources("aws_eks_addon") {
                        let list =
                            addon.body["pod_identity_association"].as_array().cloned().unwrap_or_default();
                        let own = list.iter().filter(|it| role.is_meant_by(&it["role_arn"]));
                        whom.extend(
                            own.map(|it| format!("{}:{}", addon.body["addon_name"], it["service_account"])),
                        );
                    }
                    believed.extend(whom.iter().map(|it| (root.path.clone(), it.clone(), place.clone())));
                    let one = whom.len() == 1 && !whom[0].contains('*');
                    verdict.hold(one, format!("{place} is associated with {whom:?}"));
                    let both = actions == BTreeSet::from(["sts:AssumeRole", "sts:TagSession"]);
                    verdict.hold(both, format!("{place} lets the agent do {actions:?}"));
                }
                let who = &statement.body["Principal"]["AWS"];
                let named = root.resources("aws_iam_role").any(|it| it.is_meant_by(who));
                verdict.hold(who.is_null() || named, format!("{place} believes {who}"));
                if !statement.may("sts:AssumeRoleWithWebIdentity") {
                    continue;
                }
                verdict.see("web identity");
                let condition = &statement.body["Condition"];
                let tests: Vec<&String> =
                    condition.as_object().map(|it| it.keys().collect()).unwrap_or_default();
                verdict.hold(tests == ["StringEquals"], format!("{place} tests by {tests:?}"));
                let exact = condition["StringEquals"].as_object().cloned().unwrap_or_default();
                let find = |end: &str| {
                    let mut own = exact
                        .iter()
                        .filter(|(key, _)| key.ends_with(end) && key.contains("aws_eks_cluster."));
                    own.next().and_then(|(_, it)| it.as_str()).unwrap_or_default().to_owned()
                };
                let (audience, subject) = (find(":aud"), find(":sub"));
                believed.push((root.path.clone(), subject.clone(), place.clone()));
                verdict.hold(
                    audience == "sts.amazonaws.com",
                    format!("{place} believes tokens for `{audience}`"),
                );
                let parts: Vec<&str> = subject.split(':').collect();
                let one = matches!(parts[..], ["system", "serviceaccount", namespace, name] if !namespace.is_empty() && !name.is_empty());
                verdict.hold(one && !subject.contains(['*', '?']), format!("{place} believes `{subject}`"));
            }
        }
        let mut whom = BTreeSet::new();
        for (root, who, place) in believed {
            verdict.hold(whom.insert((root, who.clone())), format!("{place} is one of two roles of {who}"));
        }
    }
}

/// Actions that write and still may have no resource: AWS supports none for them, or the published policy of the load balancer
/// controller has none.
const UNNAMED: [&str; 13] = [
    "elasticloadbalancing:SetWebAcl",
    "route53:CreateHostedZone",
    "shield:CreateProtection",
    "shield:DeleteProtection",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "waf-regional:AssociateWebACL",
    "waf-regional:DisassociateWebACL",
    "wafv2:AssociateWebACL",
    "wafv2:DisassociateWebACL",
];

#[test]
fn t35_nobody_may_everything_or_everywhere() {
    prove(
        "T35",
        &["grant", "pipeline", "zone writer", "secret reader"],
        check,
        &[
            ("platform/iam.tf", "\"ec2:AttachVolume\", \"ec2:DetachVolume\"", "\"*\""),
            ("platform/iam.tf", "\"ec2:AttachVolume\", \"ec2:DetachVolume\"", "\"ec2:*\""),
            ("platform/iam.tf", "Resource = [aws_kms_key.volumes.arn]", "Resource = [\"*\"]"),
            (
                "platform/iam.tf",
                "Resource = [\"arn:aws:ec2:${local.region}:${local.account}:network-interface/*\"]",
                "Resource = \"*\"",
            ),
            ("bootstrap/stack.yaml", "- eks:CreateCluster", "- eks:*"),
            (
                "bootstrap/stack.yaml",
                "Action: ec2:DisassociateAddress Resource:",
                "Action: ec2:DisassociateAddress\n            Resource:\n              - \"*\"",
            ),
            (
                "platform/iam.tf",
                "Resource = [local.zone_arn]",
                "Resource = [\"arn:aws:route53:::hostedzone/*\"]",
            ),
            ("platform/secrets.tf", "\"monitoring\" = [\"monitoring\"]", "\"monitoring\" = [\"*\"]"),
            (
                "platform/keys.tf",
                "Principal = { AWS = local.apply_role } Action = \"kms:CreateGrant\"",
                "Principal = { AWS = local.apply_role }\n        Action = \"kms:*\"",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut limited = |place: String, statement: &Statement| {
            let place = format!("{place}: {}", statement.place);
            verdict.hold(statement.body["NotAction"].is_null(), format!("{place} allows all but some"));
            let (actions, resources) = (statement.actions(), statement.resources());
            verdict.hold(!actions.is_empty() && !resources.is_empty(), format!("{place} was not understood"));
            for action in actions {
                let all = action == "*" || action.ends_with(":*");
                verdict.hold(!all, format!("{place} allows `{action}`"));
                let free =
                    looks(action) || UNNAMED.contains(&action) || !statement.body["Condition"].is_null();
                verdict
                    .hold(free || !resources.contains(&"*"), format!("{place} allows `{action}` everywhere"));
                if action.starts_with("route53:Change") && action != "route53:ChangeTagsForResource" {
                    // The id of a zone that does not exist yet is unknown, so the policy limits the names of records instead.
                    let names = statement.body["Condition"].to_string().contains("NormalizedRecordNames");
                    let open = resources.iter().any(|it| it.ends_with('*')) && !names;
                    verdict.hold(!open, format!("{place} writes into every zone"));
                }
                if action.starts_with("ssm:GetParameter") {
                    let deep = |it: &&str| {
                        it.split_once(":parameter/").is_some_and(|(_, it)| {
                            it.split('/').take_while(|it| !it.contains('*')).count() >= 3
                        })
                    };
                    verdict.hold(resources.iter().all(deep), format!("{place} reads {resources:?}"));
                }
            }
        };
        let mut seen = BTreeSet::new();
        for (root, statement) in granted(platform).filter(|(_, it)| it.allows()) {
            seen.insert("grant");
            limited(root.path.clone(), &statement);
            if statement.may("route53:ChangeResourceRecordSets") {
                seen.insert("zone writer");
            }
            if statement.may("ssm:GetParameter") || statement.may("ssm:GetParametersByPath") {
                seen.insert("secret reader");
            }
        }
        for stack in Stack::all(platform) {
            for statement in stack.grants("-apply").iter().filter(|it| it.allows()) {
                seen.insert("pipeline");
                limited(stack.document.path.clone(), statement);
            }
        }
        for root in platform.roots() {
            for statement in of_keys(root) {
                let everything = statement.actions().iter().any(|it| *it == "*" || it.ends_with(":*"));
                let account =
                    statement.body["Principal"]["AWS"].as_str().is_some_and(|it| it.ends_with(":root"));
                verdict.hold(
                    !everything || account,
                    format!("{}: {} gives the key away", root.path, statement.place),
                );
            }
        }
        seen.into_iter().for_each(|it| verdict.see(it));
    }
}

/// Descriptions that AWS cannot change, of resources whose name never changes: with another one an update is refused (a managed
/// policy of CloudFormation: `Description` requires replacement, and a custom name forbids that), or Terraform deletes a resource
/// in use (`description` of a security group and of a parameter group, hashicorp/aws 6.47). `NAME` is the platform's.
const LASTING: [(&str, &str); 15] = [
    ("aws_db_parameter_group.main", "Database of NAME"),
    ("aws_security_group.api", "Kubernetes API of NAME, from inside the network"),
    ("aws_security_group.database", "Database of NAME"),
    ("aws_security_group.endpoints", "Interface endpoints of NAME"),
    ("ApplyClusterPolicy", "Cluster, keys and log groups, as Terraform changes them for NAME"),
    ("ApplyDataPolicy", "Database and parameters, as Terraform changes them for NAME"),
    ("ApplyEdgePolicy", "Zone, certificate and logs of requests, as Terraform changes them for NAME"),
    ("ApplyGitopsPolicy", "The first install of Flux, as Terraform makes it for NAME"),
    (
        "ApplyIdentityPolicy",
        "Roles under the boundary and the cluster's issuer, as Terraform changes them for NAME",
    ),
    ("ApplyMorePolicy", "What else Terraform changes for NAME"),
    ("ApplyNetworkPolicy", "State and network, as Terraform changes them for NAME"),
    ("Boundary", "Ceiling of every role that Terraform makes for NAME"),
    ("ReadDataPolicy", "Database and parameters, as a Terraform plan of NAME reads them"),
    ("ReadEdgePolicy", "Zone, certificate and logs of requests, as a Terraform plan of NAME looks at them"),
    ("ReadPolicy", "What a Terraform plan of NAME reads, and its lock"),
];

#[test]
fn what_keeps_its_name_keeps_its_description() {
    prove(
        "Descriptions",
        &["policy", "resource"],
        check,
        &[
            ("bootstrap/stack.yaml", "Description: Ceiling of …", "Description: What roles may do at most"),
            (
                "bootstrap/stack.yaml",
                "ManagedPolicyName: faceit-production-read-data",
                "ManagedPolicyName: faceit-production-data",
            ),
            ("bootstrap/stack.yaml", "ReadDataPolicy: Type:", "ReadDatabasePolicy:\n    Type:"),
            (
                "platform/database.tf",
                "description = \"Database of ${local.name}\"",
                "description = \"PostgreSQL of ${local.name}\"",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut hold = |path: &str, address: &str, prefix: &str, description: &Value| {
            let known = LASTING.iter().find(|it| it.0 == address).map(|it| it.1.replace("NAME", prefix));
            let same = known.is_some() && known.as_deref() == description.as_str();
            verdict.hold(same, format!("{path}: `{address}` was always described as {known:?}"));
        };
        let mut seen = BTreeSet::new();
        for stack in Stack::all(platform) {
            for (address, policy) in stack.resources("AWS::IAM::ManagedPolicy") {
                seen.insert("policy");
                let name = policy["Properties"]["ManagedPolicyName"].as_str().unwrap_or_default();
                // The name of `ApplyEdgePolicy` is `NAME-apply-edge`.
                let mut end = String::new();
                for letter in address.trim_end_matches("Policy").chars() {
                    if letter.is_ascii_uppercase() {
                        end.push('-');
                    }
                    end.push(letter.to_ascii_lowercase());
                }
                let prefix = name.strip_suffix(&end).unwrap_or_default();
                hold(&stack.document.path, address, prefix, &policy["Properties"]["Description"]);
            }
        }
        for root in platform.roots() {
            let lasting = ["aws_db_parameter_group", "aws_security_group"];
            for resource in lasting.into_iter().flat_map(|it| root.resources(it)) {
                seen.insert("resource");
                let name = resource.body["name"].as_str().unwrap_or_default();
                let project =
                    platform.setting("", &["name"]).and_then(toml::Value::as_str).unwrap_or_default();
                let prefix = format!("{project}-{}", root.environment);
                let named = name.starts_with(&prefix);
                let description = if named { &resource.body["description"] } else { &Value::Null };
                hold(&root.path, &resource.labels.join("."), &prefix, description);
            }
        }
        seen.into_iter().for_each(|it| verdict.see(it));
    }
}

/// Trap 21.
#[test]
fn t36_who_reads_secrets_may_decrypt_them() {
    prove(
        "T36",
        &["secret reader"],
        check,
        &[
            ("platform/secrets.tf", "Action = [\"kms:Decrypt\"]", "Action = [\"kms:DescribeKey\"]"),
            ("platform/secrets.tf", "Resource = [aws_kms_key.parameters.arn]", "Resource = [\"*\"]"),
            ("platform/secrets.tf", "\"kms:ViaService\" = \"ssm.${local.region}.amazonaws.com\"", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, role) in roles(platform) {
            let statements = grants(root, role);
            if !statements.iter().any(|it| it.may("ssm:GetParameter") || it.may("ssm:GetParametersByPath")) {
                continue;
            }
            verdict.see("secret reader");
            let decrypts = statements.iter().any(|it| {
                let via = it.demands("StringEquals", "kms:ViaService");
                let own =
                    !it.resources().is_empty() && it.resources().iter().all(|it| it.contains("aws_kms_key."));
                it.may("kms:Decrypt") && own && via.len() == 1 && via[0].starts_with("ssm.")
            });
            verdict
                .hold(decrypts, format!("{}: `{}` reads what it cannot decrypt", root.path, role.address()));
        }
    }
}

/// Trap 43.
#[test]
fn t37_github_is_believed_for_one_repository() {
    prove(
        "T37",
        &["role"],
        check,
        &[
            (
                "bootstrap/stack.yaml",
                "token.actions.githubusercontent.com:aud: sts.amazonaws.com",
                "token.actions.githubusercontent.com:iss: x",
            ),
            (
                "bootstrap/stack.yaml",
                "repo:acme@12345678/infrastructure@987654321:pull_request",
                "repo:acme@12345678/*:pull_request",
            ),
            (
                "bootstrap/stack.yaml",
                "repo:acme@12345678/infrastructure@987654321:pull_request",
                "repo:acme/infrastructure:pull_request",
            ),
            (
                "bootstrap/stack.yaml",
                "StringEquals: token.actions.githubusercontent.com:aud:",
                "StringLike:\n                token.actions.githubusercontent.com:aud:",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let text = |path: &[&str]| {
            platform.setting("", path).map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
        };
        for stack in Stack::all(platform) {
            let owner = text(&["github", "owner"]).unwrap_or_default();
            let repository = stack.document.path.split('/').next().unwrap();
            let wanted = match (text(&["github", "ids", "owner"]), text(&["github", "ids", "infrastructure"]))
            {
                (Some(one), Some(other)) => format!("repo:{owner}@{one}/{repository}@{other}:"),
                _ => format!("repo:{owner}/{repository}:"),
            };
            for end in ["-plan", "-apply"] {
                for statement in stack.trust(end) {
                    verdict.see("role");
                    let place = format!("{}: `{end}`", stack.document.path);
                    let tests: Vec<&String> =
                        statement.body["Condition"].as_object().unwrap().keys().collect();
                    verdict.hold(tests == ["StringEquals"], format!("{place} tests by {tests:?}"));
                    let demands = |key: &str| statement.demands("StringEquals", &format!("{GITHUB}:{key}"));
                    verdict
                        .hold(demands("aud") == ["sts.amazonaws.com"], format!("{place} takes any audience"));
                    let subjects = demands("sub");
                    let exact = subjects.iter().all(|it| it.starts_with(&wanted) && !it.contains('*'));
                    verdict.hold(
                        exact && !subjects.is_empty(),
                        format!("{place} believes {subjects:?}, not {wanted}"),
                    );
                }
            }
        }
    }
}

/// Trap 79.
#[test]
fn t38_who_plans_cannot_apply() {
    prove(
        "T38",
        &["roles", "jobs"],
        check,
        &[
            ("bootstrap/stack.yaml", "987654321:pull_request\"", "987654321:environment:production\""),
            (
                "bootstrap/stack.yaml",
                "infrastructure@987654321:environment:production",
                "infrastructure@987654321:ref:refs/heads/main",
            ),
            (
                "bootstrap/stack.yaml",
                "ManagedPolicyArns: - !Ref ReadPolicy",
                "ManagedPolicyArns:\n        - !Ref ApplyNetworkPolicy\n        - !Ref ReadPolicy",
            ),
            ("workflows/terraform.yml", "environment: ${{ inputs.environment }} defaults:", "defaults:"),
            (
                "workflows/terraform.yml",
                "outputs: changes:",
                "environment: ${{ inputs.environment }}\n    outputs:\n      changes:",
            ),
            ("workflows/terraform.yml", "${{ inputs.name }}-plan", "${{ inputs.name }}-apply"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for stack in Stack::all(platform) {
            verdict.see("roles");
            let place = &stack.document.path;
            let subjects = |end| -> Vec<&str> {
                let trust = stack.trust(end);
                trust.iter().flat_map(|it| it.demands("StringEquals", &format!("{GITHUB}:sub"))).collect()
            };
            let gate = format!(":environment:{}", stack.environment);
            let gated = subjects("-apply").iter().all(|it| it.ends_with(&gate));
            verdict.hold(gated, format!("{place}: nobody need approve an apply"));
            let open = subjects("-plan").iter().all(|it| !it.contains(":environment:"));
            verdict.hold(open, format!("{place}: a plan needs an approval"));
            let changes = |end| {
                let statements = stack.grants(end);
                statements
                    .iter()
                    .filter(|it| {
                        it.may("ec2:CreateVpc") || it.may("ec2:DeleteVpc") || it.may("iam:CreateRole")
                    })
                    .count()
            };
            verdict.hold(
                changes("-plan") == 0 && changes("-apply") > 0,
                format!("{place}: who plans may change AWS"),
            );
        }
        for document in platform.documents().filter(|it| it.is_workflow()) {
            for (name, job) in document.value()["jobs"].as_object().unwrap() {
                let steps = job["steps"].as_array().cloned().unwrap_or_default();
                for role in steps.iter().filter_map(|it| it["with"]["role-to-assume"].as_str()) {
                    verdict.see("jobs");
                    let gated = !job["environment"].is_null();
                    let right =
                        if role.ends_with("-apply") { gated } else { role.ends_with("-plan") && !gated };
                    let place = format!("{}: `{name}`", document.path);
                    verdict.hold(
                        right,
                        format!("{place} takes {role}, and its environment is {}", job["environment"]),
                    );
                }
            }
        }
    }
}

#[test]
fn t43_parameters_lie_in_the_folder_of_who_reads_them() {
    prove(
        "T43",
        &["parameter", "secret parameter"],
        check,
        &[
            (".tf", "\"${local.parameters}/${each.key}/port\"", "\"/other/${each.key}/port\""),
            (
                ".tf",
                "\"${local.parameters}/database/master/${each.key}/password\" type = \"SecureString\"",
                "\"${local.parameters}/database/master/${each.key}/password\"\n  type = \"String\"",
            ),
            (
                ".tf",
                "\"${local.parameters}/database/master/${each.key}/password\"",
                "\"${local.parameters}/password\"",
            ),
            (".tf", "key_id = aws_kms_key.parameters.arn", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for parameter in root.resources("aws_ssm_parameter") {
                verdict.see("parameter");
                let name = parameter.body["name"].as_str().unwrap_or_default();
                let place = format!("{}: `{name}`", root.path);
                let parts: Vec<&str> = name.split('/').collect();
                let project = platform.setting("", &["name"]).and_then(|it| it.as_str());
                let scheme = matches!(parts[..], ["", first, environment, _, _, ..]
                    if project.is_none_or(|it| it == first) && environment == root.environment);
                verdict.hold(scheme, format!("{place} is no /project/environment/namespace/key"));
                let secret = ["password", "token", "key", "secret", "credential", "identity"];
                let last = parts.last().unwrap();
                let secret = secret.iter().any(|it| last.ends_with(it));
                if secret {
                    verdict.see("secret parameter");
                }
                let sealed = parameter.body["type"] == "SecureString";
                verdict.hold(sealed || !secret, format!("{place} can be read by anyone who lists"));
                let mut keys = root.resources("aws_kms_key");
                let own = keys.any(|it| it.is_meant_by(&parameter.body["key_id"]));
                verdict.hold(own || !sealed, format!("{place} lies under AWS's own key"));
            }
        }
    }
}

/// Trap 78.
#[test]
fn t46_autoscaling_is_met_by_condition() {
    prove(
        "T46",
        &["volume key"],
        check,
        &[
            (
                "platform/keys.tf",
                "Principal = { AWS = \"*\" }",
                "Principal = { AWS = local.autoscaling_role }",
            ),
            ("platform/nodes.tf", "launch_template { id = … version = … }", ""),
            ("platform/keys.tf", "StringEquals = { \"kms:CallerAccount\" = local.account }", ""),
            ("platform/keys.tf", "ArnEquals = { \"aws:PrincipalArn\" = local.autoscaling_role }", ""),
            (
                "platform/keys.tf",
                "ArnEquals = { \"aws:PrincipalArn\" = local.autoscaling_role } Bool = …",
                "ArnEquals = { \"aws:PrincipalArn\" = local.autoscaling_role }",
            ),
            (
                "platform/keys.tf",
                "Principal = { AWS = \"*\" } Action = \"kms:CreateGrant\"",
                "Principal = { AWS = \"*\" }\nAction = \"kms:ListGrants\"",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for statement in of_keys(root) {
                let place = format!("{}: {}", root.path, statement.place);
                let who = &statement.body["Principal"]["AWS"];
                let linked = who.to_string().contains("aws-service-role");
                verdict.hold(!linked, format!("{place} names a role that a new account does not have"));
                if *who == "*" {
                    let account = statement.demands("StringEquals", "kms:CallerAccount");
                    let role = statement.demands("ArnEquals", "aws:PrincipalArn");
                    let met = account.len() == 1
                        && role.len() == 1
                        && role[0].ends_with("AWSServiceRoleForAutoScaling");
                    verdict.hold(met, format!("{place} lets anyone in"));
                    let grants = statement.may("kms:CreateGrant");
                    let ours = statement.demands("Bool", "kms:GrantIsForAWSResource") == ["true"];
                    verdict.hold(!grants || ours, format!("{place} lends the key to anyone"));
                }
            }
            // "When using a launch configuration to launch Spot Instances, use the role named AWSServiceRoleForEC2Spot", in all
            // other cases that of Auto Scaling (Amazon EC2 Auto Scaling User Guide, key-policy-requirements-EBS-encryption): so
            // also a spot group needs no other grant as long as it has a launch template.
            for group in root.resources("aws_eks_node_group") {
                let template = group.body["launch_template"].to_string().contains("aws_launch_template.");
                let other = root.resources("aws_launch_configuration").next().is_some();
                verdict.hold(
                    template && !other,
                    format!("{}: `{}` has no launch template", root.path, group.address()),
                );
            }
            for template in root.resources("aws_launch_template") {
                let disk = &template.body["block_device_mappings"][0]["ebs"][0]["kms_key_id"];
                for key in root.resources("aws_kms_key").filter(|it| it.is_meant_by(disk)) {
                    verdict.see("volume key");
                    let statements = Statement::all("", &key.body["policy"]);
                    let scales = |action| {
                        statements.iter().any(|it| it.body["Principal"]["AWS"] == "*" && it.may(action))
                    };
                    let both = scales("kms:CreateGrant") && scales("kms:GenerateDataKeyWithoutPlaintext");
                    verdict.hold(both, format!("{}: Auto Scaling cannot start a node", root.path));
                }
            }
        }
    }
}

/// Trap 82.
#[test]
fn a_grant_is_limited_only_where_the_service_supports_it() {
    prove(
        "Trap 82",
        &["cluster key", "other key"],
        check,
        &[
            (
                "platform/keys.tf",
                "Action = \"kms:CreateGrant\" Resource = \"*\" },",
                "Action = \"kms:CreateGrant\"\nResource = \"*\"\nCondition = { Bool = { \"kms:GrantIsForAWSResource\" = \"true\" } }\n},",
            ),
            (
                "platform/keys.tf",
                "Sid = \"GrantToTheCluster\" Effect = \"Allow\"",
                "Sid = \"GrantToTheCluster\"\nEffect = \"Deny\"",
            ),
            ("platform/keys.tf", "Bool = { \"kms:GrantIsForAWSResource\" = \"true\" }", ""),
            ("platform/database.tf", "Bool = { \"kms:GrantIsForAWSResource\" = \"true\" }", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for key in root.resources("aws_kms_key") {
                let of_cluster = root
                    .resources("aws_eks_cluster")
                    .any(|it| key.is_meant_by(&it.body["encryption_config"][0]["provider"][0]["key_arn"]));
                let grants: Vec<Statement> = Statement::all(&key.address(), &key.body["policy"])
                    .into_iter()
                    .filter(|it| it.may("kms:CreateGrant") && !it.actions().contains(&"kms:*"))
                    .collect();
                let place = format!("{}: {}", root.path, key.address());
                if of_cluster {
                    verdict.see("cluster key");
                    let free = grants.iter().any(|it| it.body["Condition"].is_null());
                    verdict.hold(free, format!("{place}: CreateCluster cannot create its grant"));
                    continue;
                }
                for grant in grants {
                    verdict.see("other key");
                    let limited = grant.demands("Bool", "kms:GrantIsForAWSResource") == ["true"];
                    verdict.hold(limited, format!("{place}: {} lends the key to anyone", grant.place));
                }
            }
        }
    }
}

/// Trap 83.
#[test]
fn the_tunnel_carries_and_resumes_its_own_sessions() {
    const RIGHTS: [&str; 3] = ["ssm:ResumeSession", "ssm:TerminateSession", "ssmmessages:OpenDataChannel"];
    prove(
        "Trap 83",
        &["tunnel", "runbook"],
        check,
        &[
            ("bootstrap/stack.yaml", "- ssm:ResumeSession", ""),
            ("bootstrap/stack.yaml", "- ssm:TerminateSession", ""),
            ("bootstrap/stack.yaml", "- ssmmessages:OpenDataChannel", ""),
            ("bootstrap/stack.yaml", ":session/apply-*", ":session/*"),
            ("bootstrap/stack.yaml", ":session/apply-*", ":session/${aws:userid}-*"),
            ("workflows/terraform.yml", "role-session-name: apply-", "role-session-name: main-"),
            ("production/README.md", "(1.2.764.0 or newer)", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for stack in Stack::all(platform) {
            let place = &stack.document.path;
            let statements = stack.grants("-apply");
            if !statements.iter().any(|it| it.may("ssm:StartSession")) {
                continue;
            }
            verdict.see("tunnel");
            for right in RIGHTS {
                let own = |it: &&Statement| {
                    it.may(right) && it.resources().iter().all(|it| it.ends_with(":session/apply-*"))
                };
                let granted = statements.iter().filter(|it| it.may(right));
                let (own, all) = (granted.clone().filter(own).count(), granted.count());
                verdict.hold(
                    own == all && own > 0,
                    format!("{place}: `{right}` on other than its own sessions"),
                );
            }
            let workflow = place.split_once("/environments/").unwrap().0;
            let workflow = &platform.files[&format!("{workflow}/.github/workflows/terraform.yml")];
            let apply =
                workflow.split("role/${{ inputs.name }}-apply\n").nth(1).unwrap_or_default().trim_start();
            let named = apply.starts_with("role-session-name: apply-");
            verdict.hold(named, format!("{place}: the workflow's sessions have another name"));
            let runbook = &platform.files[&place.replace("bootstrap/stack.yaml", "README.md")];
            verdict.see("runbook");
            let least = runbook.contains("Session Manager plugin (1.2.764.0 or newer)");
            verdict.hold(least, format!("{place}: the runbook names no version of the plugin"));
        }
    }
}

#[test]
fn t48_an_account_has_one_provider_of_githubs_tokens() {
    prove(
        "T48",
        &["provider"],
        check,
        &[
            (
                "bootstrap/stack.yaml",
                "Type: AWS::IAM::OIDCProvider DeletionPolicy: RetainExceptOnCreate",
                "Type: AWS::IAM::OIDCProvider",
            ),
            ("bootstrap/stack.yaml", "Type: AWS::IAM::OIDCProvider", "Type: AWS::IAM::SAMLProvider"),
            ("bootstrap/stack.yaml", "Federated: arn:aws:iam::…", "Federated: !Ref GitHub"),
            ("bootstrap/stack.yaml", "ClientIdList: - sts.amazonaws.com", "ClientIdList:\n        - anyone"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut accounts: BTreeMap<String, usize> = BTreeMap::new();
        let existing =
            platform.setting("", &["github", "oidc-provider"]).and_then(|it| it.as_str()) == Some("existing");
        for stack in Stack::all(platform) {
            let place = &stack.document.path;
            let account = platform.setting(stack.environment, &["aws", "account"]).unwrap().as_str().unwrap();
            let made = accounts.entry(account.to_owned()).or_default();
            let mut own = Vec::new();
            for (name, it) in stack.resources("AWS::IAM::OIDCProvider") {
                verdict.see("provider");
                *made += 1;
                own.push(format!("${{{name}}}"));
                let kept =
                    it["DeletionPolicy"] == "RetainExceptOnCreate" && it["UpdateReplacePolicy"] == "Retain";
                verdict.hold(kept, format!("{place}: others lose their trust with this stack"));
                let it = &it["Properties"];
                let right = it["Url"] == format!("https://{GITHUB}")
                    && words(&it["ClientIdList"]) == ["sts.amazonaws.com"];
                verdict.hold(right, format!("{place}: trusts {it}"));
            }
            for statement in ["-plan", "-apply"].iter().flat_map(|end| stack.trust(end)) {
                let who = statement.body["Principal"]["Federated"].as_str().unwrap_or_default();
                let other = format!("arn:aws:iam::{account}:oidc-provider/{GITHUB}");
                let known = if own.is_empty() { who == other } else { own.iter().any(|it| it == who) };
                verdict.hold(known, format!("{place}: refers to {who}"));
            }
        }
        for (account, made) in accounts {
            let one = made == usize::from(!existing);
            verdict.hold(one, format!("account {account} has {made} providers"));
        }
    }
}

#[test]
fn t49_a_plan_writes_nothing_but_its_lock() {
    prove(
        "T49",
        &["plan role", "parameter key", "runbook"],
        check,
        &[
            (
                "bootstrap/stack.yaml",
                "${StateBucket.Arn}/platform/terraform.tfstate\"",
                "${StateBucket.Arn}/*\"",
            ),
            ("bootstrap/stack.yaml", "platform/terraform.tfstate.tflock", "platform/terraform.tfstate"),
            (
                "bootstrap/stack.yaml",
                "- kms:Decrypt - kms:GenerateDataKey Resource:",
                "- kms:Encrypt\n            Resource:",
            ),
            (
                "bootstrap/stack.yaml",
                "kms:ViaService: s3.eu-west-1.amazonaws.com",
                "aws:RequestedRegion: eu-west-1",
            ),
            ("bootstrap/stack.yaml", "- ec2:DescribeVpcs", "- ec2:DeleteVpc"),
            ("production/README.md", "## Who can do what", "## Other"),
            (
                "bootstrap/stack.yaml",
                "- Sid: Roles Effect: Allow",
                "- Sid: Defect\n            Effect: Allow\n            Action: ssm:GetParameter\n            Resource: arn:aws:ssm:eu-west-1:111122223333:parameter/faceit/production/*\n          - Sid: Roles\n            Effect: Allow",
            ),
            (
                "bootstrap/stack.yaml",
                "- Sid: Roles Effect: Allow",
                "- Sid: Defect\n            Effect: Allow\n            Action: ssm:GetParameter\n            Resource: arn:aws:ssm:eu-west-1:111122223333:parameter/faceit/production/flux-system/git/identity\n          - Sid: Roles\n            Effect: Allow",
            ),
            (
                ".tf",
                "Action = \"kms:Decrypt\" Resource = \"*\" Condition = { StringEquals = { \"kms:ViaService\" = \"ssm.",
                "Action = \"kms:Decrypt\"\nResource = \"*\"\nCondition = {\nStringEquals = { \"kms:ViaService\" = \"s3.",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for stack in Stack::all(platform) {
            verdict.see("plan role");
            let place = &stack.document.path;
            let statements = stack.grants("-plan");
            for statement in statements.iter().filter(|it| it.allows()) {
                let via = statement.demands("StringEquals", "kms:ViaService");
                let through = |service: &str| via.len() == 1 && via[0].starts_with(service);
                for action in statement.actions() {
                    let resources = statement.resources();
                    let all = |end: &str| resources.iter().all(|it| it.ends_with(end));
                    let right = match action {
                        "s3:ListBucket" => !resources.contains(&"*"),
                        // A plan must not read the state of the second root.
                        "s3:GetObject" => {
                            let hidden =
                                |it: &&str| it.contains('*') || it.ends_with("/gitops/terraform.tfstate");
                            !resources.iter().any(hidden)
                        }
                        "s3:PutObject" | "s3:DeleteObject" => all(".tflock"),
                        "kms:Decrypt" => through("s3.") || through("ssm."),
                        "kms:GenerateDataKey" => through("s3."),
                        "ssm:GetParameter" | "ssm:GetParameters" => {
                            !resources.iter().any(|it| is_too_wide(it))
                        }
                        other => looks(other) && !other.contains('*'),
                    };
                    verdict.hold(
                        right,
                        format!("{place}: {} allows `{action}` on {resources:?}", statement.place),
                    );
                }
            }
            let uses = |action| statements.iter().any(|it| it.may(action));
            let works = uses("kms:Decrypt") && uses("kms:GenerateDataKey") && uses("s3:PutObject");
            verdict.hold(works, format!("{place}: a plan cannot read or lock the state"));
        }
        for root in platform.roots() {
            for statement in of_keys(root) {
                if !words(&statement.body["Principal"]["AWS"]).iter().any(|it| it.ends_with("-plan")) {
                    continue;
                }
                verdict.see("parameter key");
                let via = statement.demands("StringEquals", "kms:ViaService");
                let right =
                    statement.actions() == ["kms:Decrypt"] && via.len() == 1 && via[0].starts_with("ssm.");
                verdict.hold(
                    right,
                    format!("{}: {} gives a plan {:?}", root.path, statement.place, statement.actions()),
                );
                let context = statement.demands("StringLike", "kms:EncryptionContext:PARAMETER_ARN");
                let wide = context.iter().any(|it| is_too_wide(it));
                verdict.hold(!wide, format!("{}: {} shows a plan {context:?}", root.path, statement.place));
            }
        }
        for (path, text) in &platform.files {
            let Some(environment) =
                path.strip_suffix("/README.md").filter(|it| it.contains("/environments/"))
            else {
                continue;
            };
            verdict.see("runbook");
            let rest = text.split_once("## Who can do what").map(|it| it.1).unwrap_or_default();
            let section = rest.split("\n## ").next().unwrap();
            let name = environment.rsplit('/').next().unwrap();
            let said = section.contains(&format!("-{name}-plan`"));
            verdict.hold(said, format!("{path}: does not say what can be read through the plan role"));
        }
    }

    /// Whether these include parameters that Terraform does not manage, such as the Git credential.
    fn is_too_wide(arn: &str) -> bool {
        let path: Vec<&str> =
            arn.split_once(":parameter/").map(|(_, it)| it.split('/').collect()).unwrap_or_default();
        let fixed = path.iter().take_while(|it| !it.contains('*')).count();
        fixed < 4 || path[2] == "flux-system" && path[3] == "git"
    }
}

#[test]
fn t50_github_is_believed_for_one_purpose() {
    prove(
        "T50",
        &["apply", "plan"],
        check,
        &[
            ("bootstrap/stack.yaml", "token.actions.githubusercontent.com:ref: refs/heads/main", ""),
            ("bootstrap/stack.yaml", "token.actions.githubusercontent.com:job_workflow_ref: …", ""),
            ("bootstrap/stack.yaml", "terraform.yml@refs/heads/main", "terraform.yml@refs/heads/other"),
            (
                "bootstrap/stack.yaml",
                "infrastructure@987654321:ref:refs/heads/main",
                "infrastructure@987654321:ref:refs/heads/other",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for stack in Stack::all(platform) {
            let place = &stack.document.path;
            let repository = place.split('/').next().unwrap();
            for statement in stack.trust("-apply") {
                verdict.see("apply");
                let demands = |key: &str| statement.demands("StringEquals", &format!("{GITHUB}:{key}"));
                let (workflow, branch) = (demands("job_workflow_ref"), demands("ref"));
                verdict.hold(branch == ["refs/heads/main"], format!("{place}: applies from {branch:?}"));
                let file = format!("/{repository}/.github/workflows/terraform.yml@refs/heads/main");
                let exact = matches!(workflow[..], [one] if one.ends_with(&file));
                verdict.hold(exact, format!("{place}: applies out of {workflow:?}"));
                let subject = demands("sub");
                let gate = format!(":environment:{}", stack.environment);
                let one = matches!(subject[..], [one] if one.ends_with(&gate));
                verdict.hold(one && demands("aud").len() == 1, format!("{place}: applies for {subject:?}"));
            }
            for statement in stack.trust("-plan") {
                verdict.see("plan");
                let subjects = statement.demands("StringEquals", &format!("{GITHUB}:sub"));
                let ends: BTreeSet<&str> =
                    subjects.iter().map(|it| it.splitn(3, ':').nth(2).unwrap()).collect();
                let right = ends == BTreeSet::from(["pull_request", "ref:refs/heads/main"]);
                verdict.hold(right, format!("{place}: plans for {ends:?}"));
            }
        }
    }
}

#[test]
fn t51_what_the_pipeline_makes_has_a_ceiling() {
    prove(
        "T51",
        &["apply role", "role"],
        check,
        &[
            ("bootstrap/stack.yaml", "Condition: StringEquals: iam:PermissionsBoundary: …", ""),
            ("bootstrap/stack.yaml", "Action: iam:DeleteRolePermissionsBoundary", "Action: iam:DeleteRole"),
            (
                "bootstrap/stack.yaml",
                "- arn:aws:iam::111122223333:role/faceit-production-cluster",
                "- arn:aws:iam::111122223333:role/*",
            ),
            ("bootstrap/stack.yaml", "iam:PassedToService: ec2.amazonaws.com", "iam:PassedToService: \"*\""),
            ("platform/iam.tf", "permissions_boundary = local.boundary", ""),
            (
                "platform/providers.tf",
                "boundary = \"…\"",
                "boundary = \"arn:aws:iam::aws:policy/AdministratorAccess\"",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for stack in Stack::all(platform) {
            let place = &stack.document.path;
            let statements = stack.grants("-apply");
            verdict.hold(!statements.is_empty(), format!("{place}: the apply role may nothing"));
            for statement in statements.iter().filter(|it| it.allows()) {
                verdict.see("apply role");
                for action in [
                    "iam:CreateRole",
                    "iam:PutRolePolicy",
                    "iam:AttachRolePolicy",
                    "iam:PutRolePermissionsBoundary",
                    "iam:CreateUser",
                    "iam:PutUserPolicy",
                    "iam:AttachUserPolicy",
                ] {
                    let under = statement.demands("StringEquals", "iam:PermissionsBoundary").len() == 1;
                    verdict.hold(
                        !statement.may(action) || under,
                        format!("{place}: {} allows `{action}` without a ceiling", statement.place),
                    );
                }
                if statement.may("iam:PassRole") {
                    let named = statement.resources().iter().all(|it| !it.contains('*'));
                    verdict.hold(named, format!("{place}: {} passes any role", statement.place));
                    let services = statement.demands("StringEquals", "iam:PassedToService");
                    verdict.hold(
                        !services.contains(&"*"),
                        format!("{place}: {} passes to anyone", statement.place),
                    );
                }
            }
            let denied = statements.iter().any(|it| {
                it.body["Effect"] == "Deny" && it.actions().contains(&"iam:DeleteRolePermissionsBoundary")
            });
            verdict.hold(denied, format!("{place}: the pipeline may lift the ceiling"));
        }
        for (root, role) in roles(platform) {
            verdict.see("role");
            let ceiling = role.body["permissions_boundary"].as_str().unwrap_or_default();
            let own = ceiling.starts_with("arn:aws:iam::")
                && ceiling.contains(":policy/")
                && !ceiling.contains("::aws:");
            verdict.hold(own, format!("{}: `{}` has the ceiling `{ceiling}`", root.path, role.address()));
        }
    }
}

#[test]
fn t53_somebody_may_enter_the_cluster() {
    let minimal = crate::blueprints().remove("minimal.toml").unwrap();
    let source = Source { path: "minimal.toml".to_owned(), text: minimal };
    let mut report = Report::default();
    draw(&source, &mut report).unwrap();
    let said = report.render(&source);
    assert!(said.contains("warning[cluster/administrators]"), "an empty list goes unsaid:\n{said}");
    prove(
        "T53",
        &["cluster"],
        check,
        &[
            ("platform/providers.tf", "role/${local.name}-apply", "role/nobody"),
            ("platform/cluster.tf", "\"arn:aws:iam::111122223333:role/platform-team\",", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for cluster in root.resources("aws_eks_cluster") {
                verdict.see("cluster");
                let entries = || {
                    root.resources("aws_eks_access_entry").filter_map(|it| it.body["principal_arn"].as_str())
                };
                let own = format!(":role/{}-apply", cluster.body["name"].as_str().unwrap());
                let asked = platform.setting(&root.environment, &["cluster", "administrators"]);
                let asked =
                    asked.and_then(|it| it.as_array()).into_iter().flatten().filter_map(|it| it.as_str());
                for end in asked.chain([own.as_str()]) {
                    let enters = entries().any(|it| it.ends_with(end));
                    verdict.hold(enters, format!("{}: `{end}` may not enter", root.path));
                }
            }
        }
    }
}

#[test]
fn an_action_that_shows_secrets_does_not_only_look() {
    for action in [
        "ssm:GetParameters",
        "s3:GetObject",
        "kms:Decrypt",
        "ec2:CreateTags",
        "secretsmanager:GetSecretValue",
    ] {
        assert!(!looks(action), "{action}");
    }
    assert!(looks("ec2:DescribeVpcs") && looks("iam:GetRole"));
}
