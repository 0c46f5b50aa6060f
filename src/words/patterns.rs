//! The rule of each word as a regular expression, so that an editor marks an invalid word while it is typed. blueprint itself does
//! not use them, because a finding explains more than a failed match. A test proves that both accept the same words.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    Account, AddonVersion, BlueprintPath, CodeOwner, Commit, Cpu, DatabaseClass, DatabaseName, Domain,
    GitUrl, GithubOwner, InstanceType, Memory, Name, NodeImageRelease, Repository, RolePath, SQL_WORDS,
    SecretKey, UrlPath, VariableName, Word, YAML_WORDS,
};

/// A word whose rule is a regular expression.
pub trait Pattern: Word {
    /// Valid words, for editors.
    const EXAMPLES: &'static [&'static str];

    /// For the whole word, in the dialect of JSON Schema (ECMA-262).
    fn pattern() -> String;
}

/// In the schema: a string that is parsed as the word `W`. It has no values.
pub struct Spelled<W>(PhantomData<W>);

impl<W: Pattern> JsonSchema for Spelled<W> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        W::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": W::pattern(), "examples": W::EXAMPLES })
    }
}

/// Lower-case letters, digits and, inside, `-`.
fn label(max: usize) -> String {
    format!("[a-z0-9](?:[a-z0-9-]{{0,{}}}[a-z0-9])?", max - 2)
}

/// Refuses these words, as they are or in any case.
fn except(words: &[&str], any_case: bool) -> String {
    let letter = |c: char| match any_case {
        true => format!("[{c}{}]", c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    let words: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    format!("(?!(?:{})$)", words.join("|"))
}

const GITHUB_OWNER: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?";
const INSTANCE_TYPE: &str = r"(?=.{1,30}$)(?=[^.]*[0-9])[a-z][a-z0-9-]*\.[a-z0-9-]+";

macro_rules! patterns {
    ($($name:ty: $examples:expr, $pattern:expr;)+) => {$(
        impl Pattern for $name {
            const EXAMPLES: &'static [&'static str] = &$examples;

            fn pattern() -> String {
                format!("^{}$", $pattern)
            }
        }
    )+};
}

patterns! {
    Account: ["111122223333"], "(?!0{12}$)[0-9]{12}";
    AddonVersion: ["v1.22.4-eksbuild.3"], r"v(?:[0-9]{1,6}\.){2}[0-9]{1,6}-eksbuild\.[0-9]{1,6}";
    BlueprintPath: ["blueprint.toml", "platforms/shop.toml"], r"(?=.{1,200}$)(?!.*--)(?:[A-Za-z0-9][A-Za-z0-9._-]*/)*[A-Za-z0-9][A-Za-z0-9._-]*\.toml";
    CodeOwner: ["@jo", "@acme/shop-team"], format!("(?!.*--)@{GITHUB_OWNER}(?:/[a-z0-9_-]{{1,100}})?");
    Commit: ["0123456789abcdef0123456789abcdef01234567"], "[0-9a-f]{40}";
    Cpu: ["250m", "2"], "[1-9][0-9]{0,5}m?";
    DatabaseClass: ["db.m7g.large"], format!(r"db\.{INSTANCE_TYPE}");
    DatabaseName: ["shop"], format!(
        "(?!pg_|rds){}{}[a-z][a-z0-9_]{{0,57}}",
        except(&YAML_WORDS, false),
        except(&SQL_WORDS, false)
    );
    Domain: ["shop.example.com"], format!(r"(?=.{{1,64}}$)(?:{}\.)+(?=[a-z]){}", label(63), label(63));
    InstanceType: ["m7i.large"], INSTANCE_TYPE;
    Memory: ["256Mi", "2Gi"], "[1-9][0-9]{0,5}[MG]i";
    Name: ["shop"], format!("(?!.*--){}(?=[a-z]){}", except(&YAML_WORDS, false), label(Name::MAX));
    GitUrl: ["https://github.com/acme/blueprint"], r"(?=.{1,200}$)(?!.*--)https://(?:[A-Za-z0-9][A-Za-z0-9._-]*/)+[A-Za-z0-9][A-Za-z0-9._-]*";
    GithubOwner: ["acme"], format!("(?!.*--){GITHUB_OWNER}");
    NodeImageRelease: ["1.36.4-20260923", "1.63.0-d4932ff8"], r"(?:[0-9]{1,4}\.){2}[0-9]{1,4}-[0-9a-f]{8}";
    Repository: ["infrastructure"], r"(?!.*--)(?!.*\.[gG][iI][tT]$)[A-Za-z0-9][A-Za-z0-9._-]{0,99}";
    RolePath: ["/platform/"], "(?=.{1,128}$)(?!.*--)(?!.*//)/(?:[A-Za-z0-9._/-]*/)?";
    SecretKey: ["payment/key"], format!(
        "(?=.{{1,100}}$)(?!.*--){}(?=[a-z]){label}(?:/{label}){{0,3}}",
        except(&YAML_WORDS, false),
        label = label(50)
    );
    UrlPath: ["/readyz"], r"(?=.{1,128}$)(?!.*--)(?!.*//)(?!.*/\.{1,2}(?:/|$))/[A-Za-z0-9._/-]*";
    VariableName: ["LOG_LEVEL"], format!("{}[A-Za-z][A-Za-z0-9_]{{0,63}}", except(&YAML_WORDS, true));
}
