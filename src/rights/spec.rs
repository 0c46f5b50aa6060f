//! The AWS actions and resources in a blueprint, for an application or for a platform's own Terraform.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{StackWord, Text};
use crate::{
    source::Located,
    words::{Account, Word},
};

/// What may be done in AWS, and with what.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// What it may do, such as `s3:GetObject`, or `s3:Get*` for all that begins so.
    #[schemars(required, length(min = 1, max = 40))]
    pub actions: Option<Vec<Located<String>>>,
    /// The ARNs of what it may do that with, such as `arn:aws:s3:::bookshop-images/*`.
    #[schemars(required, length(min = 1, max = 40))]
    pub resources: Option<Vec<Located<String>>>,
}

/// An IAM action, or a pattern of actions. The caller decides which of them are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IamAction {
    /// The whole action, such as `s3:GetObject`.
    pub text: Text,
    /// The part before the `:`, such as `s3`.
    pub service: String,
    /// The part after the `:`, such as `GetObject` or `Get*`.
    pub verb: String,
}

impl Word for IamAction {
    const CODE: &'static str = "aws/action";
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

/// The resources that an action applies to: an ARN, or a pattern of ARNs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource(pub Text);

impl Word for Resource {
    const CODE: &'static str = "aws/resource";
    const WHAT: &'static str = "a valid resource ARN";
    const RULE: &'static str =
        "such as `arn:aws:s3:::bookshop-images/*` or `arn:aws:sqs:eu-west-1:111122223333:orders`";

    fn read(word: &str) -> Option<Self> {
        // All resources.
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

/// Whether a pattern of ARNs contains the start of a name. Without it, the pattern would match all buckets, queues or tables.
pub fn has_name_prefix(pattern: &str) -> bool {
    let last = pattern.splitn(6, ':').nth(5).unwrap_or_default();
    let begins = last.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    begins && !last.starts_with("/*") && !last.starts_with("//")
}

/// Whether some ARN matches both patterns, in which `*` means any characters.
pub fn patterns_overlap(one: &str, other: &str) -> bool {
    // For each position of `other`: whether its rest matches the rest of `one`. Computed from the last character of `one` to the first.
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rest: Vec<bool> = (0..=other.len()).map(|at| other[at..].iter().all(|it| *it == b'*')).collect();
    for letter in one.iter().rev() {
        let mut here = vec![false; other.len() + 1];
        for at in (0..=other.len()).rev() {
            let next = other.get(at);
            here[at] = match (letter, next) {
                (b'*', None) => rest[at],
                (b'*', Some(_)) => rest[at] || here[at + 1],
                (_, None) => false,
                (_, Some(b'*')) => rest[at] || here[at + 1],
                (letter, Some(it)) => letter == it && rest[at + 1],
            };
        }
        rest = here;
    }
    rest[0]
}

impl IamAction {
    /// Whether it is one action, or a pattern of at least three letters and one `*` at its end.
    pub fn is_narrow(&self) -> bool {
        let stem = self.verb.strip_suffix('*').unwrap_or(&self.verb);
        stem.len() >= 3 && !stem.contains(['*', '?'])
    }

    /// Whether it only reads, so that a plan may do it.
    pub fn only_reads(&self) -> bool {
        ["BatchGet", "Describe", "Get", "List"].iter().any(|it| self.verb.starts_with(it))
    }

    /// The action, for the bootstrap stack.
    pub fn word(&self) -> StackWord {
        StackWord::Word(self.text.clone())
    }
}
