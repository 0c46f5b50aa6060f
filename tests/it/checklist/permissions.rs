// The permissions of the pipeline are exactly those that it needs: each call in `tests/calls.toml` is allowed for its role, and
// each permission is needed for a call. It does not prove that Terraform makes no other calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde_json::Value;

use super::{
    PLATFORMS, Platform, Verdict,
    iam::{Context, Request, Rule, allows},
    identity::looks,
    policies::{Stack, grants},
    prove,
    terraform::{Item, Root, words},
};

/// The table of calls.
static CALLS: LazyLock<toml::Table> = LazyLock::new(|| include_str!("../../calls.toml").parse().unwrap());

/// The calls for resources that we do not render.
static OTHERS: LazyLock<toml::Table> =
    LazyLock::new(|| include_str!("../../calls-of-others.toml").parse().unwrap());

/// Rows of resources by the word of their block: `resource`, `data`, `ephemeral`.
fn row(word: &str, kind: &str) -> Option<&'static toml::Value> {
    let of = |table: &'static toml::Table| table.get(word)?.get(kind);
    of(&CALLS).or_else(|| of(&OTHERS))
}

/// Permissions of a pipeline that it does not need, and calls that it may not make.
pub fn wrong_rights(files: crate::Tree) -> Vec<String> {
    let mut verdict = Verdict::default();
    check(&Platform::new(files, toml::Table::new()), &mut verdict);
    verdict.wrong
}

fn lines<'a>(row: &'a toml::Value, key: &str) -> impl Iterator<Item = &'a str> {
    row.get(key).and_then(toml::Value::as_array).into_iter().flatten().map(|it| it.as_str().unwrap())
}

/// A request that a role makes.
struct Call {
    /// The resource that needs it, and the call.
    place: String,
    /// Whether plans make it as well. An apply makes all requests.
    plans: bool,
    requests: Vec<Request>,
}

/// One environment: its stack, its roots, and their names.
struct Pipeline<'a> {
    stack: Stack<'a>,
    platform: &'a Root,
    gitops: &'a Root,
    names: BTreeMap<&'static str, String>,
    /// The default tags of the provider.
    tags: Vec<(String, String)>,
    tunnels: bool,
}

impl<'a> Pipeline<'a> {
    fn all(platform: &'a Platform) -> Vec<Self> {
        Stack::all(platform).map(|stack| Self::new(platform, stack)).collect()
    }

    fn new(files: &'a Platform, stack: Stack<'a>) -> Self {
        let folder = stack.document.path.strip_suffix("bootstrap/stack.yaml").unwrap();
        let root = |name: &str| files.roots().find(|it| it.path == format!("{folder}{name}")).unwrap();
        let (platform, gitops) = (root("platform"), root("gitops"));
        let provider = &platform.words("provider").find(|it| it.labels == ["aws"]).unwrap().body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let tags = &provider["default_tags"][0]["tags"];
        let bucket = stack.resources("AWS::S3::Bucket").next().unwrap().1;
        let (account, region) = (text(&provider["allowed_account_ids"][0]), text(&provider["region"]));
        let mut names = BTreeMap::from([
            ("key_of_state", format!("arn:aws:kms:{region}:{account}:key/state")),
            ("name_of_state", text(&bucket["Properties"]["BucketName"])),
            ("prefix", text(&platform.resources("aws_eks_cluster").next().unwrap().body["name"])),
            ("account", account),
            ("region", region),
        ]);
        if let Some(certificate) = platform.resources("aws_acm_certificate").next() {
            names.insert("zone", text(&certificate.body["domain_name"]));
        }
        let workflow = folder.split_once("environments/").unwrap().0;
        let workflow = format!("{workflow}.github/workflows/terraform-{}.yml", stack.environment);
        Self {
            tags: tags.as_object().unwrap().iter().map(|(key, it)| (key.clone(), text(it))).collect(),
            tunnels: files.files[&workflow].contains("tunnel: true"),
            stack,
            platform,
            gitops,
            names,
        }
    }

    /// The policies of a role, and the denials in the policy of the state bucket.
    fn rules(&self, end: &str) -> Vec<Rule> {
        let refused = self.stack.resources("AWS::S3::BucketPolicy");
        let refused = refused.flat_map(|(name, it)| {
            super::policies::Statement::all(name, &it["Properties"]["PolicyDocument"])
        });
        let all = self.stack.grants(end).into_iter().chain(refused);
        all.map(|it| Rule::read(it.body, |word| self.of_stack(word))).collect()
    }

    /// A value of the stack, with the names of CloudFormation's resources inserted.
    fn of_stack(&self, word: &str) -> String {
        let bucket = format!("arn:aws:s3:::{}", self.names["name_of_state"]);
        let word = word.replace("${StateBucket.Arn}", &bucket);
        word.replace("${StateKey.Arn}", &self.names["key_of_state"])
    }

    fn role(&self, end: &str) -> String {
        format!("arn:aws:iam::{}:role/{}{end}", self.names["account"], self.names["prefix"])
    }

    /// The policy of each key, by the key's ARN. Each also delegates to the policies of the account.
    fn keys(&self, end: &str) -> BTreeMap<String, Vec<Rule>> {
        let role = self.role(end);
        let mut keys = BTreeMap::new();
        for key in self.platform.resources("aws_kms_key") {
            let arn = self.arn(self.platform, key);
            let all = super::policies::Statement::all("", &key.body["policy"]);
            let ours =
                all.into_iter().filter(|it| words(&it.body["Principal"]["AWS"]).contains(&role.as_str()));
            let read = |word: &str| if word == "*" { arn.clone() } else { word.to_owned() };
            keys.insert(arn.clone(), ours.map(|it| Rule::read(it.body, read)).collect());
        }
        keys
    }

    /// The ARN of a resource, by its row.
    fn arn(&self, root: &Root, item: &Item) -> String {
        let row = row("resource", &item.labels[0]);
        let arn =
            row.and_then(|it| it.get("arn")).unwrap_or_else(|| panic!("`{}` has no ARN", item.address()));
        self.fill(root, Some(item), arn.as_str().unwrap())
    }

    /// The value at a path of arguments, which may continue in another resource.
    fn find(&self, root: &Root, item: &Item, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let (mut item, mut value) = (item, &item.body);
        for (place, part) in parts.iter().enumerate() {
            if value.is_string() {
                let named = root.resources_of(value);
                item = named.unwrap_or_else(|| panic!("`{}` names nothing by `{path}`", item.address()));
                if *part == "arn" && place + 1 == parts.len() {
                    return self.arn(root, item);
                }
                value = &item.body;
            }
            value = value.get(0).unwrap_or(value).get(part).unwrap_or_else(|| {
                panic!("`{}` has no `{path}`", item.address());
            });
        }
        match value {
            Value::Array(list) => list.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join("|"),
            Value::String(it) if it.starts_with("${") && it.ends_with(".arn}") => {
                let named = root.resources_of(value);
                self.arn(root, named.unwrap_or_else(|| panic!("`{it}` is nothing")))
            }
            other => other.as_str().unwrap_or_else(|| panic!("`{path}` is {other}")).to_owned(),
        }
    }

    /// A text with its expressions in braces evaluated.
    fn fill(&self, root: &Root, item: Option<&Item>, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            filled += before;
            filled += &match (self.names.get(name), item) {
                (Some(known), _) => known.clone(),
                (None, Some(item)) if name == "label" => item.labels[1].clone(),
                (None, Some(item)) => self.find(root, item, name),
                _ => panic!("`{{{name}}}` means nothing in `{text}`"),
            };
            rest = after;
        }
        filled + rest
    }

    /// The requests of a line. None if its condition is false.
    fn requests(&self, root: &Root, item: Option<&Item>, line: &str) -> Vec<Request> {
        let mut line = line;
        if let Some((condition, rest)) = line.strip_prefix('[').and_then(|it| it.split_once("] ")) {
            let (name, wanted) =
                condition.split_once('=').map_or((condition, None), |(it, to)| (it, Some(to)));
            let value = &item.unwrap().body[name];
            let said = match value {
                Value::Null | Value::Bool(false) => false,
                Value::Array(list) => !list.is_empty(),
                _ => wanted.is_none_or(|it| value == it),
            };
            if !said {
                return Vec::new();
            }
            line = rest;
        }
        let mut parts = line.split(' ');
        let action = parts.next().unwrap().to_owned();
        let parts: Vec<&str> = parts.collect();
        let is_target = |it: &&&str| ["new:", "own:", "bare:"].iter().any(|state| it.starts_with(state));
        let mut said = self.said(&action);
        for part in parts.iter().filter(|it| !is_target(it)) {
            let (key, value) = part.split_once('=').unwrap_or_else(|| panic!("`{part}` in `{line}`"));
            let value = if value == "self" { "{self}" } else { value };
            let value = match item.filter(|_| value == "{self}") {
                Some(item) => self.arn(root, item),
                None => self.fill(root, item, value),
            };
            said.insert(key.to_lowercase(), value.split('|').map(str::to_owned).collect());
        }
        let targets = parts.iter().filter(is_target).map(|part| {
            let (state, name) = part.split_once(':').unwrap();
            let resource = match name {
                "self" => self.arn(root, item.unwrap()),
                "*" => name.to_owned(),
                it if it.starts_with("arn:") || it.starts_with('{') => self.fill(root, item, name),
                _ => self.fill(root, item, &format!("arn:aws:ec2:{{region}}:{{account}}:{name}/0")),
            };
            let mut context = said.clone();
            let bears = match state {
                "new" => "aws:requesttag",
                "own" => "aws:resourcetag",
                _ => "",
            };
            for (key, value) in self.tags.iter().filter(|_| !bears.is_empty()) {
                context.insert(format!("{bears}/{key}").to_lowercase(), vec![value.clone()]);
            }
            Request { action: action.clone(), resource, context }
        });
        let requests: Vec<Request> = targets.collect();
        assert!(!requests.is_empty(), "`{line}` has no target");
        requests
    }

    /// The condition values of each request.
    fn said(&self, action: &str) -> Context {
        let global = ["iam:", "route53:"].iter().any(|it| action.starts_with(it));
        let region = if global { "us-east-1" } else { &self.names["region"] };
        let all = [
            ("aws:requestedregion", region),
            ("aws:securetransport", "true"),
            ("kms:calleraccount", &self.names["account"]),
            ("s3:tlsversion", "1.3"),
        ];
        all.map(|(key, it)| (key.to_owned(), vec![it.to_owned()])).into()
    }

    /// Requests that would extend the pipeline's own permissions.
    fn escalations(&self) -> Vec<Request> {
        let (account, prefix) = (&self.names["account"], &self.names["prefix"]);
        let boundary = self.platform.resources("aws_iam_role").next().unwrap();
        let boundary = self.find(self.platform, boundary, "permissions_boundary");
        let policies = ["CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy"];
        let roles = [
            "AttachRolePolicy",
            "PutRolePolicy",
            "UpdateAssumeRolePolicy",
            "PassRole",
            "DeleteRole",
            "TagRole",
        ];
        let of = |names: &[&str], resource: String| {
            let request = |name: &&str| Request {
                action: format!("iam:{name}"),
                resource: resource.clone(),
                context: self
                    .said("iam:")
                    .into_iter()
                    .chain([("iam:permissionsboundary".to_owned(), vec![boundary.clone()])])
                    .collect(),
            };
            names.iter().map(request).collect::<Vec<_>>()
        };
        let lifted = format!("arn:aws:iam::{account}:role{}{prefix}-node", self.path());
        [
            of(&policies, format!("arn:aws:iam::{account}:policy/{prefix}-boundary")),
            of(&policies, format!("arn:aws:iam::{account}:policy/{prefix}-apply-identity")),
            of(&roles, self.role("-apply")),
            of(&roles, self.role("-plan")),
            of(&["DeleteRolePermissionsBoundary"], lifted),
        ]
        .concat()
    }

    /// The path of the platform's roles.
    fn path(&self) -> String {
        let role = self.platform.resources("aws_iam_role").next().unwrap();
        self.find(self.platform, role, "path")
    }

    /// All requests of the pipeline's roles.
    fn calls(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        for root in [self.platform, self.gitops] {
            let items =
                root.items.iter().filter(|it| it.labels.first().is_some_and(|it| it.starts_with("aws_")));
            for item in items {
                let Some(row) = row(&item.word, &item.labels[0]) else { continue };
                for verb in ["create", "read", "update", "delete"] {
                    for line in lines(row, verb) {
                        let place = format!("{}: to {verb} `{}`", root.path, item.address());
                        let plans = verb == "read" && root.name == "platform";
                        calls.push(Call { place, plans, requests: self.requests(root, Some(item), line) });
                    }
                }
            }
        }
        for (name, row) in CALLS["calls"].as_table().unwrap() {
            let kinds: Vec<&str> = lines(row, "kind").collect();
            if kinds.contains(&"tunnel") && !self.tunnels {
                continue;
            }
            for line in lines(row, "calls") {
                let place = format!("{}: `{name}`", self.gitops.path);
                let plans = kinds.contains(&"plan");
                calls.push(Call { place, plans, requests: self.requests(self.gitops, None, line) });
            }
        }
        calls.retain(|it| !it.requests.is_empty());
        calls
    }
}

impl Root {
    /// The resource of an expression.
    fn resources_of(&self, text: &Value) -> Option<&Item> {
        self.words("resource").find(|it| it.is_meant_by(text))
    }
}

/// The permissions of one role.
struct Rights {
    rules: Vec<Rule>,
    keys: BTreeMap<String, Vec<Rule>>,
}

impl Rights {
    /// A key allows a request if its own policy names the role, or if the account's policies allow it.
    fn allow(&self, request: &Request) -> bool {
        allows(&self.rules, request) || self.lends(request)
    }

    /// Whether the policy of the key in a request names the role.
    fn lends(&self, request: &Request) -> bool {
        self.keys.get(&request.resource).is_some_and(|rules| allows(rules, request))
    }
}

/// Each value of a rule, with a copy of the rule without that value. If a list has only one value, the copy has no rule.
fn without(rule: &Rule) -> Vec<(String, Option<Rule>)> {
    let mut altered = Vec::new();
    let mut each = |what: &str, list: &[String], set: &dyn Fn(&mut Rule, Vec<String>)| {
        for word in list.iter().filter(|it| !what.is_empty() || !looks(it)) {
            let rest: Vec<String> = list.iter().filter(|it| *it != word).cloned().collect();
            let copy = (!rest.is_empty()).then(|| {
                let mut copy = rule.clone();
                set(&mut copy, rest);
                copy
            });
            altered.push((format!("{what}`{word}`"), copy));
        }
    };
    each("", &rule.actions, &|copy, rest| copy.actions = rest);
    if rule.actions.iter().any(|it| !looks(it)) {
        each("resource ", &rule.resources, &|copy, rest| copy.resources = rest);
        for (place, condition) in rule.conditions.iter().enumerate().filter(|(_, it)| it.values.len() > 1) {
            let what = format!("{} ", condition.key);
            each(&what, &condition.values, &|copy, rest| copy.conditions[place].values = rest);
        }
    }
    altered
}

/// Trap 83.
#[test]
fn the_pipeline_may_do_what_it_does_and_nothing_else() {
    prove(
        "the pipeline's rights",
        &["apply", "plan", "key", "tunnel", "second root"],
        check,
        &[
            // Missing permissions.
            ("bootstrap/stack.yaml", "- ec2:CreateVpc ", "- ec2:DescribeVpcs\n              "),
            ("bootstrap/stack.yaml", "- ec2:DescribeAddressesAttribute", ""),
            ("bootstrap/stack.yaml", "aws:ResourceTag/project: faceit", "aws:ResourceTag/project: other"),
            ("bootstrap/stack.yaml", "ec2:CreateAction: - AllocateAddress", "ec2:CreateAction:"),
            ("bootstrap/stack.yaml", "iam:PassedToService: vpc-flow-logs", "iam:PassedToService: flow-logs"),
            ("bootstrap/stack.yaml", "- ssmmessages:OpenDataChannel", ""),
            ("bootstrap/stack.yaml", "gitops/terraform.tfstate.tflock", "gitops/terraform.tflock"),
            ("platform/keys.tf", "\"kms:ScheduleKeyDeletion\",", ""),
            ("platform/keys.tf", "\"kms:CreateAlias\",", ""),
            (
                "platform/database.tf",
                "\"kms:ViaService\" = \"rds.${local.region}.amazonaws.com\" } } }, { Sid",
                "\"kms:ViaService\" = \"s3.${local.region}.amazonaws.com\" }\n}\n},\n{\nSid",
            ),
            ("platform/providers.tf", "project = local.project", "project = \"other\""),
            (
                "platform/keys.tf",
                "Action = \"kms:CreateGrant\" Resource = \"*\" },",
                "Action = \"kms:CreateGrant\"\nResource = \"*\"\nCondition = { Bool = { \"kms:GrantIsForAWSResource\" = \"true\" } }\n},",
            ),
            // Permissions that are not needed.
            ("bootstrap/stack.yaml", "NotAction: - iam:Get*", "Action:\n              - iam:Get*"),
            (
                "bootstrap/stack.yaml",
                "- ec2:CreateVpc ",
                "- ec2:CreateVpc\n              - ec2:CreateVolume\n              ",
            ),
            (
                "bootstrap/stack.yaml",
                "- eks:CreateCluster",
                "- eks:CreateCluster\n              - eks:CreateFargateProfile",
            ),
            (
                "bootstrap/stack.yaml",
                "iam:AWSServiceName: - autoscaling.amazonaws.com",
                "iam:AWSServiceName:\n                  - autoscaling.amazonaws.com\n                  - spot.amazonaws.com",
            ),
            (
                "bootstrap/stack.yaml",
                "- arn:aws:rds:eu-west-1:111122223333:subgrp:faceit-production",
                "- arn:aws:rds:eu-west-1:111122223333:subgrp:faceit-production\n              - arn:aws:rds:eu-west-1:111122223333:cluster:*",
            ),
            ("platform/keys.tf", "\"kms:CreateAlias\",", "\"kms:CreateAlias\",\n\"kms:DisableKey\","),
            (
                "bootstrap/stack.yaml",
                "Action: s3:ListBucket",
                "Action:\n              - s3:ListBucket\n              - s3:DeleteObject",
            ),
        ],
    );
}

fn check(platform: &Platform, verdict: &mut Verdict) {
    for pipeline in Pipeline::all(platform) {
        let rights = |end| Rights { rules: pipeline.rules(end), keys: pipeline.keys(end) };
        let (plan, apply) = (rights("-plan"), rights("-apply"));
        let calls = pipeline.calls();
        for call in &calls {
            for request in &call.requests {
                let Request { action, resource, .. } = request;
                let words = || format!("{}: `{action}` on `{resource}`", call.place);
                let denied = !apply.allow(request);
                verdict.hold(!denied, format!("{} is denied to the apply role", words()));
                let denied = call.plans && !plan.allow(request);
                verdict.hold(!denied, format!("{} is denied to the plan role", words()));
                verdict.see(if call.plans { "plan" } else { "apply" });
                if action.starts_with("ssmmessages:") {
                    verdict.see("tunnel");
                }
                if resource.ends_with("/gitops/terraform.tfstate") {
                    verdict.see("second root");
                }
            }
        }
        for request in pipeline.escalations() {
            let Request { action, resource, .. } = &request;
            let place = &pipeline.stack.document.path;
            let words = format!("{place}: the pipeline may `{action}` on `{resource}`");
            verdict.hold(!apply.allow(&request), words);
        }
        let place = &pipeline.stack.document.path;
        let mut judged = BTreeSet::new();
        for rule in plan.rules.iter().chain(&apply.rules).filter(|it| it.allows) {
            if !judged.insert(&rule.text) {
                continue;
            }
            let touched = touched(&calls, rule);
            let near = |rights: &'_ Rights| -> Vec<Rule> {
                let near = |it: &&Rule| touched.iter().any(|(_, asked)| it.is_about(&asked.action));
                rights.rules.iter().filter(near).cloned().collect()
            };
            let (near_plan, near_apply) = (near(&plan), near(&apply));
            for (word, copy) in without(rule) {
                let refuses = |rights: &Rights, near: &[Rule], request: &Request| {
                    let own = |it: &Rule| it.text == rule.text;
                    let rest = near.iter().filter(|it| !own(it));
                    let rest = rest.chain(copy.as_ref().filter(|_| near.iter().any(own)));
                    !allows(rest, request) && !rights.lends(request)
                };
                let needs = |(plans, request): &(bool, &Request)| {
                    refuses(&apply, &near_apply, request) || *plans && refuses(&plan, &near_plan, request)
                };
                let needed = touched.iter().any(needs);
                verdict.hold(needed, format!("{place}: nothing needs {word} of `{}`", rule.sid));
            }
        }
        for (key, rules) in &apply.keys {
            for rule in rules {
                verdict.see("key");
                let touched: Vec<_> = touched(&calls, rule);
                for (word, copy) in without(rule) {
                    let refuses = |rights: &Rights, request: &Request| {
                        let own = |it: &Rule| it.text == rule.text;
                        let rest = rights.keys[key].iter().filter(|it| !own(it));
                        let rest = rest.chain(copy.as_ref().filter(|_| rights.keys[key].iter().any(own)));
                        !allows(&rights.rules, request) && !allows(rest, request)
                    };
                    let needs = |(plans, request): &(bool, &Request)| {
                        request.resource == *key
                            && (refuses(&apply, request) || *plans && refuses(&plan, request))
                    };
                    let needed = touched.iter().any(needs);
                    verdict.hold(needed, format!("{key}: nothing needs {word} of `{}`", rule.sid));
                }
            }
        }
    }
}

/// The requests that a rule allows, without duplicates, and whether plans make them as well.
fn touched<'a>(calls: &'a [Call], rule: &Rule) -> Vec<(bool, &'a Request)> {
    let all = calls.iter().flat_map(|call| call.requests.iter().map(|it| (call.plans, it)));
    let own: BTreeSet<_> = all.filter(|(_, it)| rule.is_about(&it.action)).collect();
    own.into_iter().collect()
}

/// Each key of the blueprint adds the permissions that it needs, and no others.
#[test]
fn rights_come_and_go_with_what_needs_them() {
    let minimal = crate::blueprints().remove("minimal.toml").unwrap();
    let dns = "[dns]\nzone = \"shop.example.com\"\n";
    let variants = [
        "cluster.access = \"runner\"\ncluster.runner-label = \"inside\"\n".to_owned(),
        "cluster.access = \"public\"\ncluster.public-ranges = [\"198.51.100.0/24\"]\n".to_owned(),
        "network.endpoints = [\"ecr-api\"]\n".to_owned(),
        dns.to_owned(),
        format!("{dns}hosted-zone = \"existing\"\n"),
        format!("{dns}parent-zone = \"example.com\"\n"),
        format!("{dns}[components.load-balancer-controller]\naccess-logs = true\n"),
        "[applications.shop.database]\n[database]\n".to_owned(),
    ];
    for variant in variants {
        let (keys, tables): (Vec<&str>, Vec<&str>) =
            if variant.starts_with('[') { (vec![], vec![&variant]) } else { (vec![&variant], vec![]) };
        let text = minimal.replace("\n\n[github]", &format!("\n{}\n[github]", keys.concat()));
        let text = format!("{text}\n{}", tables.concat());
        let platform = Platform::new(crate::tree(crate::plan(&text)), toml::Table::new());
        let mut verdict = Verdict::default();
        check(&platform, &mut verdict);
        assert!(verdict.seen.contains("apply"), "{variant}: no call was found");
        assert!(verdict.wrong.is_empty(), "{variant}:\n{}", verdict.wrong.join("\n"));
    }
}

/// A plan makes the calls that the table marks for plans.
#[test]
fn a_plan_may_nothing_that_only_an_apply_does() {
    let mut refused = 0;
    for (name, platform) in PLATFORMS.iter() {
        for pipeline in Pipeline::all(platform) {
            let plan = Rights { rules: pipeline.rules("-plan"), keys: pipeline.keys("-plan") };
            let calls = pipeline.calls();
            let own: BTreeSet<(&str, &str)> = calls
                .iter()
                .filter(|it| it.plans)
                .flat_map(|it| &it.requests)
                .map(|it| (it.action.as_str(), it.resource.as_str()))
                .collect();
            for call in calls.iter().filter(|it| !it.plans) {
                for request in call.requests.iter().filter(|it| !looks(&it.action)) {
                    if !own.contains(&(&request.action, &request.resource)) {
                        assert!(
                            !plan.allow(request),
                            "{name}: a plan may do what is done {}: {request:?}",
                            call.place
                        );
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 500, "the calls were not found");
}

/// A permission that the boundary does not allow has no effect.
#[test]
fn the_boundary_takes_nothing_away_that_a_role_is_granted() {
    prove(
        "the boundary",
        &["role"],
        check,
        &[
            ("bootstrap/stack.yaml", "- autoscaling:*", "- autoscaling:Describe*"),
            ("bootstrap/stack.yaml", "- elasticloadbalancing:*", ""),
            ("bootstrap/stack.yaml", "- tag:GetResources", ""),
            ("bootstrap/stack.yaml", "- route53:ChangeResourceRecordSets", ""),
            ("bootstrap/stack.yaml", "- ec2:RequestSpotFleet", "- ec2:AttachVolume"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for pipeline in Pipeline::all(platform) {
            let mut policies = pipeline.stack.resources("AWS::IAM::ManagedPolicy");
            let Some((_, boundary)) = policies.find(|(name, _)| *name == "Boundary") else { continue };
            let statements = super::policies::Statement::all("", &boundary["Properties"]["PolicyDocument"]);
            let ceiling: Vec<Rule> =
                statements.iter().map(|it| Rule::read(it.body, |word| pipeline.of_stack(word))).collect();
            let root = pipeline.platform;
            for role in root.resources("aws_iam_role") {
                for statement in grants(root, role).iter().filter(|it| it.allows()) {
                    verdict.see("role");
                    let named = |word: &str| {
                        let value = Value::from(word);
                        let meant = root.resources_of(&value).filter(|_| word.starts_with("${"));
                        let known = meant.filter(|it| {
                            row("resource", &it.labels[0]).is_some_and(|it| it.get("arn").is_some())
                        });
                        known.map_or_else(|| word.to_owned(), |it| pipeline.arn(root, it))
                    };
                    let rule = Rule::read(statement.body, named);
                    for action in &rule.actions {
                        for resource in &rule.resources {
                            let mut context = pipeline.said(action);
                            for condition in rule.conditions.iter().filter(|it| it.test != "Null") {
                                context.insert(condition.key.to_lowercase(), condition.values.clone());
                            }
                            let request =
                                Request { action: action.clone(), resource: resource.clone(), context };
                            verdict.hold(
                                allows(&ceiling, &request),
                                format!("{}: `{action}` on `{resource}` of {}", root.path, statement.place),
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_type_of_resource_has_its_calls() {
    let mut seen = 0;
    let mut rendered = BTreeSet::new();
    for (name, files) in crate::DRAWN.iter() {
        for root in Root::all(files) {
            for item in
                root.items.iter().filter(|it| ["resource", "data", "ephemeral"].contains(&it.word.as_str()))
            {
                let kind = &item.labels[0];
                rendered.insert((item.word.clone(), kind.clone()));
                if !kind.starts_with("aws_") {
                    continue;
                }
                let row = row(&item.word, kind);
                let row = row.unwrap_or_else(|| panic!("{name}: `{kind}` has no row in `tests/calls.toml`"));
                let verbs: &[&str] =
                    if item.word == "resource" { &["create", "read", "update", "delete"] } else { &["read"] };
                for verb in verbs {
                    assert!(row.get(*verb).is_some(), "`{kind}` does not say what it takes to {verb} it");
                }
                assert!(row.get("source").is_some_and(|it| it.as_str().is_some()), "`{kind}` has no source");
                seen += 1;
            }
        }
    }
    assert!(seen > 200, "the resources were not found");
    for word in ["resource", "data", "ephemeral"] {
        for kind in CALLS[word].as_table().unwrap().keys() {
            let rendered = rendered.contains(&(word.to_owned(), kind.clone()));
            assert!(rendered, "nothing renders `{word} {kind}`: its row goes");
        }
    }
}
