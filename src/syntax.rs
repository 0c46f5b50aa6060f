//! Reports what only TOML 1.1 allows. Our parser accepts it, but editors and other readers of a blueprint may support only 1.0.
//! Syntax errors are reported by the parser.
//!
//! TOML 1.1 (toml-lang/toml, 1.1.0 of 2025) allows line breaks and a last comma in inline tables, `\xHH` and `\e` in strings, and
//! times without seconds.

use std::ops::Range;

use toml_parser::{
    decoder::Encoding,
    parser::{Event, EventKind, parse_document},
};

use crate::{
    diagnostics::{Finding, Report},
    source::Source,
};

/// Only for a text that the parser accepted, because that limits the depth of tables.
pub fn check(source: &Source, report: &mut Report) {
    let text = toml_parser::Source::new(&source.text);
    let mut reader = Reader { text: &source.text, report, open: Vec::new(), comma: None };
    parse_document(&text.lex().into_vec(), &mut |event: Event| reader.event(&event), &mut ());
}

struct Reader<'a> {
    text: &'a str,
    report: &'a mut Report,
    /// The inline tables and arrays around the event. Each table has its start, until a line break in it was reported.
    open: Vec<Open>,
    /// The last comma, if no value has followed it yet.
    comma: Option<Range<usize>>,
}

enum Open {
    Array,
    Table(Option<Range<usize>>),
}

impl Reader<'_> {
    fn event(&mut self, event: &Event) {
        let span = event.span().start()..event.span().end();
        match event.kind() {
            EventKind::ArrayOpen => self.open.push(Open::Array),
            EventKind::InlineTableOpen => self.open.push(Open::Table(Some(span))),
            EventKind::ArrayClose => drop(self.open.pop()),
            EventKind::InlineTableClose => {
                self.open.pop();
                if let Some(comma) = self.comma.take() {
                    self.newer("a comma before `}`", comma, "remove the comma".to_owned());
                }
            }
            EventKind::Newline => self.line_break(),
            EventKind::ValueSep => self.comma = Some(span),
            EventKind::SimpleKey | EventKind::Scalar => self.word(span, event.encoding()),
            _ => {}
        }
        // A value follows the comma.
        if matches!(
            event.kind(),
            EventKind::SimpleKey
                | EventKind::Scalar
                | EventKind::ArrayOpen
                | EventKind::ArrayClose
                | EventKind::InlineTableOpen
        ) {
            self.comma = None;
        }
    }

    /// Inside an array of an inline table, TOML 1.0 allows it.
    fn line_break(&mut self) {
        if let Some(Open::Table(place)) = self.open.last_mut()
            && let Some(place) = place.take()
        {
            let help = "write the table on one line, or as a section with `[…]`";
            self.newer("a line break between `{` and `}`", place, help.to_owned());
        }
    }

    fn word(&mut self, span: Range<usize>, encoding: Option<Encoding>) {
        let word = &self.text[span.clone()];
        match encoding {
            Some(Encoding::BasicString | Encoding::MlBasicString) => self.escapes(span),
            // Among the words without quotes, only a time has a colon. Two digits follow it, then `:` and the seconds.
            None => {
                let colon = word.find(':').filter(|colon| word.as_bytes().get(colon + 3) != Some(&b':'));
                if colon.is_some() {
                    self.newer(
                        "a time without seconds",
                        span,
                        "write the seconds, such as `07:32:00`".to_owned(),
                    );
                }
            }
            Some(_) => {}
        }
    }

    fn escapes(&mut self, span: Range<usize>) {
        let word = &self.text[span.clone()];
        let mut rest = word.char_indices();
        while let Some((at, mark)) = rest.next() {
            let kind = if mark == '\\' { rest.next().map(|(_, kind)| kind) } else { None };
            let (length, code) = match kind {
                Some('e') => (2, Some(0x1b)),
                Some('x') => {
                    (4, word.get(at + 2..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()))
                }
                _ => continue,
            };
            let place = span.start + at..(span.start + at + length).min(span.end);
            let help = code.map_or_else(String::new, |code| format!("write `\\u{code:04x}`"));
            let what = format!("the escape `{}`", &word[at..at + 2]);
            self.newer(&what, place, help);
        }
    }

    fn newer(&mut self, what: &str, span: Range<usize>, help: String) {
        self.report.add(
            Finding::new("blueprint/toml-version", format!("{what} is not part of TOML 1.0"))
                .at(span.into(), "TOML 1.1 allows it, and many editors and readers refuse it")
                .help(help),
        );
    }
}
