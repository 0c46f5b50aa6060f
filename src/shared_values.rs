//! The values in a file that others set: a robot or a pull request raises a tag, a digest or a patch version, and a render keeps it.
//! Which lines they stand in, and which versions are allowed there, the page says.

use std::collections::BTreeMap;

/// A line of a file whose value others set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How the line begins, without its indentation.
    start: String,
    /// What a message names before the value.
    name: String,
    /// The versions that are allowed. None if any is.
    line: Option<Line>,
    /// Whether the line is not rendered, and may follow a shared one.
    optional: bool,
}

/// The versions between which others may choose: those with the same beginning, the same variant, and a digest if the rendered value
/// has one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// The rendered value.
    own: String,
    /// The beginning as a person writes it: `1.26`, or the whole tag if it contains no version.
    shown: String,
    /// Whether a version follows the beginning.
    numbered: bool,
    /// What follows the version: `-alpine3.24`.
    variant: String,
}

/// A value as it stands in a file, or in its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The word of the lock for its line.
    pub at: String,
    /// The value, with the comment that follows it. Empty if an optional line is not there.
    pub text: String,
}

/// How the line with the digest of an image begins.
const DIGEST: &str = "digest: ";

/// Marks an optional line in a lock.
const OPTIONAL: char = '?';

/// Marks the value that a render itself has for a line, where others have set another one.
const OWN: char = '=';

impl Shared {
    /// A line with any value.
    pub fn any(start: &str) -> Self {
        Self { start: start.to_owned(), name: start.to_owned(), line: None, optional: false }
    }

    /// A line whose value may change as long as it begins with the same version, such as `1.26`.
    pub fn within(start: &str, name: &str, own: &str, version: &str) -> Self {
        let line = Some(Line::of(own, version));
        Self { start: start.to_owned(), name: name.to_owned(), line, optional: false }
    }

    /// The digest of an image, which may follow the line with its tag, with the same indentation. No render writes it.
    pub fn digest() -> Self {
        Self { optional: true, ..Self::any(DIGEST) }
    }

    /// Whether no render writes the line.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// As a lock lists it.
    fn word(&self) -> String {
        if self.optional { format!("{OPTIONAL}{}", self.start) } else { self.start.clone() }
    }

    /// The lines that a lock lists.
    pub fn of_lock(words: &[String]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for word in words.iter().filter(|word| !word.starts_with(OWN)) {
            let shared = match word.strip_prefix(OPTIONAL) {
                Some(start) => Self { optional: true, ..Self::any(start) },
                None => Self::any(word),
            };
            if !all.contains(&shared) {
                all.push(shared);
            }
        }
        all
    }

    /// Why this value is not allowed in the line.
    fn complaint(&self, line: &Line, value: &str) -> String {
        let tag = value.split('@').next().unwrap_or(value);
        let Line { shown, variant, .. } = line;
        let named = format!("{}{}", self.name, tag.escape_debug());
        if line.accepts_tag(tag).is_some() {
            format!("`{named}` must have a digest")
        } else if line.numbered && tag.starts_with(&format!("{shown}.")) {
            format!("`{named}` is not a version of `{shown}{variant}`, which the blueprint sets")
        } else {
            format!("`{named}` is outside `{shown}`, which the blueprint sets")
        }
    }
}

impl Line {
    fn of(own: &str, version: &str) -> Self {
        let tag = own.split('@').next().unwrap_or(own);
        let number = tag.strip_prefix(version).and_then(|rest| rest.strip_prefix('.'));
        let variant = number.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
        Self {
            own: own.to_owned(),
            shown: if number.is_some() { version } else { tag }.to_owned(),
            numbered: number.is_some(),
            variant: variant.unwrap_or_default().to_owned(),
        }
    }

    /// The line in which an older render had this value.
    fn around(&self, own: &str) -> Self {
        let places = self.shown.split('.').count();
        let version: Vec<&str> = own.split('.').take(places).collect();
        Self::of(own, &version.join("."))
    }

    /// The version behind the beginning, if the value is in this line.
    fn accepts(&self, value: &str) -> Option<Vec<u64>> {
        let (tag, digest) = value.split_once('@').map_or((value, None), |(tag, it)| (tag, Some(it)));
        let same = match digest {
            Some(digest) => self.own.contains('@') && is_digest(digest),
            None => !self.own.contains('@'),
        };
        self.accepts_tag(tag).filter(|_| same)
    }

    fn accepts_tag(&self, tag: &str) -> Option<Vec<u64>> {
        let rest = tag.strip_prefix(&self.shown)?;
        if !self.numbered {
            return rest.is_empty().then(Vec::new);
        }
        let number = rest.strip_prefix('.')?.strip_suffix(&self.variant)?;
        number.split('.').map(|part| part.parse().ok()).collect()
    }
}

fn is_digest(word: &str) -> bool {
    let hex = word.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// The values of a text, in its order. Behind each value, those of the optional lines.
pub fn values(text: &str, shared: &[Shared]) -> Vec<Value> {
    let mut all = Vec::new();
    for part in parts(text, shared) {
        let Part::Theirs { at, value, gap, comment, optional, .. } = part else { continue };
        let gap = if comment.is_empty() { "" } else { gap };
        all.push(Value { at: at.word(), text: format!("{value}{gap}{comment}") });
        all.extend(
            optional
                .iter()
                .map(|(at, text)| Value { at: at.word(), text: text.unwrap_or_default().to_owned() }),
        );
    }
    all
}

/// The text without these values and their comments: what is left is nobody's but ours.
pub fn masked(text: &str, shared: &[Shared]) -> String {
    let part = |part| match part {
        Part::Ours(line) => line.to_owned(),
        Part::Theirs { before, behind, .. } => format!("{before}{behind}\n"),
    };
    parts(text, shared).into_iter().map(part).collect()
}

/// The text with other values, as far as there are any. A comment of the text replaces one of the value.
pub fn exchanged(text: &str, shared: &[Shared], values: &[Value]) -> String {
    let mut queues = queues(values);
    let mut next = |at: &Shared| queues.get_mut(at.word().as_str()).and_then(Iterator::next);
    let mut all = String::new();
    for part in parts(text, shared) {
        match part {
            Part::Ours(line) => all.push_str(line),
            Part::Theirs { at, before, value, behind, gap, comment, end, optional } => {
                let theirs = next(at).map_or(value, |it| it.text.as_str());
                let word = first_word(theirs);
                let comment = if comment.is_empty() {
                    theirs[word.len()..].to_owned()
                } else {
                    format!("{gap}{comment}")
                };
                all.push_str(&format!("{before}{word}{behind}{comment}{end}"));
                let indentation = &before[..before.len() - before.trim_start().len()];
                for (at, value) in optional {
                    let value = next(at).map(|it| it.text.as_str()).or(value).filter(|it| !it.is_empty());
                    all.extend(value.map(|value| format!("{indentation}{}{value}\n", at.start)));
                }
            }
        }
    }
    all
}

fn queues(values: &[Value]) -> BTreeMap<&str, impl Iterator<Item = &Value>> {
    let mut lists: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for value in values {
        lists.entry(&value.at).or_default().push(value);
    }
    lists.into_iter().map(|(at, list)| (at, list.into_iter())).collect()
}

/// The values that a lock lists. One word may stand for all values.
pub fn of_lock(words: &[String], values: &[String]) -> Vec<Value> {
    let word = |place| if words.len() == values.len() { words.get(place) } else { words.first() };
    let value =
        |(place, text): (usize, &String)| Some(Value { at: word(place)?.clone(), text: text.clone() });
    values.iter().enumerate().filter_map(value).collect()
}

/// As a lock lists the values of a text: the words of their lines, and the values. What a render itself has for a line is listed if
/// others have set another value.
pub fn to_lock(text: &str, shared: &[Shared]) -> (Vec<String>, Vec<String>) {
    let mut all = values(text, shared);
    for (at, line) in shared.iter().filter_map(|at| Some((at, at.line.as_ref()?))) {
        if all.iter().any(|it| it.at == at.start && bare(&it.text) != line.own) {
            all.push(Value { at: format!("{OWN}{}", at.start), text: line.own.clone() });
        }
    }
    all.into_iter().map(|it| (it.at, it.text)).unzip()
}

/// These values, and what a render itself had for their lines by this lock. Without it nobody knows who set a digest.
pub fn with_own(values: Vec<Value>, last: &[Value]) -> Vec<Value> {
    let own = |value: &&Value| value.at.starts_with(OWN);
    let listed = last.iter().filter(own).cloned();
    let unlisted =
        last.iter().filter(|it| !own(it)).map(|it| Value { at: format!("{OWN}{}", it.at), ..it.clone() });
    let values = values.into_iter().filter(|it| !own(&it));
    values.chain(listed).chain(unlisted).collect()
}

/// What is known of the values of a file.
#[derive(Debug, Default)]
pub struct Known {
    /// On disk. None if the file is not there, or cannot be used.
    pub seen: Option<Vec<Value>>,
    /// In the lock: as a render saw them last.
    pub last: Vec<Value>,
    /// Whether the file on disk is exactly what a render wrote.
    pub exact: bool,
}

/// The values that a render keeps or sets, and what is wrong with one on disk.
#[derive(Debug, Default)]
pub struct Chosen {
    /// In the order of the file.
    pub values: Vec<Value>,
    /// Why a value on disk is not allowed.
    pub outside: Option<String>,
    /// Whether the value of a line was changed, but not the digest that belongs to it.
    pub stale: bool,
}

/// A value that others have set stays, unless the rendered one is newer, or is in another line of versions.
pub fn choose(text: &str, shared: &[Shared], known: &Known) -> Chosen {
    let mut chosen = Chosen::default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut raised = false;
    for planned in values(text, shared) {
        let place = places.entry(planned.at.clone()).or_default();
        let pick = |list: &[Value]| list.iter().filter(|it| it.at == planned.at).nth(*place).cloned();
        let (seen, last) = (known.seen.as_deref().and_then(pick), pick(&known.last));
        *place += 1;
        let at = shared.iter().find(|it| it.word() == planned.at);
        let value = match at.map(|at| (at, &at.line)) {
            Some((at, Some(line))) => {
                let own = known.last.iter().find(|it| it.at.strip_prefix(OWN) == Some(&at.start));
                let before = own.or(last.as_ref()).or(seen.as_ref().filter(|_| known.exact));
                let before = before.map(|it| bare(&it.text));
                let outside = |value: &&Value| {
                    let value = bare(&value.text);
                    line.accepts(value).is_none()
                        && before.is_none_or(|it| line.around(it).accepts(value).is_none())
                };
                let wrong = seen.as_ref().filter(outside);
                if let Some(wrong) = wrong {
                    chosen.outside.get_or_insert_with(|| at.complaint(line, bare(&wrong.text)));
                }
                let kept = if wrong.is_some() { last.clone() } else { seen.clone().or(last.clone()) };
                kept.filter(|it| line.keeps(bare(&it.text), before))
            }
            _ => {
                let changed = last.is_some() && seen.is_some() && seen != last;
                if planned.at.starts_with(OPTIONAL) {
                    let there = seen.as_ref().is_some_and(|it| !it.text.is_empty());
                    chosen.stale |= raised && there && seen == last;
                } else {
                    raised = changed
                        && seen.as_ref().map(|it| bare(&it.text)) != last.as_ref().map(|it| bare(&it.text));
                }
                seen.or(last)
            }
        };
        chosen.values.push(value.unwrap_or(planned));
    }
    chosen
}

impl Line {
    /// Whether a value stays instead of the rendered one. `before` is what the last render itself had: a digest cannot be compared,
    /// but if it is still that one, nobody has raised it.
    fn keeps(&self, value: &str, before: Option<&str>) -> bool {
        let (Some(theirs), Some(ours)) = (self.accepts(value), self.accepts(&self.own)) else { return false };
        theirs > ours || theirs == ours && Some(value) != before
    }
}

/// The value itself, without quotes and comment.
pub fn bare(value: &str) -> &str {
    first_word(value).trim_matches(['"', '\''])
}

/// A line of a text, or a shared line with the optional ones that follow it.
enum Part<'t, 's> {
    Ours(&'t str),
    Theirs {
        at: &'s Shared,
        /// What stands before the value.
        before: &'t str,
        value: &'t str,
        /// What stands between the value and the comment.
        behind: &'t str,
        /// The space before the comment.
        gap: &'t str,
        comment: &'t str,
        end: &'t str,
        optional: Vec<(&'s Shared, Option<&'t str>)>,
    },
}

fn parts<'t, 's>(text: &'t str, shared: &'s [Shared]) -> Vec<Part<'t, 's>> {
    let mut all: Vec<Part> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(Part::Theirs { before, optional, .. }) = all.last_mut()
            && let Some((slot, value)) = optional_line(line, before, optional)
        {
            slot.1 = Some(value);
            continue;
        }
        all.push(split(line, shared).unwrap_or(Part::Ours(line)));
    }
    all
}

/// The digest of an optional line below a shared one with the same indentation.
fn optional_line<'o, 't, 's>(
    line: &'t str,
    above: &str,
    optional: &'o mut [(&'s Shared, Option<&'t str>)],
) -> Option<(&'o mut (&'s Shared, Option<&'t str>), &'t str)> {
    let inside = line.trim_start();
    let same = line.len() - inside.len() == above.len() - above.trim_start().len();
    let slot = optional.iter_mut().find(|(at, value)| value.is_none() && inside.starts_with(&at.start))?;
    let value = inside[slot.0.start.len()..].trim_end();
    (same && is_digest(bare(value)) && first_word(value) == value).then_some((slot, value))
}

fn split<'t, 's>(line: &'t str, shared: &'s [Shared]) -> Option<Part<'t, 's>> {
    let at = shared.iter().find(|at| !at.optional && line.trim_start().starts_with(&at.start))?;
    let (before, rest) = line.split_at(line.len() - line.trim_start().len() + at.start.len());
    let value = first_word(rest);
    if value.is_empty() {
        return None;
    }
    let rest = &rest[value.len()..];
    let (rest, end) = rest.split_at(rest.trim_end_matches(['\r', '\n']).len());
    let (words, comment) = rest.split_at(
        rest.match_indices('#')
            .map(|(at, _)| at)
            .find(|at| rest[..*at].ends_with(char::is_whitespace))
            .unwrap_or(rest.len()),
    );
    let behind = words.trim_end();
    let gap = &words[behind.len()..];
    let optional = shared.iter().filter(|it| it.optional).map(|it| (it, None)).collect();
    Some(Part::Theirs { at, before, value, behind, gap, comment: comment.trim_end(), end, optional })
}

fn first_word(text: &str) -> &str {
    &text[..text.find(char::is_whitespace).unwrap_or(text.len())]
}
