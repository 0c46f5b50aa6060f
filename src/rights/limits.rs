//! The limits of IAM and CloudFormation, how statements are distributed over policies within them, and what exceeds them.

use super::{ManagedPolicy, Names, Policy, Stack, Statement};
use crate::words::{StackWord, Text};

/// A managed policy has at most this many characters, white space aside (IAM User Guide, reference_iam-quotas: "The maximum
/// character size of a managed policy is 6,144 … IAM doesn't count white space").
pub const POLICY: usize = 6144;

/// A role has at most this many managed policies (IAM User Guide, reference_iam-quotas: "Managed policies attached to an IAM role",
/// 10 by default). A higher quota must be requested for each account.
const POLICIES: usize = 10;

/// The inline policies of a role together have at most this many characters, white space aside (IAM User Guide,
/// reference_iam-quotas: "Role inline policy size can't exceed 10,240 characters").
pub const INLINE: usize = 10_240;

/// A template in the body of a request has at most this many bytes (CloudFormation User Guide, cloudformation-limits:
/// "Template body size in a request").
const TEMPLATE: usize = 51_200;

/// A limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Characters of the boundary.
    Boundary(usize),
    /// Characters of the inline policy of the plan role or of the apply role, beside ten full policies.
    Role(&'static str, usize),
    /// Characters of one statement, which fits into no policy, and its `Sid`.
    Statement(usize),
    /// Bytes of the template.
    Template(usize),
}

impl Excess {
    /// The actual size, and the limit.
    pub fn words(self) -> String {
        match self {
            Self::Boundary(length) => format!("the permissions boundary has {length} characters of {POLICY}"),
            Self::Role(role, length) => format!(
                "beside {POLICIES} policies of {POLICY} characters, the {role} role has {length} characters of {INLINE}"
            ),
            Self::Statement(length) => format!("one statement has {length} characters of {POLICY}"),
            Self::Template(length) => format!("the template has {length} bytes of {TEMPLATE}"),
        }
    }
}

impl Stack {
    /// The limits that IAM or CloudFormation would enforce. `template` is the length of the rendered template.
    pub fn excess(&self, names: &Names, template: usize) -> Vec<Excess> {
        let mut found = Vec::new();
        let boundary = policy(names, &self.boundary);
        found.extend((boundary > POLICY).then_some(Excess::Boundary(boundary)));
        let all = self.policies.iter().flat_map(|it| &it.statements);
        let single = all.map(|it| policy(names, std::slice::from_ref(it))).max().unwrap_or_default();
        found.extend((single > POLICY).then_some(Excess::Statement(single)));
        let (read, change) = (policy(names, &self.plan), policy(names, &self.apply));
        for (role, length) in [("plan", read), ("apply", read + change)] {
            found.extend((length > INLINE).then_some(Excess::Role(role, length)));
        }
        found.extend((template > TEMPLATE).then_some(Excess::Template(template)));
        found
    }
}

/// Puts each statement into its policy. The rest of a full policy moves on: reads into the inline policies of both roles,
/// changes into further policies, and into the inline policy when the role has ten.
pub(super) fn arrange(stack: &mut Stack, names: &Names, statements: Vec<Statement>) {
    let mut rest = Vec::new();
    for statement in statements {
        let policy = statement.policy;
        let at = match stack.policies.iter().position(|it| it.policy == policy) {
            Some(at) => at,
            None => {
                let description = Text::ours(policy.description(&names.prefix()));
                let at = stack.policies.iter().filter(|it| it.policy < policy).count();
                stack.policies.insert(at, ManagedPolicy { policy, description, statements: Vec::new() });
                at
            }
        };
        let held = &mut stack.policies[at].statements;
        held.push(statement);
        if held.len() > 1 && self::policy(names, held) > POLICY {
            rest.extend(held.pop());
        }
    }
    let mut part = 1;
    while !rest.is_empty() {
        let (read, change): (Vec<_>, Vec<_>) =
            std::mem::take(&mut rest).into_iter().partition(|it| it.policy.reads());
        stack.plan.extend(read);
        part += 1;
        if change.is_empty() {
            break;
        }
        if stack.policies.len() >= POLICIES {
            stack.apply.extend(change);
            break;
        }
        let policy = Policy::Apply(part);
        let mut held: Vec<Statement> = Vec::new();
        for statement in change {
            held.push(Statement { policy, ..statement });
            if held.len() > 1 && self::policy(names, &held) > POLICY {
                rest.extend(held.pop());
            }
        }
        let description = Text::ours(policy.description(&names.prefix()));
        stack.policies.push(ManagedPolicy { policy, description, statements: held });
    }
}

/// The characters of a policy with these statements, as IAM counts them.
pub fn policy(names: &Names, statements: &[Statement]) -> usize {
    if statements.is_empty() {
        return 0;
    }
    let frame = r#"{"Version":"2012-10-17","Statement":[]}"#.len();
    frame + statements.iter().map(|it| statement(names, it) + 1).sum::<usize>() - 1
}

fn statement(names: &Names, statement: &Statement) -> usize {
    let mut length = format!(
        r#"{{"Sid":"{}","Effect":"{}","{}":,"Resource":}}"#,
        statement.sid,
        statement.effect(),
        statement.element()
    )
    .len();
    length += words(names, &statement.actions) + words(names, &statement.resources);
    let tests = statement.tests();
    if !tests.is_empty() {
        length += r#","Condition":{}"#.len() + tests.len() - 1;
    }
    for (test, conditions) in tests {
        length += word(names, &test) + r#":{}"#.len() + conditions.len() - 1;
        length +=
            conditions.iter().map(|it| word(names, &it.key) + 1 + words(names, &it.values)).sum::<usize>();
    }
    length
}

/// One value without brackets, several with them.
fn words(names: &Names, words: &[StackWord]) -> usize {
    let all: usize = words.iter().map(|it| word(names, it)).sum();
    if words.len() == 1 { all } else { all + words.len().max(1) - 1 + 2 }
}

/// The length with quotes. A reference has the length of the value that CloudFormation inserts: a key id has 36 characters.
fn word(names: &Names, word: &StackWord) -> usize {
    let of = |resource: &str| match resource {
        "StateBucket" => "arn:aws:s3:::".len() + names.state_bucket.len(),
        "StateKey" => format!("arn:aws:kms:{}:{}:key/", names.region, names.account).len() + 36,
        other => panic!("`{other}` is nothing that the stack makes"),
    };
    2 + match word {
        StackWord::Word(text) => text.length(),
        StackWord::Arn(resource) => of(resource),
        StackWord::Below(resource, path) => of(resource) + path.len(),
    }
}

/// The characters, as IAM counts them, of an inline policy whose statements allow single actions on single resources.
pub fn length<'a>(statements: impl IntoIterator<Item = (&'a str, &'a [Text], &'a [Text])>) -> usize {
    let statement = |(sid, actions, resources): (&str, &[Text], &[Text])| {
        format!(r#"{{"Sid":"{sid}","Effect":"Allow","Action":[],"Resource":[]}},"#).len()
            + list_length(actions)
            + list_length(resources)
    };
    r#"{"Version":"2012-10-17","Statement":[]}"#.len() + statements.into_iter().map(statement).sum::<usize>()
}

/// The characters of words in JSON, with quotes and commas.
fn list_length(words: &[Text]) -> usize {
    words.iter().map(|it| it.length() + 3).sum::<usize>().saturating_sub(1)
}
