//! A parsed blueprint. Nothing is decided here, and no default is applied.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, transform_subschemas},
};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    application, aws, cluster, components, database,
    diagnostics::{Finding, Report},
    dns, files, github, network,
    source::{Located, Source, Span},
    syntax,
    validation::{self, ENVIRONMENTS, PLATFORM_WIDE},
    words::{
        Name,
        patterns::{Pattern, Spelled},
    },
};

// All fields are `Option`: the schema says which keys are required, and `validation` checks it.

/// A platform. Every key may differ between environments unless it is marked `x-platform-wide`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The version of the blueprint language: 1.
    #[schemars(required, range(min = 1, max = 1))]
    #[schemars(extend("x-platform-wide" = "a blueprint is written in one version of the language"))]
    pub schema: Option<Located<u32>>,
    /// The platform's name. Most other names begin with it.
    #[schemars(required)]
    #[schemars(with = "Option<Spelled<Name>>")]
    #[schemars(extend("x-platform-wide" = "names in every repository begin with it"))]
    pub name: Option<Located<String>>,
    /// What the platform is for, in one line.
    #[schemars(extend("x-platform-wide" = "it is written into files that all environments share"))]
    pub purpose: Option<Located<String>>,
    /// The GitHub owner and repositories.
    #[schemars(required)]
    #[schemars(extend("x-platform-wide" = "all environments share the repositories"))]
    pub github: Option<github::Spec>,
    /// The AWS account and region, and settings for IAM roles and tags.
    #[schemars(required)]
    pub aws: Option<aws::Spec>,
    /// The DNS zone of the host names.
    pub dns: Option<dns::Spec>,
    /// The VPC: address range, availability zones, NAT and endpoints.
    pub network: Option<network::Spec>,
    /// The EKS cluster and its node groups.
    pub cluster: Option<cluster::Spec>,
    /// The PostgreSQL instance that the applications share. It exists if an application has a `database`.
    pub database: Option<Located<database::Spec>>,
    /// Settings of the components. A component is enabled automatically when something needs it.
    pub components: Option<components::Specs>,
    /// The applications, by name.
    #[schemars(extend("propertyNames" = {"pattern": Name::pattern()}))]
    pub applications: Option<BTreeMap<Located<String>, application::Spec>>,
    /// Files that renders leave to you.
    #[schemars(extend("x-platform-wide" = "all environments share the repositories"))]
    pub files: Option<files::Spec>,
}

/// The base, and each environment completely: the base merged with its overlay. The environment of a
/// blueprint without environments has no name yet.
#[derive(Debug)]
pub struct Blueprint {
    /// The position for findings about the whole platform: its name, if it has one.
    pub place: Span,
    /// The keys outside `[environments]`.
    pub base: Spec,
    /// The environments in the order of the file: at least one.
    pub environments: Vec<(Option<Located<String>>, Spec)>,
}

/// An incomplete tree would give wrong findings, so syntax errors are reported alone.
pub fn read(source: &Source, report: &mut Report) -> Option<Blueprint> {
    let (tree, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let place = error.span().unwrap_or_default().into();
        report.add(Finding::new("blueprint/syntax", error.message()).at(place, "here"));
    }
    if !errors.is_empty() {
        return None;
    }
    syntax::check(source, report);
    let (schema, mut base) = (schema(), tree.into_inner());
    let place = place(&base);
    validation::check(&mut base, schema, report);
    let overlays = match base.remove(ENVIRONMENTS).map(Spanned::into_inner) {
        Some(DeValue::Table(overlays)) => overlays,
        _ => DeTable::new(),
    };
    let mut order: Vec<_> = overlays.iter().collect();
    order.sort_by_key(|(name, _)| name.span().start);
    let mut environments = Vec::new();
    // One tree at a time, because blueprints may have many environments with many applications.
    for (name, overlay) in order {
        let mut tree = base.clone();
        if let DeValue::Table(overlay) = overlay.get_ref() {
            validation::merge(&mut tree, overlay);
        }
        let name = Located::new(name.span().into(), name.get_ref().to_string());
        report.enter(Some(&name));
        validation::require(&tree, &place, schema, report);
        environments.push((Some(name), typed(tree)));
    }
    report.enter(None);
    if environments.is_empty() {
        validation::require(&base, &place, schema, report);
        environments.push((None, typed(base.clone())));
    }
    Some(Blueprint { place, base: typed(base), environments })
}

/// The position for findings about the whole blueprint: its name, or the first key. In an empty one, the start.
fn place(tree: &DeTable<'_>) -> Span {
    let named = tree.keys().find(|key| key.get_ref() == "name");
    let place = named.or_else(|| tree.keys().min_by_key(|key| key.span().start));
    place.map_or(0..0, |key| key.span()).into()
}

fn typed(tree: DeTable<'_>) -> Spec {
    let tree = toml::de::Deserializer::from(Spanned::new(0..0, tree));
    Spec::deserialize(tree).expect("what fits the schema fits the types")
}

/// The schema for `validation` and for editors. It is generated once.
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(whole);
    &SCHEMA
}

fn whole() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let settings = settings.with_transform(RecursiveTransform(without_null));
    let settings = settings.with_transform(RecursiveTransform(described_default));
    let schema = settings.into_generator().into_root_schema_for::<Spec>();
    let mut overlay = schema.clone();
    overlay.remove("$schema");
    overlaid(&mut overlay);
    let mut schema = schema.to_value();
    schema["$id"] = json!("urn:blueprint:schema:1");
    schema["properties"][ENVIRONMENTS] = json!({
        "description": "The environments, by name, each with the keys that differ from the rest of the blueprint. Default: one environment, `production`.",
        "type": "object",
        "propertyNames": { "pattern": Name::pattern() },
        "additionalProperties": overlay,
    });
    titled(&mut schema, "");
    schema["title"] = json!("A blueprint");
    schema
}

/// Sets the header of each table as its title.
fn titled(schema: &mut Value, path: &str) {
    let Value::Object(schema) = schema else { return };
    if !path.is_empty() && schema.get("type").is_some_and(|it| it == "object") {
        schema.insert("title".to_owned(), json!(format!("[{path}]")));
    }
    let within = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, inner) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        titled(inner, &within(key));
    }
    if let Some(inner) = schema.get_mut("additionalProperties") {
        titled(inner, &within("NAME"));
    }
}

/// Adds the `default` to the description. If a default depends on other keys, the description already contains the rule.
fn described_default(schema: &mut Schema) {
    let (Some(default), Some(words)) = (schema.get("default"), schema.get("description")) else { return };
    let value = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
    let words = format!("{} {DEFAULT}`{value}`.", words.as_str().unwrap_or_default());
    schema.insert("description".to_owned(), words.into());
}

/// The start of the last sentence of a description.
const DEFAULT: &str = "Default: ";

/// In an overlay no key is required, platform-wide keys are refused, and the default is the value of the base.
fn overlaid(schema: &mut Schema) {
    schema.remove("required");
    schema.remove("default");
    if let Some((words, _)) =
        schema.get("description").and_then(Value::as_str).and_then(|it| it.split_once(DEFAULT))
    {
        let words = format!("{words}{DEFAULT}the value outside `[environments]`.");
        schema.insert("description".to_owned(), words.into());
    }
    if let Some(why) = schema.get(PLATFORM_WIDE).cloned() {
        *schema = json!({ "not": {}, PLATFORM_WIDE: why }).try_into().expect("an object is a schema");
    }
    transform_subschemas(&mut overlaid, schema);
}

/// `Option` allows `null`, which TOML does not have.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(mut any)) = schema.remove("anyOf")
        && let Value::Object(inner) = any.remove(0)
    {
        let outer = std::mem::take(schema.ensure_object());
        schema.ensure_object().extend(inner.into_iter().chain(outer));
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        let kind = types.remove(0);
        schema.insert("type".to_owned(), kind);
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}
