//! A record of named values in the order of the proto, and its two forms.

use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::cli::names::Named;

/// A value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not set: `null`, or `-` in a table.
    Absent,
    /// An id, a word, an instant.
    Text(String),
    /// Credits: right-aligned in a table.
    Amount(String),
    /// A count.
    Count(u64),
    /// A yes or no.
    Flag(bool),
    /// Pairs in the caller's own words.
    Pairs(Vec<(String, String)>),
    /// A part with its own table.
    Record(Record),
    /// Rows of one table, and the fields that fit into it; JSON has all.
    Rows(Vec<Record>, &'static [&'static str]),
}

/// Named values in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<(&'static str, Value)>);

impl Record {
    /// Of these.
    pub fn of<const N: usize>(fields: [(&'static str, Value); N]) -> Self {
        Self(fields.into())
    }

    /// The record as tables, in order: neighbouring values share one, each part has its own.
    pub fn tables(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut own = plain_table();
        for (name, value) in &self.0 {
            let part = match value {
                Value::Record(part) => part.tables(),
                Value::Rows(rows, _) if rows.is_empty() => "  none\n".to_owned(),
                Value::Rows(rows, columns) => row_table(rows, columns),
                Value::Pairs(pairs) => {
                    for (key, value) in pairs {
                        own.add_row([format!("{name}.{key}"), value.clone()]);
                    }
                    continue;
                }
                _ => {
                    own.add_row([(*name).to_owned(), value.cell()]);
                    continue;
                }
            };
            take_rows(&mut parts, &mut own);
            parts.push(format!("{}\n{part}", name.to_uppercase().replace('_', " ")));
        }
        take_rows(&mut parts, &mut own);
        parts.join("\n")
    }

    fn cells<'a>(&'a self, columns: &'a [&str]) -> impl Iterator<Item = &'a Value> {
        let absent = &Value::Absent;
        columns.iter().map(move |column| {
            let field = self.0.iter().find(|(name, _)| name == column);
            field.map_or(absent, |(_, value)| value)
        })
    }
}

impl Value {
    /// An id; empty is absent.
    pub fn text(text: &str) -> Self {
        if text.is_empty() {
            Self::Absent
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// Credits.
    pub fn credits(amount: &str) -> Self {
        Self::Amount(amount.to_owned())
    }

    /// A value of an enumeration.
    pub fn word(named: impl Named) -> Self {
        Self::Text(named.word().to_owned())
    }

    /// An instant in RFC 3339, as UTC.
    pub fn instant(at: Option<prost_types::Timestamp>) -> Self {
        let at = at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
        at.map_or(Self::Absent, |at| Self::Text(at.to_string()))
    }

    fn cell(&self) -> String {
        match self {
            Self::Absent => "-".to_owned(),
            Self::Text(text) | Self::Amount(text) if text.is_empty() => "-".to_owned(),
            Self::Text(text) | Self::Amount(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Pairs(pairs) => {
                let words: Vec<String> = pairs
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                words.join(" ")
            }
            Self::Record(part) => {
                let words: Vec<String> = part
                    .0
                    .iter()
                    .map(|(name, value)| format!("{name} {}", value.cell()))
                    .collect();
                words.join(", ")
            }
            Self::Rows(rows, _) => format!("{} rows", rows.len()),
        }
    }
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn row_table(rows: &[Record], columns: &[&str]) -> String {
    let mut table = plain_table();
    table.set_header(columns.iter().map(|name| name.replace('_', " ")));
    for row in rows {
        table.add_row(row.cells(columns).map(Value::cell));
    }
    let first = rows.iter().take(1).flat_map(|row| row.cells(columns));
    for (column, value) in table.column_iter_mut().zip(first) {
        if matches!(value, Value::Amount(_) | Value::Count(_)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    lines(&table)
}

fn take_rows(parts: &mut Vec<String>, table: &mut Table) {
    if !table.is_empty() {
        parts.push(lines(&std::mem::replace(table, plain_table())));
    }
}

fn lines(table: &Table) -> String {
    let lines = table.lines();
    lines
        .map(|line| format!(" {}\n", line.trim_end()))
        .collect()
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::Text(text) | Self::Amount(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Pairs(pairs) => {
                serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
            }
            Self::Record(part) => part.serialize(serializer),
            Self::Rows(rows, _) => rows.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Record {
        let row = |amount: &str| {
            Record::of([
                ("grant_id", Value::Text("g".to_owned())),
                ("amount", Value::Amount(amount.to_owned())),
            ])
        };
        Record::of([
            (
                "hold",
                Value::Record(Record::of([
                    ("hold_id", Value::Text("job".to_owned())),
                    ("ended_at", Value::Absent),
                ])),
            ),
            (
                "pinned",
                Value::Rows(vec![row("1.5"), row("20")], &["grant_id", "amount"]),
            ),
            (
                "labels",
                Value::Pairs(vec![("node".to_owned(), "7".to_owned())]),
            ),
            ("refunds", Value::Rows(vec![], &[])),
            ("sequence", Value::Count(3)),
            ("replayed", Value::Flag(false)),
        ])
    }

    #[test]
    fn json_keeps_the_order_and_amounts_are_strings() {
        assert_eq!(
            serde_json::to_string(&answer()).expect("a record is JSON"),
            r#"{"hold":{"hold_id":"job","ended_at":null},"pinned":[{"grant_id":"g","amount":"1.5"},{"grant_id":"g","amount":"20"}],"labels":{"node":"7"},"refunds":[],"sequence":3,"replayed":false}"#
        );
    }

    #[test]
    fn tables_keep_the_order_and_align_amounts() {
        let expected = [
            "HOLD",
            "  hold_id   job",
            "  ended_at  -",
            "",
            "PINNED",
            "  grant id  amount",
            "  g            1.5",
            "  g             20",
            "",
            "  labels.node  7",
            "",
            "REFUNDS",
            "  none",
            "",
            "  sequence  3",
            "  replayed  no",
            "",
        ];
        assert_eq!(answer().tables(), expected.join("\n"));
    }
}
