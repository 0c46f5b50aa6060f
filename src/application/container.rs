//! The settings of an application's container. The Deployment and the smoke test both use them, so that a program is tested with
//! its real settings. Overlays set what differs between environments.

use super::{Application, Variable, variables};
use crate::{
    database::Share,
    words::{Label, Memory, SecretKey, Text, VariableName, Word},
};

/// User and group of the image, the Deployment and the smoke test. Above 10000, so that it is not a user of the node.
pub const USER: u32 = 65532;

/// The size of `/tmp`, the only folder that can be written to.
pub const SCRATCH: Memory = Memory(64);

/// A variable of the container.
#[derive(Clone, Debug)]
pub struct Given {
    /// The name of the variable.
    pub name: VariableName,
    /// The value, or the Secret that contains it.
    pub value: Value,
}

/// The value of a variable, or a reference to it.
#[derive(Clone, Debug)]
pub enum Value {
    /// A plain value, which every reader of the repository can see.
    Plain(Text),
    /// A Secret of the namespace, by its key in Parameter Store.
    Secret(SecretKey),
}

impl Application {
    /// The variables of the container, except those of the database, which are in one Secret.
    pub fn given(&self) -> Vec<Given> {
        let ours = |name: &str, value: u32| Given {
            name: VariableName::read(name).unwrap_or_default(),
            value: Value::Plain(Text::ours(value.to_string())),
        };
        let metrics = self.has_metrics.then(|| ours("METRICS_PORT", self.metrics.port));
        let plain = self.variables.iter().map(Given::plain);
        let secret = self
            .secrets
            .iter()
            .map(|it| Given { name: it.name.clone(), value: Value::Secret(it.key.clone()) });
        [ours("PORT", self.port)].into_iter().chain(metrics).chain(plain).chain(secret).collect()
    }

    /// [`USER`], for templates.
    pub fn user(&self) -> u32 {
        USER
    }

    /// [`SCRATCH`], for templates.
    pub fn scratch(&self) -> Memory {
        SCRATCH
    }
}

impl Given {
    /// Whether it sets the memory limit of the runtime.
    pub fn is_memory_limit(&self) -> bool {
        matches!(self.value, Value::Plain(_)) && variables::is_memory_limit(&self.name)
    }

    fn plain(it: &Variable) -> Self {
        Self { name: it.name.clone(), value: Value::Plain(it.value.clone()) }
    }
}

/// The value of each secret in the smoke test.
pub const STAND_IN: &str = "smoke-test";

/// The settings with which the smoke test starts the image.
#[derive(Clone, Debug)]
pub struct SmokeTest {
    /// The variables of the container. Each secret is [`STAND_IN`].
    pub variables: Vec<(VariableName, Text)>,
    /// How long the program may take to start, in seconds.
    pub start: u32,
    /// The accepted statuses of the readiness probe.
    pub readiness: Label,
    /// The exit codes of a program that shut down gracefully after SIGTERM.
    pub exit_codes: Text,
}

impl SmokeTest {
    /// [`STAND_IN`], for templates.
    pub fn stand_in(&self) -> &'static str {
        STAND_IN
    }

    /// `only` are variables that only environments set. `emulated` is whether the runner emulates the architecture of the image.
    pub fn of(application: &Application, only: &[Variable], permitted: bool, emulated: bool) -> Self {
        let mut variables: Vec<(VariableName, Text)> = application
            .given()
            .into_iter()
            .map(|it| match it.value {
                Value::Plain(value) => (it.name, value),
                Value::Secret(_) => (it.name, Text::ours(STAND_IN)),
            })
            .collect();
        for Variable { name, value } in only {
            if !variables.iter().any(|(known, _)| known == name) {
                variables.push((name.clone(), value.clone()));
            }
        }
        let database = application.database.is_some();
        // No server has this address: the program must run without its database.
        let of_database = |parameter: &str| match parameter {
            "endpoint" => "database.invalid",
            "port" => "5432",
            _ => STAND_IN,
        };
        let shared = Share::VARIABLES.iter().filter(|_| database).map(|(name, parameter)| {
            (VariableName::read(name).unwrap_or_default(), Text::ours(of_database(parameter)))
        });
        variables.extend(shared);
        let depends = permitted || application.internet || !application.secrets.is_empty();
        Self {
            variables,
            // Emulated code is several times slower than native code.
            start: application.start_within * if emulated { 4 } else { 1 },
            readiness: Label::ours(match (database, depends) {
                (true, _) => "503",
                (false, true) => "200 503",
                (false, false) => "200",
            }),
            exit_codes: Text::ours(application.program.exit_codes()),
        }
    }
}
