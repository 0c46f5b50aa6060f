//! Types of words that need no quotes. The rule of each word is where it is parsed.

use std::{fmt, ops::Deref};

use ipnet::Ipv4Net;

use super::Words;
use crate::source::Decided;

/// A word that needs no escape in any language we write: letters, digits and `-_./:@`. It has `Display`.
pub trait Atomic: fmt::Display {}

/// A word that every YAML parser reads as a string without quotes: an atom that begins with a letter or `/`, does not end with
/// `:`, and is no keyword such as `on`.
pub trait Bare: Atomic {}

impl<T: Atomic + ?Sized> Atomic for &T {}
impl<T: Bare + ?Sized> Bare for &T {}

impl<T: Atomic> Atomic for Decided<T> {}
impl<T: Bare> Bare for Decided<T> {}

impl<T: Words> Words for Decided<T> {
    fn words(&self) -> &str {
        (**self).words()
    }
}

/// Literals from our own code, which the golden files show.
impl Atomic for &'static str {}
impl Bare for &'static str {}

impl Atomic for u32 {}
impl Atomic for Ipv4Net {}

impl Words for &'static str {
    fn words(&self) -> &str {
        self
    }
}

/// A name of several words, such as `PLATFORM-ENVIRONMENT-apply`. The first word decides whether it needs quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bareword(String);

impl Atomic for Bareword {}
impl Bare for Bareword {}

impl Bareword {
    /// A name of one word.
    pub fn of(first: impl Bare) -> Self {
        Self(first.to_string())
    }

    /// Joined by a character such as `-`, so that the result is no keyword such as `on`.
    pub fn and(self, mark: char, next: impl Atomic) -> Self {
        Self(format!("{}{mark}{next}", self.0))
    }
}

impl Deref for Bareword {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Text for diagrams, whose labels have no escapes: letters, digits, spaces, `-_./:@` and commas. It has no `Display`, because
/// it is no atom.
#[derive(Clone, Debug)]
pub struct Label(String);

impl Label {
    /// Words from our own code.
    pub fn ours(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// Atoms, and text from our own code between them.
    pub fn list(between: &'static str, items: impl IntoIterator<Item = impl Atomic>) -> Self {
        Self(items.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(between))
    }

    /// Appends other words, without a separator.
    pub fn and(self, words: &Self) -> Self {
        Self(self.0 + &words.0)
    }
}

impl Words for Label {
    fn words(&self) -> &str {
        &self.0
    }
}

impl Words for Bareword {
    fn words(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Bareword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
