//! Settings of the AWS account for everything that is created in it: region, paths and boundary of roles,
//! tags, how pods authenticate. What is created is decided elsewhere.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::Region,
    diagnostics::{Finding, Report},
    source::{Decided, Located, value_or},
    words::{Account, RolePath, Text, Word, patterns::Spelled},
};

pub mod grants;
mod rights;

pub use rights::rights;

/// The AWS account and region, and settings for IAM roles and tags.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The account id, 12 digits.
    #[schemars(required, with = "Option<Spelled<Account>>")]
    pub account: Option<Located<String>>,
    /// The region, such as `eu-west-1`.
    #[schemars(required)]
    #[schemars(extend("enum" = Region::all()))]
    pub region: Option<Located<String>>,
    /// How pods authenticate to AWS.
    #[schemars(extend("default" = WorkloadIdentity::default()))]
    #[schemars(extend("x-platform-wide" = "the manifests and roles of all environments use the same mechanism"))]
    pub workload_identity: Option<Located<WorkloadIdentity>>,
    /// Tags for every resource, in addition to those that the platform sets itself.
    #[schemars(extend("default" = {}))]
    pub tags: Option<BTreeMap<Located<String>, Located<String>>>,
    /// The path of the IAM roles that Terraform creates, such as `/platform/`. The two roles of the pipeline, which the
    /// bootstrap stack creates, always have the path `/`. Fixed after the first apply: another path would replace every role.
    // Source: hashicorp/terraform-provider-aws@0040ea6911af internal/service/iam/role.go: `path` has `ForceNew`.
    #[schemars(with = "Option<Spelled<RolePath>>", extend("default" = RolePath::root().to_string()))]
    pub role_path: Option<Located<String>>,
    /// The ARN of the policy that is the permissions boundary of every role that Terraform creates. Default: a policy that the
    /// bootstrap stack creates.
    #[schemars(extend("examples" = ["arn:aws:iam::111122223333:policy/boundary"]))]
    pub permissions_boundary: Option<Located<String>>,
    /// What your own `*.tf` files in `platform/` may do in AWS.
    pub grants: Option<grants::Table>,
}

/// How pods authenticate to AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadIdentity {
    /// IAM roles for service accounts: with tokens of the cluster's own OIDC issuer. Each role trusts one service account.
    #[default]
    Irsa,
    /// EKS Pod Identity: an agent on each node, and an association for each service account.
    PodIdentity,
}

/// How IAM roles are created in this account.
#[derive(Clone, Debug)]
pub struct Roles {
    /// How pods authenticate to AWS.
    pub identity: WorkloadIdentity,
    /// The path of the roles that Terraform creates, `/` by default.
    pub path: RolePath,
    /// An existing policy. None if the bootstrap stack creates it.
    pub boundary: Option<PolicyArn>,
}

/// A valid tag.
#[derive(Clone, Debug)]
pub struct Tag {
    /// At most 127 characters. No two tags have keys that differ only in case.
    pub key: Text,
    /// At most 256 characters.
    pub value: Text,
}

/// A managed policy by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyArn {
    /// The complete ARN.
    pub arn: Text,
    account: String,
}

impl Word for PolicyArn {
    const CODE: &'static str = "aws/permissions-boundary";
    const WHAT: &'static str = "the ARN of an IAM policy";
    const RULE: &'static str = "such as `arn:aws:iam::111122223333:policy/boundary`";

    fn read(word: &str) -> Option<Self> {
        let (account, path) = word.strip_prefix("arn:aws:iam::")?.split_once(":policy/")?;
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&b));
        let whole =
            !path.is_empty() && !path.starts_with('/') && !path.ends_with('/') && !path.contains("//");
        if !plain || !whole || path.len() > 512 || account != "aws" && Account::read(account).is_none() {
            return None;
        }
        Some(Self { arn: Text::ours(word), account: account.to_owned() })
    }
}

impl Roles {
    /// Reports a permissions boundary of another account than `account`.
    pub fn resolve(spec: &Spec, account: &Decided<Account>, report: &mut Report) -> Self {
        let boundary = spec.permissions_boundary.as_ref().and_then(|asked| report.try_read(asked));
        if let (Some(asked), Some(PolicyArn { account: theirs, .. }), Some(account)) =
            (&spec.permissions_boundary, &boundary, account.valid())
            && ![&account.to_string(), "aws"].contains(&theirs.as_str())
        {
            report.add(
                Finding::new("aws/boundary-account", format!("this policy belongs to account `{theirs}`"))
                    .at(asked.span(), format!("the roles are in account `{account}`"))
                    .help("use a policy in the account of the environment, in `[environments.NAME.aws]`"),
            );
        }
        Self {
            identity: value_or(&spec.workload_identity, WorkloadIdentity::default()),
            path: spec.role_path.as_ref().map_or_else(RolePath::root, |asked| report.value(Some(asked))),
            boundary,
        }
    }
}

/// The tags that the platform sets. IAM ignores case in keys.
const OURS: [&str; 4] = ["project", "environment", "managed-by", "name"];

/// AWS allows 50 tags per resource. Ten are for the platform and for what EKS and Auto Scaling add.
const MOST: usize = 40;

/// The tags in the blueprint, by key.
pub fn tags(spec: &Spec, report: &mut Report) -> Vec<Tag> {
    let asked = spec.tags.iter().flatten();
    let mut known: Vec<String> = Vec::new();
    let mut tags = Vec::new();
    for (key, value) in asked {
        let small = key.to_lowercase();
        let title = |what: &str| format!("`{}` {what}", key.escape_debug());
        let finding = if !word(key, 1..=127) || key.contains('=') || small.starts_with("aws:") {
            Finding::new("aws/tag", title("is not a valid tag key"))
                .at(key.span(), "up to 127 letters, digits, spaces and `_.:/+-@`, not starting with `aws:`")
        } else if !word(value, 0..=256) {
            Finding::new("aws/tag", title("has an invalid value"))
                .at(value.span(), "up to 256 letters, digits, spaces and `_.:/=+-@`")
        } else if OURS.contains(&small.as_str()) {
            Finding::new("aws/tag", title("is set by the platform itself"))
                .at(key.span(), "permissions of the pipeline depend on this tag")
                .help("remove it, or use another key")
        } else if known.contains(&small) {
            Finding::new("aws/tag", title("is set twice"))
                .at(key.span(), "IAM treats both spellings as the same key")
                .help("remove one of them")
        } else {
            known.push(small);
            tags.push(Tag { key: Text::ours(key.as_str()), value: Text::ours(value.as_str()) });
            continue;
        };
        report.add(finding);
    }
    if let Some((key, _)) = spec.tags.iter().flatten().nth(MOST) {
        report.add(
            Finding::new("aws/tags", format!("there are more than {MOST} tags"))
                .at(key.span(), "the first that is too many")
                .help("AWS allows 50 tags for each resource, and the platform needs the others"),
        );
    }
    tags
}

/// Whether all AWS services accept this as the key or the value of a tag.
fn word(word: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    length.contains(&word.len()) && word.chars().all(plain) && word.trim() == word
}
