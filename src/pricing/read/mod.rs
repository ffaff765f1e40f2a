//! Reads a catalog's file: all of it, collecting every mistake instead of stopping at the first.
//!
//! A part that cannot be used is left out of what is built, and then nothing is answered but the mistakes.

mod meters;
mod names;
mod plans;
mod prices;
mod products;
mod top;
mod values;

use super::{
    Catalog,
    mistake::{Mistake, Mistakes, Place},
    yaml::{self, Key, Node, Value},
};
use names::nearest;

impl Catalog {
    /// Reads a catalog's file.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(text: &str) -> Result<Self, Mistakes> {
        let mut reader = Reader::default();
        let root = yaml::parse(text, &mut reader.mistakes);
        let start = Place { line: 1, column: 1 };
        let catalog = match root {
            Some(Node {
                value: Value::Empty,
                ..
            })
            | None
                if reader.mistakes.is_empty() =>
            {
                reader.wrong(start, "the file is empty");
                None
            }
            Some(root) => top::read(&mut reader, &root),
            None => None,
        };
        let mut mistakes = reader.mistakes;
        // A mistake is one line, whatever the file has where it is wrong.
        for mistake in &mut mistakes {
            mistake.what = one_line(&mistake.what);
        }
        // What is wrong in the defaults of plans is found with each plan.
        mistakes.sort();
        mistakes.dedup();
        match catalog {
            Some(catalog) if mistakes.is_empty() => Ok(catalog),
            _ => Err(Mistakes(mistakes)),
        }
    }
}

fn one_line(text: &str) -> String {
    let shown = |sign: char| match sign.is_control() {
        true => sign.escape_default().to_string(),
        false => sign.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Collects mistakes.
#[derive(Default)]
struct Reader {
    mistakes: Vec<Mistake>,
}

/// A map's entries.
type Entries = [(Key, Node)];

impl Reader {
    fn wrong(&mut self, place: Place, what: impl Into<String>) {
        let what = what.into();
        self.mistakes.push(Mistake { place, what });
    }

    /// A map with keys of the schema's.
    fn fields<'a>(&mut self, node: &'a Node, of: &'static str) -> Option<Fields<'a>> {
        let entries = self.map(node, of)?;
        Some(Fields {
            place: node.place,
            of,
            entries,
            defaults: &[],
            known: Vec::new(),
        })
    }

    /// A map with keys of the catalog's own.
    fn map<'a>(&mut self, node: &'a Node, of: &str) -> Option<&'a Entries> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            other => self.not(node.place, of, "keys and values", other),
        }
    }

    fn list<'a>(&mut self, node: &'a Node, of: &str) -> Option<&'a [Node]> {
        match &node.value {
            Value::List(nodes) => Some(nodes),
            other => self.not(node.place, of, "a list", other),
        }
    }

    /// One word or number, by what reads it; its error follows the text in a sentence.
    fn read<T>(
        &mut self,
        node: &Node,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = match &node.value {
            Value::Scalar(text) => text,
            other => return self.not(node.place, name, "one word or number", other),
        };
        match read(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(node.place, format!("{name}: \"{text}\" {why}"));
                None
            }
        }
    }

    fn not<T>(&mut self, place: Place, of: &str, right: &str, found: &Value) -> Option<T> {
        let found = match found {
            Value::Refused => return None,
            Value::Empty => "nothing",
            Value::Scalar(_) => "one word or number",
            Value::List(_) => "a list",
            Value::Map(_) => "keys and values",
        };
        self.wrong(place, format!("{of}: expected {right}, found {found}"));
        None
    }
}

/// A map with keys of the schema's; it learns which there are by being asked for them.
struct Fields<'a> {
    place: Place,
    of: &'static str,
    entries: &'a Entries,
    defaults: &'a Entries,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key that may be absent.
    fn get(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        let mut both = self.entries.iter().chain(self.defaults);
        both.find(|(key, _)| key.text == name).map(|(_, node)| node)
    }

    /// The value of a key that may not.
    fn need(&mut self, reader: &mut Reader, name: &'static str) -> Option<&'a Node> {
        let found = self.get(name);
        if found.is_none() {
            reader.wrong(self.place, format!("{} needs \"{name}\"", self.of));
        }
        found
    }

    /// A key that may be absent, read.
    fn optional<T>(
        &mut self,
        reader: &mut Reader,
        name: &'static str,
        read: impl FnOnce(&mut Reader, &'a Node, &str) -> Option<T>,
    ) -> Option<T> {
        self.get(name).and_then(|node| read(reader, node, name))
    }

    /// A key that may not be absent, read.
    fn required<T>(
        &mut self,
        reader: &mut Reader,
        name: &'static str,
        read: impl FnOnce(&mut Reader, &'a Node, &str) -> Option<T>,
    ) -> Option<T> {
        self.need(reader, name)
            .and_then(|node| read(reader, node, name))
    }

    /// All keys have been asked for: any other is a mistake.
    fn done(self, reader: &mut Reader) {
        for (key, _) in self.entries.iter().chain(self.defaults) {
            let name = key.text.as_str();
            if self.known.contains(&name) {
                continue;
            }
            let near = nearest(name, self.known.iter().copied());
            let all = self.known.join(", ");
            reader.wrong(
                key.place,
                format!("{} has no key \"{name}\"{near}; it has: {all}", self.of),
            );
        }
    }
}
