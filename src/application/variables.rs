//! The environment variables of an application: plain values, and secrets from Parameter Store. Those of its database are in
//! `database`.

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

/// A variable with a plain value.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The name of the variable.
    pub name: VariableName,
    /// The value, in plain text.
    pub value: Text,
}

/// A variable with a secret value.
#[derive(Clone, Debug)]
pub struct SecretVariable {
    /// The name of the variable.
    pub name: VariableName,
    /// Its path below the application's path in Parameter Store.
    pub key: SecretKey,
}

/// Variables for the ports, which are set by other keys and must match the manifests.
const PORTS: [&str; 2] = ["METRICS_PORT", "PORT"];

/// The first parts of paths that the platform uses itself, in Parameter Store and in the names of Secrets.
const FOLDERS: [&str; 2] = ["database", "registry"];

/// The plain variables, by name.
pub fn plain(table: Option<&Table>, database: bool, report: &mut Report) -> Vec<Variable> {
    let read = |(name, value): (&Located<String>, &Located<String>)| {
        let variable = Variable { name: report.try_read(name)?, value: report.try_read(value)? };
        (!taken(name, database, report)).then_some(variable)
    };
    table.into_iter().flatten().filter_map(read).collect()
}

/// The secret variables, by name. The name of a Secret depends on its key, so two keys must not result in the same name.
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

/// `GOMEMLIMIT` at nine tenths of the memory makes Go's garbage collector run more often, before the kernel kills the program
/// (https://go.dev/doc/gc-guide, which recommends to leave 5 to 10 % for memory outside the runtime).
const GO: &str = "GOMEMLIMIT";

/// V8 allows a heap of 259 MiB in a container of 128, 256 or 512 MiB (Node 20.20.2, `v8.getHeapStatistics()` with such a limit),
/// so in 256 MiB the kernel would kill the program before V8 collects garbage. Besides 60 % for old objects there are 48 MiB of
/// young ones, code and buffers.
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
    /// Its secret, which a person puts into Parameter Store.
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
