//! The filters with which templates write values: one for each language.
#![expect(missing_docs, reason = "`askama::filter_fn` generates public items without documentation")]

use std::borrow::Borrow;

use askama::{Result, Values, filters::Safe};

use super::{Bare, GithubAction, Hcl, Label, StackWord, Text, Words};

/// A whole number, which needs no quotes in YAML.
#[askama::filter_fn]
pub fn number(number: impl Borrow<u32>, _: &dyn Values) -> Result<u32> {
    Ok(*number.borrow())
}

/// A quoted HCL string.
#[askama::filter_fn]
pub fn hcl(text: impl Borrow<Text>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(hcl_string(text.borrow())))
}

/// An HCL expression from our own code.
#[askama::filter_fn]
pub fn code(expression: impl Borrow<Hcl>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(expression.borrow().0.clone()))
}

/// A list of HCL strings, for an attribute that is indented by `indent` spaces.
#[askama::filter_fn]
pub fn hcl_list(texts: impl Borrow<Vec<Text>>, _: &dyn Values, indent: usize) -> Result<Safe<String>> {
    Ok(Safe(list(texts.borrow().iter().map(hcl_string).collect(), indent)))
}

/// A list of HCL expressions, for an attribute that is indented by `indent` spaces.
#[askama::filter_fn]
pub fn code_list(items: impl Borrow<Vec<Hcl>>, _: &dyn Values, indent: usize) -> Result<Safe<String>> {
    Ok(Safe(list(items.borrow().iter().map(|it| it.0.clone()).collect(), indent)))
}

/// On one line if it fits, else one item per line.
fn list(items: Vec<String>, indent: usize) -> String {
    const WIDTH: usize = 100;
    let line = format!("[{}]", items.join(", "));
    if line.len() + indent <= WIDTH {
        return line;
    }
    let pad = " ".repeat(indent);
    let lines: String = items.iter().map(|item| format!("{pad}  {item},\n")).collect();
    format!("[\n{lines}{pad}]")
}

fn hcl_string(text: &Text) -> String {
    let mut out = String::from('"');
    let mut rest = text.0.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            _ => out.push(c),
        }
    }
    out + "\""
}

/// A quoted YAML string.
#[askama::filter_fn]
pub fn yaml(text: impl Borrow<Text>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(super::double_quoted(&text.borrow().0)))
}

/// A value in a CloudFormation template.
#[askama::filter_fn]
pub fn stack_word(word: impl Borrow<StackWord>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(word.borrow().yaml()))
}

/// The value of a key in a CloudFormation template: one word on the same line, several as a list that is indented by `indent`.
#[askama::filter_fn]
pub fn stack_words(
    words: impl Borrow<Vec<StackWord>>,
    _: &dyn Values,
    indent: usize,
) -> Result<Safe<String>> {
    Ok(Safe(match words.borrow().as_slice() {
        [word] => format!(" {}", word.yaml()),
        words => words.iter().map(|it| format!("\n{}- {}", " ".repeat(indent), it.yaml())).collect(),
    }))
}

/// A word that YAML cannot misread without quotes, which its type guarantees.
#[askama::filter_fn]
pub fn bare(word: impl Bare, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(word.to_string()))
}

/// Text as the value of a YAML key: without quotes if every parser reads it as a string, else with as few escapes as possible.
#[askama::filter_fn]
pub fn scalar(words: impl Words, _: &dyn Values) -> Result<Safe<String>> {
    let words = words.words();
    let plain = words.split(' ').all(|word| !word.is_empty())
        && words.starts_with(|c: char| c.is_ascii_alphabetic())
        && words.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@=+, ".contains(&b))
        && !super::YAML_WORDS.contains(&words.to_ascii_lowercase().as_str());
    let marked = words.contains(['"', '\\'])
        && !words.contains('\'')
        && words.bytes().all(|b| (0x20..0x7f).contains(&b));
    Ok(Safe(match (plain, marked) {
        (true, _) => words.to_owned(),
        (_, true) => format!("'{words}'"),
        _ => super::double_quoted(words),
    }))
}

/// Text without special characters, which its type guarantees. For diagrams, whose labels have no escapes.
#[askama::filter_fn]
pub fn plain(label: impl Borrow<Label>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(label.borrow().words().to_owned()))
}

/// Plain text in Markdown: punctuation that could have a meaning is escaped.
#[askama::filter_fn]
pub fn md(text: impl Borrow<Text>, _: &dyn Values) -> Result<Safe<String>> {
    let letters: Vec<char> = text.borrow().0.chars().collect();
    let mut escaped = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let ends = letters.get(place + 1).is_none_or(|next| *next == ' ');
        let plain = match letter {
            ',' | ';' | '?' | '(' | '\'' | '"' => true,
            // Inside a word it could begin a link.
            ':' => ends,
            // After a number it could begin a list.
            '.' | ')' => ends && place > 0 && !letters[place - 1].is_ascii_digit(),
            _ => !letter.is_ascii_punctuation(),
        };
        if !plain {
            escaped.push('\\');
        }
        escaped.push(*letter);
    }
    Ok(Safe(escaped))
}

/// Unchanged text, for a file that is parsed line by line: no text contains a line break.
#[askama::filter_fn]
pub fn line(text: impl Borrow<Text>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(text.borrow().0.clone()))
}

/// One word of a shell command, quoted if necessary.
#[askama::filter_fn]
pub fn sh(text: impl Words, _: &dyn Values) -> Result<Safe<String>> {
    let words = text.words();
    let plain =
        !words.is_empty() && words.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@,".contains(&b));
    Ok(Safe(if plain { words.to_owned() } else { format!("'{}'", words.replace('\'', r"'\''")) }))
}

/// The value of `uses:`, and the tag as a comment: `owner/action@SHA # v1.2.3`.
#[askama::filter_fn]
pub fn uses(action: impl Borrow<GithubAction>, _: &dyn Values) -> Result<Safe<String>> {
    let GithubAction { name, tag, sha } = action.borrow();
    Ok(Safe(format!("{name}@{sha} # {tag}")))
}
