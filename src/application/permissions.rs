//! The permissions of an application in AWS, which has a role of its own. `infrastructure` associates the role with its pods.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Workload;
use crate::{
    diagnostics::{Finding, Report},
    rights::{INLINE, IamAction, Resource, Rights, Statement, has_name_prefix, length},
    source::Located,
    words::{Name, StackWord, Text, Word},
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

/// Services that manage the permissions of others.
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
    let (label, help) = if BEYOND.contains(&action.service.as_str()) {
        (
            "this service decides what others may do",
            format!("remove it: actions of `{}` are not allowed", BEYOND.join("`, `")),
        )
    } else if !action.is_narrow() {
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

fn resource(asked: &Located<String>, report: &mut Report) -> Option<Text> {
    let Resource(arn) = report.try_read(asked)?;
    if has_name_prefix(asked) {
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

/// Reports a role whose policy exceeds IAM's limit.
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

/// What the permissions boundary must allow for all applications of an environment.
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
