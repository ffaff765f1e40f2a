//! Names that a catalog gives, and those that it takes for known ones.

use super::{
    super::yaml::{Key, Node, Value},
    Reader,
};

/// Longer is no name.
const NAME_MAX: usize = 64;

impl Reader {
    /// A name of the catalog's own, at the key that gives it.
    fn own_name(&mut self, key: &Key) -> bool {
        let right = is_name(&key.text);
        if !right {
            self.wrong(key.place, format!("\"{}\" {ALLOWED}", key.text));
        }
        right
    }

    /// The entries of a map whose keys are names of the catalog's own.
    pub(super) fn named<'a>(&mut self, node: &'a Node, of: &str) -> Vec<(&'a Key, &'a Node)> {
        let entries = self.map(node, of).unwrap_or_default();
        entries
            .iter()
            .filter(|(key, _)| self.own_name(key))
            .map(|(key, node)| (key, node))
            .collect()
    }

    /// A name of the catalog's own, as a value.
    pub(super) fn name(&mut self, node: &Node, name: &str) -> Option<String> {
        self.read(node, name, |text| {
            is_name(text)
                .then(|| text.to_owned())
                .ok_or_else(|| ALLOWED.to_owned())
        })
    }

    /// A list of names of the catalog's own, each once.
    pub(super) fn own_names(&mut self, node: &Node, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for node in self.list(node, name).unwrap_or_default() {
            if let Some(one) = self.name(node, name) {
                self.once(node, name, one, &mut found);
            }
        }
        found
    }

    /// A name that must be known.
    pub(super) fn known<'k>(
        &mut self,
        node: &Node,
        what: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<String> {
        let Value::Scalar(text) = &node.value else {
            return self.name(node, what);
        };
        if known.clone().any(|name| name == text) {
            return Some(text.clone());
        }
        self.wrong(node.place, unknown(what, text, known));
        None
    }

    /// A list of names that must be known, each once.
    pub(super) fn all_known<'k>(
        &mut self,
        node: &Node,
        what: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for node in self
            .list(node, &format!("{what} names"))
            .unwrap_or_default()
        {
            if let Some(one) = self.known(node, what, known.clone()) {
                self.once(node, what, one, &mut found);
            }
        }
        found
    }

    fn once(&mut self, node: &Node, what: &str, name: String, found: &mut Vec<String>) {
        if found.contains(&name) {
            self.wrong(
                node.place,
                format!("{what}: \"{name}\" stands here a second time"),
            );
        } else {
            found.push(name);
        }
    }
}

const ALLOWED: &str =
    "is not a name: letters, digits, `_`, `-` and `.`, at most 64, first a letter or digit";

fn is_name(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    text.len() <= NAME_MAX
        && text.bytes().all(sign)
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}

/// A name that is not known, and those that are.
pub(super) fn unknown<'k>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> String {
    let near = nearest(name, known.clone());
    let all: Vec<_> = known.collect();
    if all.is_empty() {
        return format!("unknown {what} \"{name}\"; the catalog has none");
    }
    format!("unknown {what} \"{name}\"{near}; known: {}", all.join(", "))
}

/// ` (did you mean "x"?)` for a name that is nearly one of the known, else nothing.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let near = known.map(|other| (distance(name, other), other)).min();
    match near {
        Some((distance, other)) if distance <= 1 + name.len() / 4 => {
            format!(" (did you mean \"{other}\"?)")
        }
        _ => String::new(),
    }
}

/// How many letters are to be added, taken away or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in b.iter().enumerate() {
            let changed = last[column] + usize::from(letter != *other);
            next.push(changed.min(last[column + 1] + 1).min(next[column] + 1));
        }
        last = next;
    }
    last[b.len()]
}
