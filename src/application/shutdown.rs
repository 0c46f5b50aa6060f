//! The shutdown of a pod without failed requests: four durations that depend on each other. Kubernetes stops the pod and removes
//! it from the load balancer at the same time, and both take a while.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    diagnostics::{Finding, Report},
    source::{Located, value_or},
};

/// The graceful shutdown of a pod, in seconds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// How long the pod still serves requests before it gets SIGTERM: until every node and load balancer has stopped to send
    /// new ones.
    #[schemars(range(min = 5, max = 300), extend("default" = PRE_STOP))]
    pre_stop: Option<Located<u32>>,
    /// How long the program may finish requests after SIGTERM.
    #[schemars(range(min = 1, max = 3600), extend("default" = DRAIN))]
    drain: Option<Located<u32>>,
    /// How long the load balancer waits for open requests of a pod that it removes. Default: `drain`.
    #[schemars(range(min = 0, max = 3600))]
    deregistration_delay: Option<Located<u32>>,
    /// When the pod gets SIGKILL, counted from the start of the shutdown: more than `pre-stop` and `drain` together. Default:
    /// their sum and 15 more.
    #[schemars(range(min = 1, max = 7200))]
    grace_period: Option<Located<u32>>,
}

const PRE_STOP: u32 = 15;
const DRAIN: u32 = 30;

/// The shutdown of a pod, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Shutdown {
    /// From the start of the shutdown to SIGTERM.
    pub pre_stop: u32,
    /// How long the program may finish requests after SIGTERM.
    pub drain: u32,
    /// How long the load balancer waits for open requests of a pod that it removes.
    pub deregistration_delay: u32,
    /// From the start of the shutdown to SIGKILL.
    pub grace_period: u32,
}

impl Shutdown {
    /// Reports a grace period that is too short, and a deregistration delay that is longer than the pod runs.
    pub fn resolve(name: &Located<String>, spec: Option<&Spec>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let pre_stop = value_or(&spec.pre_stop, PRE_STOP);
        let drain = value_or(&spec.drain, DRAIN);
        let alive = pre_stop + drain;
        let deregistration_delay = value_or(&spec.deregistration_delay, drain);
        let grace_period = value_or(&spec.grace_period, alive + 15);
        let known = !report.already_reported(&["applications", name, "shutdown"]);
        if let Some(at) = spec.grace_period.as_ref().filter(|_| grace_period <= alive && known) {
            report.add(
                Finding::new(
                    "application/grace-period",
                    format!("`{}` is killed before it has finished its requests", name.escape_debug()),
                )
                .at(at.span(), format!("`pre-stop` ({pre_stop}) and `drain` ({drain}) take {alive} seconds"))
                .help(format!("write {} or more, or lower `pre-stop` or `drain`", alive + 1)),
            );
        }
        if let Some(at) = spec.deregistration_delay.as_ref().filter(|_| deregistration_delay > alive && known)
        {
            report.add(
                Finding::new(
                    "application/deregistration-delay",
                    format!(
                        "the load balancer waits for a pod of `{}` that has already ended",
                        name.escape_debug()
                    ),
                )
                .at(
                    at.span(),
                    format!("`pre-stop` ({pre_stop}) and `drain` ({drain}) end after {alive} seconds"),
                )
                .help(format!(
                    "write {alive} or less, or raise `drain` to {}",
                    deregistration_delay - pre_stop
                )),
            );
        }
        Self { pre_stop, drain, deregistration_delay, grace_period }
    }

    /// The time between the end of the drain and SIGKILL.
    pub fn spare(&self) -> u32 {
        self.grace_period.saturating_sub(self.pre_stop + self.drain)
    }
}
