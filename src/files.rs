//! The files that a person manages although the blueprint renders them. Which files there are is not known here.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::Located;

/// Files that renders leave to you.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The files that renders do not change from now on, each as `REPOSITORY/PATH`. `check` lists them and does not compare them.
    pub handed_over: Option<Vec<Located<String>>>,
}
