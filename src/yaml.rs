//! Writes tables of a blueprint as YAML.
//!
//! A general emitter writes the strings `no` and `1e3` without quotes, which YAML 1.1 parses as a boolean and
//! as a number. Here a string has no quotes only if every parser reads it as a string.

use toml::{Table, Value};

use crate::words::{double_quoted, is_bare};

/// The lines of a table, each indented by `indent` spaces.
pub fn block(table: &Table, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let entry = |(key, value): (&String, &Value)| format!("{pad}{}:{}\n", string(key), nested(value, indent));
    table.iter().map(entry).collect()
}

/// The text after `key:` or `-`.
fn nested(value: &Value, indent: usize) -> String {
    match value {
        Value::Table(table) if !table.is_empty() => {
            format!("\n{}", block(table, indent + 2).trim_end_matches('\n'))
        }
        Value::Array(array) if !array.is_empty() => {
            let pad = " ".repeat(indent + 2);
            let item = |value: &Value| format!("\n{pad}-{}", item(value, indent + 2));
            array.iter().map(item).collect()
        }
        value => format!(" {}", scalar(value)),
    }
}

/// A collection in a list starts on the line of its `-`.
fn item(value: &Value, indent: usize) -> String {
    let text = nested(value, indent);
    match text.strip_prefix('\n') {
        Some(lines) => format!(" {}", lines.trim_start()),
        None => text,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(words) => string(words),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) if number.is_nan() => ".nan".to_owned(),
        Value::Float(number) if number.is_infinite() => {
            if *number < 0.0 { "-.inf" } else { ".inf" }.to_owned()
        }
        Value::Float(number) if number.fract() == 0.0 => format!("{number}.0"),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(date) => double_quoted(&date.to_string()),
        Value::Array(_) => "[]".to_owned(),
        Value::Table(_) => "{}".to_owned(),
    }
}

fn string(words: &str) -> String {
    if is_bare(words) { words.to_owned() } else { double_quoted(words) }
}
