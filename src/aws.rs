//! What an account asks of whatever is made in it: where it lies, how roles are named and limited, which
//! tags everything bears, how pods prove who they are. What is made is decided elsewhere.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::Region,
    diagnostics::{Finding, Report},
    source::{Decided, Located, value_or},
    words::{Account, RolePath, Text, Word},
};

mod rights;

pub use rights::rights;

/// Where the platform runs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The account, in 12 digits.
    #[schemars(required)]
    pub account: Option<Located<String>>,
    /// The region, such as `eu-west-1`.
    #[schemars(required)]
    #[schemars(extend("enum" = Region::all()))]
    pub region: Option<Located<String>>,
    /// How pods prove to AWS who they are. `irsa`, if you do not say.
    #[schemars(extend("x-platform-wide" = "manifests and roles of all environments follow one way"))]
    pub workload_identity: Option<Located<WorkloadIdentity>>,
    /// Tags that everything must bear, beside those that the platform sets itself.
    pub tags: Option<BTreeMap<Located<String>, Located<String>>>,
    /// The path of the roles that Terraform makes, such as `/platform/`. `/`, if you do not say. The pipeline's own
    /// two roles, which the bootstrap stack makes, stay at `/`.
    pub role_path: Option<Located<String>>,
    /// The ARN of a policy that limits every role that Terraform makes. The bootstrap stack makes one, if you do not say.
    pub permissions_boundary: Option<Located<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadIdentity {
    /// By tokens of the cluster's own issuer, which each role trusts for one service account.
    Irsa,
    /// By EKS Pod Identity: an agent on each node, and an association for each service account.
    PodIdentity,
}

/// How roles are made in this account.
#[derive(Clone, Debug)]
pub struct Roles {
    pub identity: WorkloadIdentity,
    pub path: RolePath,
    /// A policy that somebody else keeps.
    pub boundary: Option<Policy>,
}

/// A tag as AWS takes it.
#[derive(Clone, Debug)]
pub struct Tag {
    pub key: Text,
    pub value: Text,
}

/// A managed policy by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub arn: Text,
    account: String,
}

impl Word for Policy {
    const CODE: &'static str = "aws/permissions-boundary";
    const WHAT: &'static str = "the ARN of a policy";
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
    pub fn resolve(spec: &Spec, account: &Decided<Account>, report: &mut Report) -> Self {
        let boundary = spec.permissions_boundary.as_ref().and_then(|asked| report.try_read(asked));
        if let (Some(asked), Some(Policy { account: theirs, .. }), Some(account)) =
            (&spec.permissions_boundary, &boundary, account.sound())
            && ![&account.to_string(), "aws"].contains(&theirs.as_str())
        {
            report.add(
                Finding::new("aws/boundary-account", format!("this policy is of account `{theirs}`"))
                    .at(asked.span(), format!("the roles are in `{account}`"))
                    .help("name a policy of the environment's own account, in its `[environments.NAME.aws]`"),
            );
        }
        Self {
            identity: value_or(&spec.workload_identity, WorkloadIdentity::Irsa),
            path: spec.role_path.as_ref().map_or_else(RolePath::root, |asked| report.value(Some(asked))),
            boundary,
        }
    }
}

/// What the platform sets, and IAM takes two spellings of a key for one.
const OURS: [&str; 4] = ["project", "environment", "managed-by", "name"];

/// AWS takes 50 tags for a resource. Ten are for us and for what EKS and Auto Scaling add.
const MOST: usize = 40;

/// The tags that were asked for, by key.
pub fn tags(spec: &Spec, report: &mut Report) -> Vec<Tag> {
    let asked = spec.tags.iter().flatten();
    let mut known: Vec<String> = Vec::new();
    let mut tags = Vec::new();
    for (key, value) in asked {
        let small = key.to_lowercase();
        let title = |what: &str| format!("`{}` {what}", key.escape_debug());
        let finding = if !word(key, 1..=127) || key.contains('=') || small.starts_with("aws:") {
            Finding::new("aws/tag", title("is not the key of a tag"))
                .at(key.span(), "up to 127 letters, digits, spaces and `_.:/+-@`, not beginning with `aws:`")
        } else if !word(value, 0..=256) {
            Finding::new("aws/tag", title("has a value that AWS does not take"))
                .at(value.span(), "up to 256 letters, digits, spaces and `_.:/=+-@`")
        } else if OURS.contains(&small.as_str()) {
            Finding::new("aws/tag", title("is a tag of the platform's own"))
                .at(key.span(), "what the pipeline may do hangs on it")
                .help("leave it out, or give yours another key")
        } else if known.contains(&small) {
            Finding::new("aws/tag", title("is there twice"))
                .at(key.span(), "IAM takes both spellings for one key")
                .help("keep one of them")
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
                .at(key.span(), "one too many")
                .help("AWS takes 50 for a resource, and the platform needs the rest"),
        );
    }
    tags
}

/// What every service takes for the key or the value of a tag.
fn word(word: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    length.contains(&word.len()) && word.chars().all(plain) && word.trim() == word
}
