//! Which words may stand without quotes, by type. What a word must look like is said where it is read.

use std::{fmt, ops::Deref};

use ipnet::Ipv4Net;

use super::Words;
use crate::source::Decided;

/// A word that means itself in every language we write: letters, digits and `-_./:@`. It may be displayed.
pub trait Atomic: fmt::Display {}

/// A word that every reader of YAML takes for a string without quotes: an atom that begins with a letter or `/`, does not end with
/// `:`, and is no word like `on`.
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

/// Words of ours, which every golden file shows.
impl Atomic for &'static str {}
impl Bare for &'static str {}

impl Atomic for u32 {}
impl Atomic for Ipv4Net {}

impl Words for &'static str {
    fn words(&self) -> &str {
        self
    }
}

/// A name that is made of several words, such as `PLATFORM-ENVIRONMENT-apply`. The first of them decides whether it may stand bare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bareword(String);

impl Atomic for Bareword {}
impl Bare for Bareword {}

impl Bareword {
    /// A name of one word.
    pub fn of(first: impl Bare) -> Self {
        Self(first.to_string())
    }

    /// Joined by a mark such as `-`, so that the whole is no word like `on`.
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

/// Words without any mark, for diagrams, whose labels know no escape: letters, digits, spaces, `-_./:@` and commas. It has no
/// `Display`, as it is no atom.
#[derive(Clone, Debug)]
pub struct Label(String);

impl Label {
    /// Words from our own code.
    pub fn ours(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// Atoms with words of ours between them.
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
