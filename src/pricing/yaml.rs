//! YAML as a tree that keeps the place and the very text of everything.
//!
//! Scalars stay text: a number is read by its digits, so no float is ever between the file and an amount. Anchors, aliases
//! and tags are refused, for what a reader sees at a place must be what stands there.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::mistake::{Mistake, Place};

/// Deeper than any catalog, and far from what would exhaust a stack.
const DEPTH_MAX: usize = 16;
/// A catalog of a thousand prices has about a tenth of it.
const BYTES_MAX: usize = 1 << 20;

/// A value and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub value: Value,
}

impl Node {
    /// The keys of a map as written, right or wrong.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, _)| key.text.as_str())
    }
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, or `null`.
    Empty,
    /// What was told as a mistake already.
    Refused,
    /// One word, number or text, as written.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and their values, as written.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where.
    pub place: Place,
    /// The key.
    pub text: String,
}

/// Reads one document. What is not YAML at all ends the reading with its first mistake; all else is collected.
pub fn parse(text: &str, mistakes: &mut Vec<Mistake>) -> Option<Node> {
    let start = Place { line: 1, column: 1 };
    if text.len() > BYTES_MAX {
        mistakes.push(mistake(
            start,
            format!("the file is larger than {BYTES_MAX} bytes"),
        ));
        return None;
    }
    let mut builder = Builder {
        events: Parser::new_from_str(text),
        mistakes,
    };
    match builder.document() {
        Ok(node) => node,
        Err(stop) => {
            mistakes.push(stop);
            None
        }
    }
}

struct Builder<'a, 'm> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Mistake> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Mistake> {
        let mut found = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(found),
                (Event::DocumentStart(_), place) if found.is_some() => {
                    return Err(mistake(
                        place,
                        "a second document; a catalog is one document",
                    ));
                }
                (Event::DocumentStart(_), _) => {
                    let (event, place) = self.next()?;
                    found = Some(self.node(event, place, 0)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, Mistake> {
        if depth > DEPTH_MAX {
            return Err(mistake(
                place,
                format!("nested deeper than {DEPTH_MAX} levels"),
            ));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(place, anchor, tag.is_some());
                scalar(&text, style)
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(place, anchor, tag.is_some());
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(place, anchor, tag.is_some());
                self.map(depth)?
            }
            Event::Alias(_) => {
                self.wrong(
                    place,
                    "an alias (`*name`): anchors and aliases are not read, write the value here",
                );
                Value::Refused
            }
            _ => Value::Empty,
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Mistake> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(nodes)),
                (event, place) => nodes.push(self.node(event, place, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Mistake> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let key = self.node(event, place, depth + 1)?;
            let (event, at) = self.next()?;
            let mut value = self.node(event, at, depth + 1)?;
            let Value::Scalar(text) = key.value else {
                self.wrong(place, "this key is not a word");
                continue;
            };
            // The parser finds an absent value only at what follows.
            if value.value == Value::Empty {
                value.place = place;
            }
            if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
                let line = first.place.line;
                self.wrong(
                    place,
                    format!("\"{text}\" stands here a second time; the first is on line {line}"),
                );
                continue;
            }
            entries.push((Key { place, text }, value));
        }
    }

    fn plain(&mut self, place: Place, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.wrong(place, "an anchor (`&name`): anchors and aliases are not read, write the value where it is used");
        }
        if tagged {
            self.wrong(place, "a tag (`!name`): tags are not read");
        }
    }

    fn wrong(&mut self, place: Place, what: impl Into<String>) {
        self.mistakes.push(mistake(place, what));
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style == ScalarStyle::Plain && ["", "~", "null"].contains(&text) {
        return Value::Empty;
    }
    Value::Scalar(text.to_owned())
}

fn mistake(place: Place, what: impl Into<String>) -> Mistake {
    Mistake {
        place,
        what: what.into(),
    }
}

fn place(span: Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn not_yaml(error: &ScanError) -> Mistake {
    let at = error.marker();
    let place = Place {
        line: at.line(),
        column: at.col() + 1,
    };
    mistake(place, format!("not YAML: {}", error.info()))
}
