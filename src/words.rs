//! Typed strings, and the only functions that write them into a file.
//!
//! An *atom* needs no quotes and no escapes in any language that we render. Every other string is [`Text`],
//! which has no `Display`: a template must use the filter of the language.

use std::fmt;

use askama::filters::Escaper;

mod bare;
pub mod filters;
pub mod patterns;
mod unseen;

pub use bare::{Atomic, Bare, Bareword, Label};
pub use unseen::{is_unseen, masked, shown};

/// A value that is parsed from a string by one rule. Its default is a placeholder for an invalid or missing
/// value, so that later checks still run; the rule accepts no such string.
pub trait Word: Default {
    /// The code of the finding about an invalid string, such as `blueprint/cpu`.
    const CODE: &'static str;
    /// What the string should be, such as `a valid amount of CPU`. The title of the finding ends with it.
    const WHAT: &'static str;
    /// The rule and an example. It is the label of the finding.
    const RULE: &'static str;

    /// Parses a string. None if it does not follow the rule.
    fn read(word: &str) -> Option<Self>;
}

/// What the filters for any text accept.
pub trait Words {
    /// The string itself, without quotes or escapes.
    fn words(&self) -> &str;
}

impl<T: Words + ?Sized> Words for &T {
    fn words(&self) -> &str {
        (**self).words()
    }
}

/// Defines words that are atoms, and therefore implement `Display`.
macro_rules! atoms {
    ($($(#[$doc:meta])* $name:ident($code:literal, $what:literal, $rule:literal, $placeholder:literal, $valid:expr);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl Word for $name {
            const CODE: &'static str = $code;
            const WHAT: &'static str = $what;
            const RULE: &'static str = $rule;

            fn read(word: &str) -> Option<Self> {
                let valid: fn(&str) -> bool = $valid;
                valid(word).then(|| Self(word.to_owned()))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($placeholder.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Atomic for $name {}

        impl Words for $name {
            fn words(&self) -> &str {
                &self.0
            }
        }
    )+};
}

/// Atoms that YAML cannot misread: none begins with a digit or ends with `:`, and none is a YAML keyword.
macro_rules! bare {
    ($($name:ident),+ $(,)?) => { $(impl Bare for $name {})+ };
}

bare!(DatabaseName, Name, RolePath, SecretKey, UrlPath, VariableName);

atoms! {
    /// A lower-case name, such as `ledger`. It is part of role names (64 characters), of bucket names
    /// (63) and of Kubernetes labels (63), so two names and a suffix must fit into each.
    Name(
        "blueprint/name",
        "a valid name",
        "up to 20 lower-case letters, digits and single `-`, starting with a letter; no YAML word such as `on`",
        "placeholder--",
        |word| {
            label(word, Name::MAX)
                && word.starts_with(|c: char| c.is_ascii_lowercase())
                && !word.contains("--")
                && !YAML_WORDS.contains(&word)
        }
    );

    /// A GitHub user or organization: 39 letters, digits and single `-` (GitHub's own form; the catalogue marks it as common knowledge).
    GithubOwner(
        "github/owner",
        "a valid GitHub owner",
        "up to 39 letters, digits and single `-`, not starting or ending with `-`",
        "placeholder--",
        |word| {
            (1..=39).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !word.starts_with('-')
                && !word.ends_with('-')
                && !word.contains("--")
        }
    );

    /// A GitHub repository, and the folder that holds it: 100 letters, digits, `.`, `_`, `-`.
    Repository(
        "github/repository",
        "a valid repository name",
        "up to 100 letters, digits, `.`, `_` and single `-`, starting with a letter or digit, not ending in `.git`",
        "placeholder--",
        |word| {
            (1..=100).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                && word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && !word.to_ascii_lowercase().ends_with(".git")
                && !word.contains("--")
        }
    );

    /// The URL of a Git repository over HTTPS.
    GitUrl(
        "github/url",
        "a valid URL of a Git repository",
        "`https://`, a host and a path: up to 200 letters, digits, `.`, `_`, `-` and `/`",
        "https://placeholder--",
        |word| {
            word.len() <= 200
                && !word.contains("--")
                && word.strip_prefix("https://").is_some_and(|rest| rest.contains('/') && rest.split('/').all(is_part))
        }
    );

    /// A commit of a Git repository, in full.
    Commit(
        "github/commit",
        "a valid commit",
        "the 40 lower-case hexadecimal digits of a commit, as `git rev-parse HEAD` prints them",
        "placeholder",
        |word| word.len() == 40 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    );

    /// The path of a blueprint in its repository.
    BlueprintPath(
        "github/path",
        "a valid path of a blueprint",
        "a relative path that ends in `.toml`: up to 200 letters, digits, `.`, `_`, `-` and `/`, each part starting with a letter or digit",
        "placeholder--",
        |word| {
            word.len() <= 200 && !word.contains("--") && word.ends_with(".toml") && word.split('/').all(is_part)
        }
    );

    /// An AWS account.
    Account(
        "aws/account",
        "a valid AWS account id",
        "12 digits",
        "000000000000",
        |word| word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit()) && word != "000000000000"
    );

    /// A DNS zone or host name. The common name of a certificate has at most 64 characters (RFC 5280, which ACM follows).
    Domain(
        "dns/zone",
        "a valid domain name",
        "two or more labels, such as `shop.example.com`: lower-case letters, digits and `-`, at most 64 characters",
        "placeholder_.invalid",
        |word| {
            word.len() <= 64
                && word.contains('.')
                && word.split('.').all(|part| label(part, 63))
                && word.rsplit('.').next().is_some_and(|top| top.starts_with(|c: char| c.is_ascii_lowercase()))
        }
    );

    /// The path of an IAM role, such as `/platform/`. It is part of ARNs, so only plain characters are allowed.
    RolePath(
        "aws/role-path",
        "a valid role path",
        "starts and ends with `/`: up to 128 letters, digits, `-`, `_`, `.` and `/`",
        "/placeholder--/",
        |word| {
            (1..=128).contains(&word.len())
                && word.starts_with('/')
                && word.ends_with('/')
                && !word.contains("//")
                && !word.contains("--")
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
        }
    );

    /// A person or a team as CODEOWNERS names them: `@jo`, `@acme/shop-team`.
    CodeOwner(
        "application/code-owner",
        "a valid code owner",
        "a user such as `@jo`, or a team such as `@acme/shop-team`",
        "@placeholder--",
        |word| {
            word.strip_prefix('@').is_some_and(|rest| {
                let (owner, team) = rest.split_once('/').map_or((rest, None), |(owner, team)| (owner, Some(team)));
                let slug = |it: &str| {
                    (1..=100).contains(&it.len())
                        && !it.contains("--")
                        && it.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
                };
                GithubOwner::read(owner).is_some() && team.is_none_or(slug)
            })
        }
    );

    /// An EC2 instance type, such as `m7i.large`.
    InstanceType(
        "cluster/instance-type",
        "a valid instance type",
        "a family and a size, such as `m7i.large`",
        "placeholder.large",
        |word| {
            let plain = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            word.split_once('.').is_some_and(|(family, size)| {
                word.len() <= 30
                    && plain(family)
                    && plain(size)
                    && family.starts_with(|c: char| c.is_ascii_lowercase())
                    && family.contains(|c: char| c.is_ascii_digit())
                    && !size.is_empty()
            })
        }
    );

    /// A class of RDS instances, such as `db.m7g.large`.
    DatabaseClass(
        "database/instance-class",
        "a valid database instance class",
        "`db.`, a family and a size, such as `db.m7g.large`",
        "db.placeholder.large",
        |word| word.strip_prefix("db.").is_some_and(|rest| InstanceType::read(rest).is_some())
    );

    /// A PostgreSQL database, and the role that owns it. Logins append `_` and a number, and PostgreSQL truncates names at 63
    /// bytes. A name that needs no quotes in SQL is written the same everywhere.
    DatabaseName(
        "database/name",
        "a valid database name",
        "up to 58 lower-case letters, digits and `_`, starting with a letter, but not with `pg_` or `rds`; no SQL keyword such as `user`",
        "placeholder--",
        |word| {
            (1..=58).contains(&word.len())
                && word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && !["pg_", "rds"].iter().any(|taken| word.starts_with(taken))
                && !YAML_WORDS.contains(&word)
                && !SQL_WORDS.contains(&word)
        }
    );

    /// A release of a node image: `1.36.4-20260923`, `1.63.0-d4932ff8`.
    NodeImageRelease(
        "cluster/release",
        "a valid node image release",
        "a version, `-` and a build: such as `1.36.4-20260923` for AL2023, or `1.63.0-d4932ff8` for Bottlerocket",
        "placeholder",
        |word| {
            let number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            word.split_once('-').is_some_and(|(version, build)| {
                version.split('.').count() == 3
                    && version.split('.').all(number)
                    && build.len() == 8
                    && build.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
        }
    );

    /// The version of an EKS add-on.
    AddonVersion(
        "component/version",
        "a valid add-on version",
        "`vX.Y.Z-eksbuild.N`, as `aws eks describe-addon-versions` prints it",
        "placeholder",
        |word| {
            let numbers = |part: &str, dots: usize| {
                part.split('.').count() == dots + 1
                    && part.split('.').all(|it| !it.is_empty() && it.len() <= 6 && it.bytes().all(|b| b.is_ascii_digit()))
            };
            word.strip_prefix('v')
                .and_then(|word| word.split_once("-eksbuild."))
                .is_some_and(|(version, build)| numbers(version, 2) && numbers(build, 0))
        }
    );

    /// The path of a URL, such as `/readyz`, without a query and without `..`.
    UrlPath(
        "application/path",
        "a valid URL path",
        "starts with `/`: up to 128 letters, digits, `-`, `_`, `.` and `/`",
        "/placeholder--",
        |word| {
            word.len() <= 128
                && word.starts_with('/')
                && !word.contains("//")
                && !word.contains("--")
                && !word.split('/').any(|part| part == ".." || part == ".")
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
        }
    );

    /// The name of an environment variable, such as `LOG_LEVEL`.
    VariableName(
        "application/variable",
        "a valid variable name",
        "up to 64 letters, digits and `_`, starting with a letter; no YAML word such as `on`",
        "placeholder--",
        |word| {
            (1..=64).contains(&word.len())
                && word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !YAML_WORDS.contains(&word.to_ascii_lowercase().as_str())
        }
    );

    /// The path of a secret in Parameter Store, below the application's path, such as `payment/key`.
    SecretKey(
        "application/secret",
        "a valid path for a secret",
        "up to four parts separated by `/`, such as `payment/key`: lower-case letters, digits and single `-`, starting with a letter",
        "placeholder--",
        |word| {
            word.len() <= 100
                && word.split('/').count() <= 4
                && word.split('/').all(|part| label(part, 50))
                && word.starts_with(|c: char| c.is_ascii_lowercase())
                && !word.contains("--")
                && !YAML_WORDS.contains(&word)
        }
    );
}

/// An amount of CPU in thousandths of a core: `250m`, `2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpu(pub u32);

/// An amount of memory in MiB: `256Mi`, `2Gi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u32);

/// Text from a blueprint, or our own text for a language with quotes. It has no `Display` on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(String);

/// A Terraform expression from our own code. Text from a blueprint can be part of one only as quoted [`Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hcl(String);

/// A value in a CloudFormation template: a literal from our own code, or a reference to a resource of the same stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StackWord {
    /// A literal.
    Word(Text),
    /// The ARN of a resource of the stack.
    Arn(&'static str),
    /// The ARN of a resource of the stack, and a path below it.
    Below(&'static str, &'static str),
}

/// A GitHub action, pinned to a commit because a tag can be moved. The tag is for readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubAction {
    /// The repository of the action and a path in it, such as `actions/checkout`.
    pub name: String,
    /// The tag of the release, such as `v1.2.3`.
    pub tag: String,
    /// The commit of the tag: 40 hexadecimal digits.
    pub sha: String,
}

/// What YAML 1.1 parses as a boolean or null, in upper or lower case.
pub const YAML_WORDS: [&str; 9] = ["n", "no", "null", "off", "on", "true", "false", "y", "yes"];

/// What PostgreSQL reserves, as an SQL keyword or as a name that already exists (PostgreSQL 18, appendix C; RDS).
const SQL_WORDS: [&str; 103] = [
    "admin",
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "none",
    "not",
    "notnull",
    "offset",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "postgres",
    "primary",
    "public",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "template0",
    "template1",
    "then",
    "to",
    "trailing",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

impl DatabaseClass {
    /// A class from our own code. Panics if it does not follow the rule.
    pub fn ours(word: &'static str) -> Self {
        Self::read(word).expect("our own names follow our own rule")
    }

    /// The part between `db.` and the size: `m7g`.
    pub fn family(&self) -> &str {
        self.0.split('.').nth(1).unwrap_or_default()
    }

    /// The part after the family: `large`.
    pub fn size(&self) -> &str {
        self.0.split('.').nth(2).unwrap_or_default()
    }
}

impl DatabaseName {
    /// The database whose logins could have this name: the part before `_` and a number.
    pub fn owner(&self) -> Option<Self> {
        let (owner, number) = self.0.rsplit_once('_')?;
        let counts = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        counts.then(|| Self(owner.to_owned()))
    }
}

impl Name {
    /// A role name consists of platform, environment and purpose, and AWS allows 64 characters.
    pub const MAX: usize = 20;

    /// For languages whose identifiers cannot contain `-`.
    pub fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }

    /// A name from our own code.
    pub fn ours(word: &'static str) -> Self {
        Self::read(word).expect("our own names follow our own rule")
    }
}

impl Repository {
    /// A repository with the same name as something else.
    pub fn named(name: &Name) -> Self {
        Self(name.0.clone())
    }

    /// A repository name from our own code. Panics if it does not follow the rule.
    pub fn ours(word: &'static str) -> Self {
        Self::read(word).expect("our own names follow our own rule")
    }

    /// Names in container registries are lower-case.
    pub fn lower(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// GitHub and many file systems ignore case in names.
    pub fn same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl SecretKey {
    /// The name of the Kubernetes Secret. A new key means a new Secret, so that the pods that use it restart.
    pub fn secret(&self) -> Bareword {
        Bareword::of(Self(self.0.replace('/', "-")))
    }
}

impl Domain {
    /// Whether it is a subdomain of another one.
    pub fn inside(&self, zone: &Self) -> bool {
        self.0.strip_suffix(&zone.0).is_some_and(|rest| rest.ends_with('.'))
    }

    /// The number of labels: three for `shop.example.com`.
    pub fn labels(&self) -> usize {
        self.0.split('.').count()
    }
}

/// A part of a path that no shell and no URL reads differently.
fn is_part(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

impl BlueprintPath {
    /// A path of ours.
    pub fn ours(word: &'static str) -> Self {
        Self::read(word).expect("a path of ours is valid")
    }
}

impl UrlPath {
    /// A path from our own code. Panics if it does not follow the rule.
    pub fn ours(word: &'static str) -> Self {
        Self::read(word).expect("our own names follow our own rule")
    }
}

impl RolePath {
    /// The default path of IAM roles.
    pub fn root() -> Self {
        Self("/".to_owned())
    }
}

impl GithubOwner {
    /// Names in container registries are lower-case.
    pub fn lower(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }
}

impl InstanceType {
    /// `m7i` and `large`.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('.').unwrap_or_default()
    }

    /// Types with Graviton processors have a `g` after the generation: `m7g`, `c8gd`, `im4gn`, but not `g6` or `g4dn`.
    pub fn is_arm(&self) -> bool {
        let family = self.0.split('.').next().unwrap_or_default();
        let suffix = family.trim_start_matches(|c: char| c.is_ascii_lowercase());
        family.starts_with("a1") || suffix.contains('g')
    }
}

impl Word for Cpu {
    const CODE: &'static str = "blueprint/cpu";
    const WHAT: &'static str = "a valid amount of CPU";
    const RULE: &'static str = "thousandths of a core such as `250m`, or whole cores such as `2`";

    fn read(word: &str) -> Option<Self> {
        let (digits, factor) = word.strip_suffix('m').map_or((word, 1000), |digits| (digits, 1));
        Some(Self(amount(digits, factor)?))
    }
}

impl Word for Memory {
    const CODE: &'static str = "blueprint/memory";
    const WHAT: &'static str = "a valid amount of memory";
    const RULE: &'static str = "a number of `Mi` or `Gi`, such as `256Mi` or `2Gi`";

    fn read(word: &str) -> Option<Self> {
        let (digits, factor) = match word.strip_suffix("Gi") {
            Some(digits) => (digits, 1024),
            None => (word.strip_suffix("Mi")?, 1),
        };
        Some(Self(amount(digits, factor)?))
    }
}

/// A whole number above zero, without a leading zero. Six digits of Gi or cores fit into a `u32` of the smaller unit.
fn amount(digits: &str, factor: u32) -> Option<u32> {
    let valid = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') && digits.len() <= 6;
    valid.then(|| digits.parse::<u32>().ok()?.checked_mul(factor))?
}

impl Word for Text {
    const CODE: &'static str = "blueprint/text";
    const WHAT: &'static str = "safe text";
    const RULE: &'static str =
        "at most 200 bytes, without `${{`, control or invisible characters, and spaces at the start or end";

    fn read(words: &str) -> Option<Self> {
        (words.trim() == words && words.len() <= 200 && !words.contains(is_unseen) && !words.contains("${{"))
            .then(|| Self(words.to_owned()))
    }
}

impl Words for Text {
    fn words(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// Text from our own code, such as an IAM action. It may contain only values that were checked.
    pub fn ours(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// In bytes, as AWS counts the limits of ASCII text.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// For an ARN: the pattern for all resources of the same service, region and account.
    pub fn all_alike(&self) -> Self {
        let places: Vec<&str> = self.0.splitn(6, ':').take(5).collect();
        Self(format!("{}:*", places.join(":")))
    }

    /// Two texts with a separator from our own code.
    pub fn joined(first: &Self, between: &'static str, second: &Self) -> Self {
        Self(format!("{}{between}{}", first.0, second.0))
    }

    /// Whether it starts with this text.
    pub fn begins_with(&self, words: &str) -> bool {
        self.0.starts_with(words)
    }

    /// Compares without regard to case.
    pub fn same(&self, words: &str) -> bool {
        self.0.eq_ignore_ascii_case(words)
    }
}

impl StackWord {
    /// A literal from our own code.
    pub fn ours(word: impl Into<String>) -> Self {
        Self::Word(Text::ours(word))
    }

    /// Whether an IAM pattern, with or without a `*` at its end, matches everything that the other one matches.
    pub fn covers(&self, other: &Self) -> bool {
        let (Self::Word(Text(pattern)), Self::Word(Text(word))) = (self, other) else { return self == other };
        pattern.strip_suffix('*').map_or(pattern == word, |stem| word.starts_with(stem))
    }

    /// Whether it is a literal that starts with this text.
    pub fn begins(&self, start: &str) -> bool {
        matches!(self, Self::Word(Text(word)) if word.starts_with(start))
    }

    /// In YAML: without quotes if every parser reads it as a string.
    fn yaml(&self) -> String {
        match self {
            Self::Arn(resource) => format!("!GetAtt {resource}.Arn"),
            Self::Below(resource, path) => {
                format!("!Sub {}", double_quoted(&format!("${{{resource}.Arn}}{path}")))
            }
            Self::Word(Text(word)) => {
                let plain = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@*".contains(&b))
                    && !word.ends_with(':')
                    && !YAML_WORDS.contains(&word.to_ascii_lowercase().as_str());
                if plain { word.clone() } else { double_quoted(word) }
            }
        }
    }
}

impl Hcl {
    /// A reference or a call, such as `aws_vpc.main.arn`.
    pub fn code(code: &'static str) -> Self {
        Self(code.to_owned())
    }

    /// A string with references in it, such as `arn:aws:ec2:${local.region}:${local.account}:volume/*`.
    pub fn string(template: &'static str) -> Self {
        Self(format!("\"{template}\""))
    }
}

/// Lower-case letters, digits and, inside, `-`.
fn label(word: &str, max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=max).contains(&word.len())
        && word.bytes().all(plain)
        && !word.starts_with('-')
        && !word.ends_with('-')
}

/// The default is never rendered: it only lets later checks run after an error.
impl Default for Cpu {
    fn default() -> Self {
        Self(1)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self(1)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1024) { write!(f, "{}Gi", self.0 / 1024) } else { write!(f, "{}Mi", self.0) }
    }
}

/// Accepts atoms and rejects everything else, so that a missing filter fails instead of doing harm.
#[derive(Clone, Copy)]
pub struct Atom;

impl Escaper for Atom {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
        if !text.bytes().all(plain) {
            return Err(fmt::Error);
        }
        dest.write_str(text)
    }
}

/// Whether every YAML parser reads this as a string without quotes.
pub fn is_bare(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b))
        && !word.ends_with(':')
        && !YAML_WORDS.contains(&word.to_ascii_lowercase().as_str())
}

/// A double-quoted string, read alike by YAML 1.1 and YAML 1.2.
pub fn double_quoted(words: &str) -> String {
    let mut out = String::from('"');
    for c in words.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{10000}'.. if is_unseen(c) => out.push_str(&format!("\\U{:08x}", c as u32)),
            _ if is_unseen(c) => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ => out.push(c),
        }
    }
    out + "\""
}
