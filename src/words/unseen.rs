//! Characters that are invisible, or that change how the characters around them are displayed. Callers refuse or escape them.

use std::{borrow::Cow, ops::RangeInclusive};

/// General category Cf, line and paragraph separators, and the combining grapheme joiner. Source: Unicode 16, `UnicodeData.txt`.
const UNSEEN: [RangeInclusive<char>; 22] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{fdd0}'..='\u{fdef}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0001}'..='\u{e007f}',
    '\u{e0100}'..='\u{e01ef}',
];

/// Also control characters and noncharacters such as U+FFFE: YAML 1.2 refuses some of them.
pub fn is_unseen(c: char) -> bool {
    c.is_control() || c as u32 & 0xfffe == 0xfffe || UNSEEN.iter().any(|range| range.contains(&c))
}

/// Text for a terminal: invisible and control characters are escaped.
pub fn shown(words: &str) -> String {
    let mut out = String::new();
    for c in words.chars() {
        if is_unseen(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Replaces them by characters of the same length in bytes, so that positions stay the same. ASCII characters are unchanged: the
/// renderer of findings escapes them.
pub fn masked(text: &str) -> Cow<'_, str> {
    let masks = |c: char| is_unseen(c) && !c.is_ascii();
    if !text.contains(masks) {
        return Cow::Borrowed(text);
    }
    let mask = |c: char| match c.len_utf8() {
        _ if !masks(c) => c.to_string(),
        2 => "\u{a4}".to_owned(),
        3 => "\u{fffd}".to_owned(),
        _ => "\u{fffd}?".to_owned(),
    };
    Cow::Owned(text.chars().map(mask).collect())
}
