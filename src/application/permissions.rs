//! What an application may do in AWS, with a role of its own. How its pods get the role is not decided here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Workload;
use crate::{
    diagnostics::{Finding, Report},
    rights::{INLINE, Rights, Statement, length},
    source::Located,
    words::{Account, Name, StackWord, Text, Word},
};

/// A table of the blueprint.
pub type Table = BTreeMap<Located<String>, Spec>;

/// What an application may do in AWS.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The IAM actions, such as `s3:GetObject`, or `s3:Get*` for all actions that begin with it.
    #[schemars(required, length(min = 1, max = 40), extend("examples" = [["s3:GetObject"]]))]
    actions: Option<Vec<Located<String>>>,
    /// The ARNs of the resources that the actions apply to, such as `arn:aws:s3:::bookshop-images/*`.
    #[schemars(required, length(min = 1, max = 40), extend("examples" = [["arn:aws:s3:::bookshop-images/*"]]))]
    resources: Option<Vec<Located<String>>>,
}

/// One statement of its role's policy.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The key of its table in `permissions`.
    pub name: PermissionName,
    /// IAM actions such as `s3:GetObject`, or patterns such as `s3:Get*`.
    pub actions: Vec<Text>,
    /// ARNs, or patterns of ARNs.
    pub resources: Vec<Text>,
}

/// The name of a permission, in one word: a `Sid` allows only letters and digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PermissionName(String);

impl Word for PermissionName {
    const CODE: &'static str = "application/permission-name";
    const WHAT: &'static str = "a valid permission name";
    const RULE: &'static str =
        "up to 20 lower-case letters and digits, starting with a letter, such as `images`";

    fn read(word: &str) -> Option<Self> {
        (Name::read(word).is_some() && !word.contains('-')).then(|| Self(word.to_owned()))
    }
}

impl PermissionName {
    /// The `Sid` of the statement: the name with its first letter in upper case.
    pub fn sid(&self) -> String {
        let (first, rest) = self.0.split_at(self.0.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    }
}

/// An action of IAM, or a pattern of actions. Which of them an application may have is decided by [`refusal`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct IamAction {
    text: Text,
    service: String,
    verb: String,
}

impl Word for IamAction {
    const CODE: &'static str = "application/action";
    const WHAT: &'static str = "a valid IAM action";
    const RULE: &'static str = "a service and an action, such as `s3:GetObject`";

    fn read(word: &str) -> Option<Self> {
        // All actions of all services.
        let (service, verb) = if word == "*" { ("any", "*") } else { word.split_once(':')? };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let named = service.starts_with(|c: char| c.is_ascii_lowercase()) && service.bytes().all(plain);
        let verbal = |b: u8| b.is_ascii_alphanumeric() || b"*?".contains(&b);
        let whole = (1..=80).contains(&verb.len()) && service.len() <= 40;
        (named && whole && verb.bytes().all(verbal)).then(|| Self {
            text: Text::ours(word),
            service: service.to_owned(),
            verb: verb.to_owned(),
        })
    }
}

/// What an action is done with: an ARN, or a pattern of ARNs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resource(Text);

impl Word for Resource {
    const CODE: &'static str = "application/resource";
    const WHAT: &'static str = "a valid resource ARN";
    const RULE: &'static str =
        "such as `arn:aws:s3:::bookshop-images/*` or `arn:aws:sqs:eu-west-1:111122223333:orders`";

    fn read(word: &str) -> Option<Self> {
        // Everything there is.
        if word == "*" {
            return Some(Self(Text::ours(word)));
        }
        let mut parts = word.strip_prefix("arn:aws:")?.splitn(4, ':');
        let (service, region, account, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let plain = |it: &str| it.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let whose = account.is_empty() || account == "aws" || Account::read(account).is_some();
        let known = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:*+=,@".contains(&b));
        let valid = !service.is_empty() && plain(service) && plain(region) && whose && known;
        (valid && !rest.is_empty() && word.len() <= 400).then(|| Self(Text::ours(word)))
    }
}

/// Services that decide what others may do.
const BEYOND: [&str; 3] = ["iam", "organizations", "sts"];

/// The permissions of an application, by name. Invalid names, actions and resources are reported and left out.
pub fn resolve(table: Option<&Table>, report: &mut Report) -> Vec<Permission> {
    let read = |(name, spec): (&Located<String>, &Spec)| {
        let actions = spec.actions.iter().flatten().filter_map(|it| action(it, report)).collect();
        let resources = spec.resources.iter().flatten().filter_map(|it| resource(it, report)).collect();
        Some(Permission { name: report.try_read(name)?, actions, resources })
    };
    table.into_iter().flatten().filter_map(read).collect()
}

fn action(asked: &Located<String>, report: &mut Report) -> Option<Text> {
    let action: IamAction = report.try_read(asked)?;
    let stem = action.verb.strip_suffix('*').unwrap_or(&action.verb);
    let (label, help) = if BEYOND.contains(&action.service.as_str()) {
        (
            "this service decides what others may do",
            format!("remove it: actions of `{}` are not allowed", BEYOND.join("`, `")),
        )
    } else if stem.len() < 3 || stem.contains(['*', '?']) {
        (
            "`*` needs at least three letters before it",
            "write one action, such as `s3:GetObject`, or several, such as `s3:Get*`".to_owned(),
        )
    } else {
        return Some(action.text);
    };
    report.add(
        Finding::new(
            "application/action-refused",
            format!("`{}` is not allowed for an application", asked.as_str()),
        )
        .at(asked.span(), label)
        .help(help),
    );
    None
}

/// A wildcard for all buckets, queues or tables would include everything, so a resource needs the start of a name.
fn resource(asked: &Located<String>, report: &mut Report) -> Option<Text> {
    let Resource(arn) = report.try_read(asked)?;
    let last = asked.splitn(6, ':').nth(5).unwrap_or_default();
    let begins = last.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    if begins && !last.starts_with("/*") && !last.starts_with("//") {
        return Some(arn);
    }
    report.add(
        Finding::new(
            "application/resource-refused",
            format!("`{}` is not allowed for an application", asked.as_str()),
        )
        .at(asked.span(), "`*` needs the start of a name before it")
        .help("write the resources of the actions, such as `arn:aws:s3:::bookshop-images/*`"),
    );
    None
}

/// Whether IAM takes the policy of each role.
pub fn check(workloads: &[Workload], report: &mut Report) {
    for workload in workloads {
        let sids: Vec<String> = workload.permissions.iter().map(|it| it.name.sid()).collect();
        let permissions = workload.permissions.iter().zip(&sids);
        let length = length(
            permissions.map(|(it, sid)| (sid.as_str(), it.actions.as_slice(), it.resources.as_slice())),
        );
        if length > INLINE {
            report.add(
                Finding::new("application/permissions", "the permissions are too long for an IAM role")
                    .at(
                        workload.place.clone(),
                        format!("{length} characters, and at most {INLINE} are allowed"),
                    )
                    .help("combine several actions, such as `s3:Get*`"),
            );
        }
    }
}

/// What the boundary of roles must let through for all applications of an environment.
pub fn rights(workloads: &[Workload]) -> Option<Rights> {
    let each = || workloads.iter().flat_map(|it| &it.permissions);
    let ceiling = each().map(|it| {
        let resources = it.resources.iter().map(|it| (it, it.all_alike()));
        let resources = resources.map(|(it, all)| (StackWord::Word(it.clone()), StackWord::Word(all)));
        Statement::allow("PermissionsOfApplications", &[])
            .to(it.actions.iter().cloned().map(StackWord::Word).collect())
            .on_each(resources.collect())
            .why("What the blueprint permits to applications; what of it each may do, its own role says.")
    });
    (each().next().is_some()).then(|| Rights { uses: ceiling.collect(), ..Rights::default() })
}
