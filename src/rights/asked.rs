//! What a platform's own Terraform asks for in AWS: actions and resources.

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

/// An action of IAM: never all of a service.
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
    const WHAT: &'static str = "an action of AWS";
    const RULE: &'static str = "a service and a verb, such as `s3:GetObject`; `*` only behind three letters or more, as in `s3:Get*`";

    fn read(word: &str) -> Option<Self> {
        let (service, verb) = word.split_once(':')?;
        let named = |it: &str, most| {
            it.len() <= most && it.starts_with(|c: char| c.is_ascii_alphabetic()) && it.is_ascii()
        };
        let plain = service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let stem = verb.strip_suffix('*').unwrap_or(verb);
        let valid = plain && named(service, 40) && named(stem, 80) && stem.len() >= 3;
        (valid && stem.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| Self {
            text: Text::ours(word),
            service: service.to_owned(),
            verb: verb.to_owned(),
        })
    }
}

/// What an action is done with. It says whose: `*` stands only behind the beginning of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource(pub Text);

impl Word for Resource {
    const CODE: &'static str = "aws/resource";
    const WHAT: &'static str = "the ARN of something in AWS";
    const RULE: &'static str = "such as `arn:aws:s3:::bookshop-images/*` or `arn:aws:sqs:eu-west-1:111122223333:orders`; `*` only in its last part, and not first there";

    fn read(word: &str) -> Option<Self> {
        let mut parts = word.strip_prefix("arn:aws:")?.splitn(4, ':');
        let (service, region, account, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let plain = |it: &str| it.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let whose = account.is_empty() || account == "aws" || Account::read(account).is_some();
        let known = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:*+=,@".contains(&b));
        let first = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
        let valid = !service.is_empty() && plain(service) && plain(region) && whose && known && first;
        // A bucket, a queue, a table of any name would be everything after all.
        let open = ["/*", "//"].iter().any(|it| rest.starts_with(it));
        (valid && !open && word.len() <= 400).then(|| Self(Text::ours(word)))
    }
}

/// Whether some resource may be one of a pattern and one of another, each with `*` for any characters.
pub fn meet(one: &str, other: &str) -> bool {
    // What is true of the rest of `one` from each place of `other` on, from the last character of `one` to the first.
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
    /// Whether it only looks: then a plan may do it.
    pub fn looks(&self) -> bool {
        ["BatchGet", "Describe", "Get", "List"].iter().any(|it| self.verb.starts_with(it))
    }

    /// The action, for the bootstrap stack.
    pub fn word(&self) -> StackWord {
        StackWord::Word(self.text.clone())
    }
}
