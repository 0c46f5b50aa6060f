//! How a pod ends without a failed request: four numbers that must fit each other. Kubernetes tells it to stop and the load
//! balancer to send no more; both take their time.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    diagnostics::{Finding, Report},
    source::{Located, value_or},
};

/// How a pod ends, in seconds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// How long it still serves after it was told to leave, before SIGTERM: until every node and load balancer knows. 15, if
    /// you do not say.
    #[schemars(range(min = 5, max = 300))]
    pre_stop: Option<Located<u32>>,
    /// How long the program may finish requests after SIGTERM. 30, if you do not say.
    #[schemars(range(min = 1, max = 3600))]
    drain: Option<Located<u32>>,
    /// How long the load balancer waits for open requests of a pod that leaves. As long as `drain`, if you do not say.
    #[schemars(range(min = 0, max = 3600))]
    deregistration_delay: Option<Located<u32>>,
    /// When SIGKILL comes, counted from the beginning: more than `pre-stop` and `drain` together. 15 seconds more, if you do
    /// not say.
    #[schemars(range(min = 1, max = 7200))]
    grace_period: Option<Located<u32>>,
}

/// How a pod ends, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Shutdown {
    pub pre_stop: u32,
    pub drain: u32,
    pub deregistration_delay: u32,
    pub grace_period: u32,
}

impl Shutdown {
    pub fn resolve(name: &Located<String>, spec: Option<&Spec>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let pre_stop = value_or(&spec.pre_stop, 15);
        let drain = value_or(&spec.drain, 30);
        let alive = pre_stop + drain;
        let deregistration_delay = value_or(&spec.deregistration_delay, drain);
        let grace_period = value_or(&spec.grace_period, alive + 15);
        let known = !report.excused(&["applications", name, "shutdown"]);
        if let Some(at) = spec.grace_period.as_ref().filter(|_| grace_period <= alive && known) {
            report.add(
                Finding::new(
                    "application/grace-period",
                    format!("`{}` is killed while it still answers", name.escape_debug()),
                )
                .at(
                    at.span(),
                    format!("{pre_stop} of `pre-stop` and {drain} of `drain` take {alive} seconds"),
                )
                .help(format!("write {} or more, or less of the two", alive + 1)),
            );
        }
        if let Some(at) = spec.deregistration_delay.as_ref().filter(|_| deregistration_delay > alive && known)
        {
            report.add(
                Finding::new(
                    "application/deregistration-delay",
                    format!("the load balancer waits for a pod of `{}` that is gone", name.escape_debug()),
                )
                .at(
                    at.span(),
                    format!("{pre_stop} of `pre-stop` and {drain} of `drain` end after {alive} seconds"),
                )
                .help(format!(
                    "write {alive} or less, or let it live longer: `drain = {}`",
                    deregistration_delay - pre_stop
                )),
            );
        }
        Self { pre_stop, drain, deregistration_delay, grace_period }
    }

    /// What is left when it should be gone.
    pub fn spare(&self) -> u32 {
        self.grace_period.saturating_sub(self.pre_stop + self.drain)
    }
}
