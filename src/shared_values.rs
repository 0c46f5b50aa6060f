//! The values in a file that others set: a robot or a pull request raises the tag of an image, and a render keeps it. Which lines
//! they stand in, the page says.

/// The value of each line that begins so, with the comment that follows it, in the order of the text.
pub fn values(text: &str, shared: &[impl AsRef<str>]) -> Vec<String> {
    text.lines().filter_map(|line| Some(split(line, shared)?.1.trim_end().to_owned())).collect()
}

/// The text without these values and what follows them on their line: what is left is nobody's but ours.
pub fn masked(text: &str, shared: &[impl AsRef<str>]) -> String {
    let line = |line| match split(line, shared) {
        Some((before, _)) => format!("{before}\n"),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The text with other values, as far as there are any. A comment of the text replaces one of the value.
pub fn exchanged(text: &str, shared: &[impl AsRef<str>], values: &[String]) -> String {
    let mut values = values.iter();
    let line = |line| match split(line, shared).map(|parts| (parts, values.next())) {
        Some(((before, rest), Some(value))) => {
            let after = &rest[first_word(rest).len()..];
            let value = if after.trim().is_empty() { value } else { first_word(value) };
            format!("{before}{value}{after}")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The value itself, without quotes and comment.
pub fn bare(value: &str) -> &str {
    first_word(value).trim_matches(['"', '\''])
}

/// What stands before the value of a line, and the rest of the line.
fn split<'t>(line: &'t str, shared: &[impl AsRef<str>]) -> Option<(&'t str, &'t str)> {
    let start = shared.iter().find(|start| line.trim_start().starts_with(start.as_ref()))?;
    let (before, rest) = line.split_at(line.len() - line.trim_start().len() + start.as_ref().len());
    (!first_word(rest).is_empty()).then_some((before, rest))
}

fn first_word(text: &str) -> &str {
    &text[..text.find(char::is_whitespace).unwrap_or(text.len())]
}
