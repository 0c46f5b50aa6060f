//! Checks the tree of a blueprint against the JSON Schema that is generated from its types.
//!
//! Values that do not match are reported and removed from the tree, so that the rest can be deserialized.

use std::fmt;

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use crate::{
    diagnostics::{Finding, Report},
    source::Span,
    words::double_quoted,
};

/// The table of overlays. Paths begin anew inside each of them.
pub const ENVIRONMENTS: &str = "environments";

/// Why a key cannot differ between environments. A schema with it and `not` refuses the key.
pub const PLATFORM_WIDE: &str = "x-platform-wide";

/// The path of a key from the top. It borrows, because it is created for every table.
#[derive(Clone, Copy)]
pub enum Path<'a> {
    /// The top of a blueprint, or of an overlay.
    Top,
    /// A key below another path.
    Key(&'a Path<'a>, &'a str),
}

/// Reports values that do not match, and removes them from the tree.
pub fn check(tree: &mut DeTable<'_>, schema: &Value, report: &mut Report) {
    Check { report }.table(tree, schema, Path::Top);
}

struct Check<'a> {
    report: &'a mut Report,
}

impl Check<'_> {
    fn table(&mut self, table: &mut DeTable<'_>, schema: &Value, path: Path<'_>) {
        let overlay = matches!(path, Path::Key(Path::Top, ENVIRONMENTS));
        for key in table.keys().cloned().collect::<Vec<_>>() {
            let (span, mut name) = (key.span(), key.get_ref().to_string());
            if overlay {
                self.report.enter(Some(&name));
            }
            if property(schema, &name).is_none() {
                // A misspelt key is treated as the most similar one, so that it is not reported as missing too.
                let value = table.remove(name.as_str());
                let near = self.unknown(&name, span.clone().into(), schema);
                let near = near.filter(|near| !table.contains_key(near.as_str()));
                let (Some(near), Some(value)) = (near, value) else { continue };
                table.insert(Spanned::new(span.clone(), near.clone().into()), value);
                name = near;
            }
            let inner = if overlay { Path::Top } else { Path::Key(&path, &name) };
            let free = property(schema, &name).is_some_and(|it| *it == Value::Bool(true));
            if let Some(finding) = misfit_key(&name, span.clone().into()).filter(|_| free) {
                self.report.add(finding);
                table.remove(name.as_str());
                continue;
            }
            if let (Some(schema), Some(value)) = (property(schema, &name), table.get_mut(name.as_str()))
                && let Err(finding) = self.value(value, span.clone().into(), schema, inner)
            {
                self.report.add(finding);
                self.report.mark_removed(inner.keys());
                table.remove(name.as_str());
                if schema["type"] == "object" {
                    // A table of the wrong type is not reported as missing.
                    let key = Spanned::new(span.clone(), name.clone().into());
                    table.insert(key, Spanned::new(span, DeValue::Table(DeTable::new())));
                }
            }
            if overlay {
                self.report.enter(None);
            }
        }
    }

    fn unknown(&mut self, key: &str, span: Span, schema: &Value) -> Option<String> {
        if let Some(way) = schema["x-retired"][key].as_str() {
            let finding = Finding::new("blueprint/unknown-key", format!("the key `{key}` was removed"));
            self.report.add(finding.at(span, "removed").help(way));
            return None;
        }
        let known = || schema["properties"].as_object().into_iter().flat_map(|known| known.keys());
        let near = near(key, known().map(String::as_str));
        let finding = Finding::new("blueprint/unknown-key", format!("unknown key `{}`", key.escape_debug()));
        self.report.add(finding.at(span, "not a key of this table").help(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its keys are {}", list(known())),
        }));
        near.map(str::to_owned)
    }

    fn value(
        &mut self,
        value: &mut Spanned<DeValue<'_>>,
        key: Span,
        schema: &Value,
        path: Path<'_>,
    ) -> Result<(), Finding> {
        if schema.get("not").is_some() {
            let title = format!("`{path}` cannot differ between environments");
            let why = schema[PLATFORM_WIDE].as_str().unwrap_or_default();
            return Err(Finding::new("blueprint/platform-wide", title)
                .at(key, "belongs to the whole platform")
                .help(format!("set it outside `[environments]`: {why}")));
        }
        let (span, found) = (Span::from(value.span()), value.get_ref().type_str());
        let choices = choices(schema);
        let wanted = if choices.is_empty() { schema["type"].as_str() } else { Some("string") };
        match (wanted, value.get_mut()) {
            (Some("object"), DeValue::Table(table)) => self.table(table, schema, path),
            (Some("array"), DeValue::Array(array)) => {
                let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
                let least = schema["minItems"].as_u64().unwrap_or(0);
                if !(least..=most).contains(&(array.len() as u64)) {
                    let title = format!("`{path}` has {} items", array.len());
                    let label = format!("must have from {least} to {most} items");
                    return Err(Finding::new("blueprint/length", title).at(span, label));
                }
                let misfit = |item| self.value(item, key.clone(), &schema["items"], path).err();
                let misfits = array.iter_mut().filter_map(misfit).collect();
                return self.all(misfits);
            }
            (Some("string"), DeValue::String(word)) => {
                if !choices.is_empty() && !choices.contains(&word.as_ref()) {
                    let title = format!("`{}` is not an allowed value of `{path}`", word.escape_debug());
                    // A short list is easy to read; for a long one the most similar value helps more.
                    let help = match near(word, choices.iter().copied()) {
                        Some(near) if choices.len() > 4 => format!("did you mean `{near}`?"),
                        _ => format!("allowed values: {}", list(choices)),
                    };
                    return Err(Finding::new("blueprint/choice", title).at(span, "not allowed").help(help));
                }
            }
            (Some("integer"), DeValue::Integer(number)) => {
                let (low, high) = limits(schema);
                if !parse(number).is_some_and(|number| (low..=high).contains(&number)) {
                    let title = format!("`{path}` is out of range");
                    let label = format!("must be from {low} to {high}");
                    return Err(Finding::new("blueprint/range", title).at(span, label));
                }
            }
            (Some("number"), DeValue::Float(_) | DeValue::Integer(_)) => {}
            (Some("boolean"), DeValue::Boolean(_)) => {}
            (None, _) => {
                let mut found = Vec::new();
                misfits(value, path, &mut found);
                return self.all(found);
            }
            (Some(wanted), _) => {
                let title = format!("`{path}` has the wrong type");
                let label = format!("expected {}, found {found}", wanted.replace("object", "table"));
                return Err(Finding::new("blueprint/type", title).at(span, label));
            }
        }
        Ok(())
    }

    /// The last one is returned, so that the caller removes the value that contains it.
    fn all(&mut self, mut misfits: Vec<Finding>) -> Result<(), Finding> {
        let last = misfits.pop();
        misfits.into_iter().for_each(|finding| self.report.add(finding));
        last.map_or(Ok(()), Err)
    }
}

/// Values in a table without a schema that our types or YAML cannot represent.
fn misfits(value: &Spanned<DeValue<'_>>, path: Path<'_>, found: &mut Vec<Finding>) {
    let misfit =
        |title: String, label: &str| Finding::new("blueprint/value", title).at(value.span().into(), label);
    match value.get_ref() {
        DeValue::Integer(number) if parse(number).is_none() => {
            found.push(misfit(format!("a number in `{path}` is out of range"), "whole numbers have 64 bits"));
        }
        DeValue::Float(number) if !number.as_str().parse::<f64>().is_ok_and(f64::is_finite) => {
            let title = format!("a number in `{path}` is not finite");
            found.push(misfit(title, "this becomes JSON, which has neither `inf` nor `nan`"));
        }
        DeValue::Array(array) => array.iter().for_each(|item| misfits(item, path, found)),
        DeValue::Table(table) => {
            for (key, value) in table {
                found.extend(misfit_key(key.get_ref(), key.span().into()));
                misfits(value, path, found);
            }
        }
        _ => {}
    }
}

/// The longest key, with its quotes, that YAML allows without `?` before it (YAML 1.2.2, 7.4.3).
const LONGEST_KEY: usize = 1024;

/// The key under which the parser returns a date.
const DATE: &str = "$__toml_private_datetime";

fn misfit_key(key: &str, span: Span) -> Option<Finding> {
    let length = double_quoted(key).chars().count();
    if key == DATE {
        let finding = Finding::new("blueprint/value", format!("`{DATE}` cannot be a key"));
        return Some(finding.at(span, "the parser of TOML uses this key itself"));
    }
    (length > LONGEST_KEY).then(|| {
        Finding::new("blueprint/value", format!("a key has {length} characters, with its quotes"))
            .at(span, format!("YAML takes at most {LONGEST_KEY}"))
    })
}

/// Reports each missing required key of a complete tree. `span` is the position of the table.
pub fn require(table: &DeTable<'_>, span: &Span, schema: &Value, report: &mut Report) {
    require_in(table, span, schema, Path::Top, report);
}

fn require_in(table: &DeTable<'_>, span: &Span, schema: &Value, path: Path<'_>, report: &mut Report) {
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let path = Path::Key(&path, key);
        if !table.contains_key(key) && !was_removed(path, report) {
            let words = schema["properties"][key]["description"].as_str().unwrap_or_default();
            let words = words.trim_end_matches('.');
            let help = format!("add `{key}`: {}", first_small(words));
            report.add(
                Finding::new("blueprint/missing-key", format!("`{path}` is missing"))
                    .at(span.clone(), format!("`{key}` is required"))
                    .help(help),
            );
        }
    }
    for (key, value) in table {
        let path = Path::Key(&path, key.get_ref());
        if let (DeValue::Table(inner), Some(schema)) = (value.get_ref(), property(schema, key.get_ref()))
            && !was_removed(path, report)
        {
            require_in(inner, &value.span().into(), schema, path, report);
        }
        if let (DeValue::Array(items), Some(schema)) = (value.get_ref(), property(schema, key.get_ref())) {
            for item in items.iter() {
                if let DeValue::Table(inner) = item.get_ref() {
                    require_in(inner, &item.span().into(), &schema["items"], path, report);
                }
            }
        }
    }
}

fn was_removed(path: Path<'_>, report: &Report) -> bool {
    report.has_removed() && report.was_removed(&path.keys())
}

/// Merges an overlay into a base. Every value keeps its position.
pub fn merge<'i>(base: &mut DeTable<'i>, overlay: &DeTable<'i>) {
    for (key, value) in overlay {
        if let (Some(DeValue::Table(old)), DeValue::Table(new)) =
            (base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.get_ref())
        {
            merge(old, new);
            continue;
        }
        base.remove(key.get_ref().as_ref());
        base.insert(key.clone(), value.clone());
    }
}

/// The schema of a key. None if the table does not allow it.
fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let other = || schema.get("additionalProperties").filter(|other| **other != Value::Bool(false));
    schema["properties"].get(key).or_else(other)
}

/// The values of an enum. Documented variants have a schema of their own.
fn choices(schema: &Value) -> Vec<&str> {
    let list = |key: &str| schema[key].as_array().into_iter().flatten();
    let words = list("enum").chain(schema.get("const")).filter_map(Value::as_str);
    words.chain(list("oneOf").flat_map(choices)).collect()
}

/// The most similar word, if it is similar enough.
fn near<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let distance = |known: &str| strsim::damerau_levenshtein(known, word);
    known.min_by_key(|it| distance(it)).filter(|it| distance(it) <= (word.len() / 3).max(1))
}

/// The description with a lower-case first letter, for the end of another sentence.
fn first_small(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
}

fn limits(schema: &Value) -> (i64, i64) {
    let widest = if schema["format"] == "uint32" { u32::MAX.into() } else { i64::MAX };
    (schema["minimum"].as_i64().unwrap_or(i64::MIN), schema["maximum"].as_i64().unwrap_or(widest))
}

fn parse(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl Path<'_> {
    /// The keys from the top. Empty for the top itself.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Top => Vec::new(),
            Self::Key(above, key) => {
                let mut keys = above.keys();
                keys.push((*key).to_owned());
                keys
            }
        }
    }
}

/// A dotted key, as in TOML.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Key(above, key) = self else { return Ok(()) };
        if !matches!(above, Path::Top) {
            write!(f, "{above}.")?;
        }
        let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if bare { f.write_str(key) } else { write!(f, "{key:?}") }
    }
}

fn list(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect();
    words.join(", ")
}
