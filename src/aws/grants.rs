//! The permissions for a platform's own Terraform: `*.tf` files that users add beside the rendered ones.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    diagnostics::{Finding, Report},
    rights::{self, IamAction, Names, Resource, Rights, Statement, has_name_prefix, patterns_overlap},
    source::Located,
    words::{Name, StackWord, Word},
};

/// A table of the blueprint.
pub type Table = BTreeMap<Located<String>, Spec>;

/// What your own `*.tf` files in `platform/` may do in AWS.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The environments that have it. Default: all.
    environments: Option<Vec<Located<String>>>,
    /// What a plan reads. Anyone who can open a pull request can read it.
    #[schemars(length(max = 20))]
    read: Option<Vec<rights::Spec>>,
    /// What an apply makes, changes and deletes.
    #[schemars(length(max = 20))]
    change: Option<Vec<rights::Spec>>,
    /// What roles of your own files are granted: the permissions boundary lets it through.
    #[serde(rename = "use")]
    #[schemars(length(max = 20))]
    uses: Option<Vec<rights::Spec>>,
}

/// The name of a grant, in one word: a `Sid` allows only letters and digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct GrantName(String);

impl Word for GrantName {
    const CODE: &'static str = "aws/grant-name";
    const WHAT: &'static str = "a name for a grant";
    const RULE: &'static str = "up to 20 lower-case letters and digits, first a letter, such as `orders`";

    fn read(word: &str) -> Option<Self> {
        (Name::read(word).is_some() && !word.contains('-')).then(|| Self(word.to_owned()))
    }
}

/// Services that manage permissions: with one of their actions the pipeline could extend its own permissions.
const PERMISSION_SERVICES: [&str; 4] = ["account", "iam", "organizations", "sts"];

/// The list that contains a permission.
#[derive(Clone, Copy, PartialEq)]
enum List {
    Read,
    Change,
    Use,
}

/// The permissions of all grants of an environment.
pub fn resolve(table: Option<&Table>, names: &Names, report: &mut Report) -> Rights {
    let mut rights = Rights::default();
    for (name, spec) in table.into_iter().flatten() {
        let sid = report.try_read(name).map(|GrantName(name)| name).unwrap_or_default();
        let here = names.environment.to_string();
        let has = spec.environments.as_ref().is_none_or(|all| all.iter().any(|it| it.as_str() == here));
        let lists = [(List::Read, &spec.read), (List::Change, &spec.change), (List::Use, &spec.uses)];
        for (list, asked) in lists {
            for (number, asked) in asked.iter().flatten().enumerate() {
                let statement = statement(&list.sid(&sid, number), asked, list, names, report);
                let Some(statement) = statement.filter(|_| has) else { continue };
                match list {
                    List::Read => rights.read.push(statement),
                    List::Change => rights.change.push(statement),
                    List::Use => rights.uses.push(statement),
                }
            }
        }
    }
    rights
}

/// Reports environments in grants that do not exist.
pub fn check(table: Option<&Table>, known: &[String], report: &mut Report) {
    let named = table.into_iter().flatten().flat_map(|(_, spec)| spec.environments.iter().flatten());
    for name in named.filter(|it| !known.contains(it)) {
        report.add(
            Finding::new(
                "aws/grant-environment",
                format!("there is no environment `{}`", name.escape_debug()),
            )
            .at(name.span(), format!("known: `{}`", known.join("`, `")))
            .help("name one of them, or leave `environments` out: then all have it"),
        );
    }
}

fn statement(
    sid: &str,
    asked: &rights::Spec,
    list: List,
    names: &Names,
    report: &mut Report,
) -> Option<Statement> {
    let words = asked.actions.iter().flatten();
    let actions: Vec<(&Located<String>, IamAction)> =
        words.filter_map(|at| Some((at, report.try_read::<IamAction>(at)?))).collect();
    for (at, action) in &actions {
        refuse_action(at, action, list, report);
    }
    let listing = !actions.is_empty()
        && actions.iter().all(|(_, it)| {
            ["Describe", "List"].iter().any(|verb| it.verb.starts_with(verb))
                && !["kms", "s3"].contains(&it.service.as_str())
        });
    let mut resources = Vec::new();
    for at in asked.resources.iter().flatten() {
        if at.as_str() == "*" && list == List::Read && listing {
            resources.push(rights::any());
            continue;
        }
        let Some(Resource(arn)) = report.try_read(at) else { continue };
        if !has_name_prefix(at) {
            report.add(
                Finding::new("aws/grant", format!("`{}` cannot be granted", at.as_str()))
                    .at(at.span(), "`*` needs the start of a name before it")
                    .help("write the ARNs of what your own files make"),
            );
            continue;
        }
        if let Some(made) = stack_resource(at, names) {
            report.add(
                Finding::new("aws/grant", format!("`{}` reaches {made}", at.as_str()))
                    .at(at.span(), "the bootstrap stack made it, and only that changes it")
                    .help("name what is yours, without a `*` that also means this"),
            );
        }
        resources.push(StackWord::Word(arn));
    }
    let words: Vec<StackWord> = actions.iter().map(|(_, it)| it.word()).collect();
    (!words.is_empty() && !resources.is_empty()).then(|| {
        Statement::allow(sid, &[]).to(words).on(resources).why("From `[aws.grants]` of the blueprint.")
    })
}

fn refuse_action(at: &Located<String>, action: &IamAction, list: List, report: &mut Report) {
    if PERMISSION_SERVICES.contains(&action.service.as_str()) {
        report.add(
            Finding::new("aws/grant", format!("`{}` cannot be granted", at.as_str()))
                .at(at.span(), "with it the pipeline could widen its own rights")
                .help(format!(
                    "leave it out: no action of `{}` is granted",
                    PERMISSION_SERVICES.join("`, `")
                )),
        );
    } else if !action.is_narrow() {
        report.add(
            Finding::new("aws/grant", format!("`{}` cannot be granted", at.as_str()))
                .at(at.span(), "`*` needs at least three letters before it")
                .help("write one action, such as `sqs:CreateQueue`, or several, such as `sqs:Get*`"),
        );
    } else if list == List::Read && !action.only_reads() {
        report.add(
            Finding::new("aws/grant", format!("`{}` does not only read", at.as_str()))
                .at(at.span(), "anyone who can open a pull request could do it")
                .help("move it to `change`; `read` takes actions that begin with `Describe`, `Get`, `List` or `BatchGet`"),
        );
    }
}

/// The resource of the bootstrap stack that a pattern may match. Its roles, policies and OIDC provider are not checked, because
/// all actions of IAM are refused. AWS chooses the id of the key, so a pattern of keys must be a complete ARN.
fn stack_resource(pattern: &str, names: &Names) -> Option<&'static str> {
    let bucket = format!("arn:aws:s3:::{}", names.state_bucket);
    let stack = format!(
        "arn:aws:cloudformation:{}:{}:stack/{}-bootstrap/*",
        names.region,
        names.account,
        names.prefix()
    );
    let alias = format!("arn:aws:kms:{}:{}:alias/{}-tfstate", names.region, names.account, names.prefix());
    if patterns_overlap(pattern, &bucket) || patterns_overlap(pattern, &format!("{bucket}/*")) {
        Some("the bucket of the states")
    } else if patterns_overlap(pattern, &alias)
        || pattern.starts_with("arn:aws:kms:") && pattern.contains('*')
    {
        Some("the key of the states")
    } else if patterns_overlap(pattern, &stack) {
        Some("the bootstrap stack")
    } else if ["iam", "sts", "organizations", "account"]
        .iter()
        .any(|it| pattern.starts_with(&format!("arn:aws:{it}:")))
    {
        Some("what decides who may do what")
    } else {
        None
    }
}

impl List {
    /// The `Sid` of the statement: `OrdersReads`, `OrdersReads2`.
    fn sid(self, name: &str, number: usize) -> String {
        let (first, rest) = name.split_at(name.len().min(1));
        let verb = match self {
            Self::Read => "Reads",
            Self::Change => "Changes",
            Self::Use => "Uses",
        };
        let number = if number == 0 { String::new() } else { (number + 1).to_string() };
        format!("{}{rest}{verb}{number}", first.to_ascii_uppercase())
    }
}
