//! Three versions of a text, merged line by line. Which versions these are is decided elsewhere.

use diffy::{ConflictStyle, MergeOptions};

/// What a person reads between the markers of a conflict.
const LABELS: [(&str, &str); 3] = [
    ("<<<<<<< ours\n", "<<<<<<< on disk\n"),
    ("||||||| original\n", "||||||| rendered before\n"),
    (">>>>>>> theirs\n", ">>>>>>> rendered now\n"),
];

/// The text with the changes of both sides, or with conflict markers in the style of diff3 where both changed the same lines.
pub fn three_way(base: &str, disk: &str, rendered: &str) -> Result<String, String> {
    let mut options = MergeOptions::new();
    options.set_conflict_style(ConflictStyle::Diff3);
    options.merge(base, disk, rendered).map_err(|text| {
        let labelled =
            |line: &str| LABELS.iter().find(|(old, _)| *old == line).map_or(line, |(_, new)| new).to_owned();
        text.split_inclusive('\n').map(labelled).collect()
    })
}

/// Whether a conflict is not resolved yet: one marker that is left is enough.
pub fn has_markers(text: &str) -> bool {
    text.split_inclusive('\n').any(|line| LABELS.iter().any(|(_, marker)| *marker == line))
}
