//! The environment variables of an application: plain values, and secrets from Parameter Store. Those of its database are not
//! decided here.

use std::collections::BTreeMap;

use super::Size;
use crate::{
    contribution::{Secret, Writer},
    database::Share,
    diagnostics::{Finding, Report},
    program::{Language, Program},
    source::Located,
    words::{Bareword, Name, SecretKey, Text, VariableName, Word},
};

/// A table of the blueprint.
pub type Table = BTreeMap<Located<String>, Located<String>>;

/// A variable that everybody may read.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The name of the variable.
    pub name: VariableName,
    /// The value, in plain text.
    pub value: Text,
}

/// A variable that holds a secret.
#[derive(Clone, Debug)]
pub struct SecretVariable {
    /// The name of the variable.
    pub name: VariableName,
    /// Where it lies, below the application's own path.
    pub key: SecretKey,
}

/// Variables for the ports, which are set by other keys and must match the manifests.
const PORTS: [&str; 2] = ["METRICS_PORT", "PORT"];

/// Paths of the platform's own parameters of an application, and the start of the names of their Secrets.
const FOLDERS: [&str; 2] = ["database", "registry"];

/// The plain ones, by name.
pub fn plain(table: Option<&Table>, database: bool, report: &mut Report) -> Vec<Variable> {
    let read = |(name, value): (&Located<String>, &Located<String>)| {
        let variable = Variable { name: report.try_read(name)?, value: report.try_read(value)? };
        (!taken(name, database, report)).then_some(variable)
    };
    table.into_iter().flatten().filter_map(read).collect()
}

/// The secret ones, by name. The name of a Secret follows from its key, so two keys must not give the same name.
pub fn secret(
    table: Option<&Table>,
    plain: Option<&Table>,
    database: bool,
    report: &mut Report,
) -> Vec<SecretVariable> {
    let mut known: Vec<SecretVariable> = Vec::new();
    for (name, at) in table.into_iter().flatten() {
        let (Some(variable), Some(key)) = (report.try_read(name), report.try_read::<SecretKey>(at)) else {
            continue;
        };
        let first = at.split('/').next().unwrap_or_default();
        let title = format!("`{key}` cannot be the path of this secret");
        let finding = if taken(name, database, report) {
            continue;
        } else if plain.is_some_and(|plain| plain.keys().any(|it| **it == **name)) {
            Finding::new("application/variable", format!("`{variable}` is set twice"))
                .at(name.span(), "also set in `env`")
                .help("remove one of them: a secret belongs in `secrets`")
        } else if FOLDERS.iter().any(|it| first.starts_with(it)) {
            Finding::new("application/secret", title)
                .at(at.span(), "the platform uses this path itself")
                .help("start with another word, such as `payment/key`")
        } else if let Some(other) = known.iter().find(|it| it.key != key && it.key.secret() == key.secret()) {
            Finding::new("application/secret", title)
                .at(at.span(), format!("`{}` would have the same Secret, `{}`", other.key, key.secret()))
                .help("use a path that differs in more than `/` and `-`")
        } else {
            known.push(SecretVariable { name: variable, key });
            continue;
        };
        report.add(finding);
    }
    known
}

/// Go's garbage collector works harder from nine tenths of the memory on, so that the kernel need not end the program
/// (https://go.dev/doc/gc-guide, which advises to leave 5 to 10 % for what the runtime does not see).
const GO: &str = "GOMEMLIMIT";

/// V8 allows a heap of 259 MiB in a container of 128, 256 or 512 MiB (Node 20.20.2, `v8.getHeapStatistics()` below such a limit), so
/// that in 256 MiB the kernel would end the program before V8 collects garbage. Beside 60 % for old objects lie 48 MiB of young
/// ones, code and buffers.
const NODE: &str = "NODE_OPTIONS";

/// Adds the variable for the memory limit of the runtime, unless the blueprint sets it.
pub fn with_memory_limit(
    mut variables: Vec<Variable>,
    secrets: &[SecretVariable],
    program: &Program,
    size: &Size,
) -> Vec<Variable> {
    let memory = size.memory.0;
    let (name, value) = match program.language {
        Some(Language::Go) => (GO, format!("{}MiB", memory * 9 / 10)),
        Some(Language::Node) => (NODE, format!("--max-old-space-size={}", memory * 6 / 10)),
        _ => return variables,
    };
    let name = VariableName::read(name).unwrap_or_default();
    let mut names = variables.iter().map(|it| &it.name).chain(secrets.iter().map(|it| &it.name));
    if names.all(|it| *it != name) {
        variables.push(Variable { name, value: Text::ours(value) });
    }
    variables
}

/// Whether a variable sets the memory limit of the runtime.
pub fn is_memory_limit(name: &VariableName) -> bool {
    [GO, NODE].contains(&name.to_string().as_str())
}

/// Whether the platform sets this variable itself, which is reported.
fn taken(name: &Located<String>, database: bool, report: &mut Report) -> bool {
    let help = if PORTS.contains(&name.as_str()) {
        "write `port` or `metrics.port` instead"
    } else if database && Share::VARIABLES.iter().any(|(it, _)| *it == name.as_str()) {
        "remove it: it comes with the database"
    } else {
        return false;
    };
    report.add(
        Finding::new("application/variable", format!("`{}` is set by the platform itself", name.as_str()))
            .at(name.span(), "it cannot be set again")
            .help(help),
    );
    true
}

impl SecretVariable {
    /// The secret that a person puts into Parameter Store.
    pub fn put(&self, application: &Name) -> Secret {
        Secret {
            namespace: Bareword::of(application),
            key: self.key.to_string(),
            writer: Writer::Person,
            about: "a secret environment variable of the application",
        }
    }
}

/// The keys of the variables, without duplicates.
pub fn keys(variables: &[SecretVariable]) -> Vec<SecretKey> {
    let mut keys: Vec<_> = variables.iter().map(|it| it.key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys
}
