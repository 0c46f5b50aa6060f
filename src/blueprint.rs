//! What a person asked for, as they wrote it. Nothing is decided here, and no default applied.

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
    dns, github, network,
    shape::{self, ENVIRONMENTS, PLATFORM_WIDE},
    source::{Located, Source, Span},
    syntax,
};

// All fields are `Option`: that a key must be there is said in the schema, where `shape` finds it.

/// A platform. Every key may differ between environments, unless it is `x-platform-wide`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The version of this language: 1.
    #[schemars(required, range(min = 1, max = 1))]
    #[schemars(extend("x-platform-wide" = "a blueprint is written in one version of the language"))]
    pub schema: Option<Located<u32>>,
    /// The platform's name. Most other names begin with it.
    #[schemars(required)]
    #[schemars(extend("x-platform-wide" = "names in every repository begin with it"))]
    pub name: Option<Located<String>>,
    /// What the platform is for, in one line.
    #[schemars(extend("x-platform-wide" = "it stands in files that all environments share"))]
    pub purpose: Option<Located<String>>,
    /// Where the repositories live.
    #[schemars(required)]
    #[schemars(extend("x-platform-wide" = "all environments share the repositories"))]
    pub github: Option<github::Spec>,
    /// Where the platform runs.
    #[schemars(required)]
    pub aws: Option<aws::Spec>,
    /// The names under which the platform is found.
    pub dns: Option<dns::Spec>,
    /// The addresses of the platform.
    pub network: Option<network::Spec>,
    /// The cluster.
    pub cluster: Option<cluster::Spec>,
    /// The database that the applications share, if one of them has a `database`.
    pub database: Option<Located<database::Spec>>,
    /// The parts that are on by themselves where something needs them.
    pub components: Option<components::Specs>,
    /// The applications, by name.
    pub applications: Option<BTreeMap<Located<String>, application::Spec>>,
}

/// The base as it stands, and each environment whole: the base under its overlay. The one
/// environment of a blueprint that names none has no name yet.
#[derive(Debug)]
pub struct Blueprint {
    /// Where it stands that there is a platform: its name, if it has one.
    pub place: Span,
    pub base: Spec,
    pub environments: Vec<(Option<Located<String>>, Spec)>,
}

/// A tree with holes would earn findings that are not true, so syntax errors are said alone.
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
    shape::check(&mut base, schema, report);
    let overlays = match base.remove(ENVIRONMENTS).map(Spanned::into_inner) {
        Some(DeValue::Table(overlays)) => overlays,
        _ => DeTable::new(),
    };
    let mut order: Vec<_> = overlays.iter().collect();
    order.sort_by_key(|(name, _)| name.span().start);
    let mut environments = Vec::new();
    // One tree at a time: there may be many environments of many applications.
    for (name, overlay) in order {
        let mut tree = base.clone();
        if let DeValue::Table(overlay) = overlay.get_ref() {
            shape::merge(&mut tree, overlay);
        }
        let name = Located::new(name.span().into(), name.get_ref().to_string());
        report.enter(Some(&name));
        shape::require(&tree, &place, schema, report);
        environments.push((Some(name), typed(tree)));
    }
    report.enter(None);
    if environments.is_empty() {
        shape::require(&base, &place, schema, report);
        environments.push((None, typed(base.clone())));
    }
    Some(Blueprint { place, base: typed(base), environments })
}

/// What stands for the whole of a blueprint: its name, or the first key. An empty one has only its beginning.
fn place(tree: &DeTable<'_>) -> Span {
    let named = tree.keys().find(|key| key.get_ref() == "name");
    let place = named.or_else(|| tree.keys().min_by_key(|key| key.span().start));
    place.map_or(0..0, |key| key.span()).into()
}

fn typed(tree: DeTable<'_>) -> Spec {
    let tree = toml::de::Deserializer::from(Spanned::new(0..0, tree));
    Spec::deserialize(tree).expect("what fits the schema fits the types")
}

/// The schema that `shape` walks is the one that editors read. It is made once.
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(whole);
    &SCHEMA
}

fn whole() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let settings = settings.with_transform(RecursiveTransform(without_null));
    let schema = settings.into_generator().into_root_schema_for::<Spec>();
    let mut overlay = schema.clone();
    overlay.remove("$schema");
    overlaid(&mut overlay);
    let mut schema = schema.to_value();
    schema["properties"][ENVIRONMENTS] = json!({
        "description": "The environments, by name: what differs from the rest of the blueprint. One, `production`, if you name none.",
        "type": "object",
        "additionalProperties": overlay,
    });
    schema
}

/// An overlay needs nothing, and may not speak of what is platform-wide.
fn overlaid(schema: &mut Schema) {
    schema.remove("required");
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
