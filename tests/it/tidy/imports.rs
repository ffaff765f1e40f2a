//! Who may import whom. Imports run one way, so that a room can be read with only those before it in mind.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, files, identifiers, none};

/// Each room and the rooms that it may import, lowest first. A new edge is a decision: it is made here, with a reason in the commit.
const TABLE: [(&str, &[&str]); 16] = [
    ("domain", &[]),
    ("pricing", &["domain"]),
    ("plans", &["domain"]),
    ("proto", &[]),
    ("config", &[]),
    ("dev", &[]),
    ("telemetry", &["config"]),
    ("admin", &["config", "telemetry"]),
    ("holds", &["domain", "config", "telemetry"]),
    ("ledger", &["domain", "config", "telemetry"]),
    ("catalogs", &["domain", "pricing", "ledger"]),
    (
        "reconcile",
        &["domain", "config", "telemetry", "plans", "holds", "ledger"],
    ),
    (
        "rpc",
        &[
            "proto",
            "domain",
            "config",
            "telemetry",
            "pricing",
            "plans",
            "holds",
            "ledger",
            "catalogs",
            "reconcile",
        ],
    ),
    ("cli", &["proto", "config", "pricing"]),
    (
        "app",
        &[
            "domain",
            "proto",
            "config",
            "dev",
            "telemetry",
            "admin",
            "holds",
            "ledger",
            "catalogs",
            "reconcile",
            "rpc",
            "cli",
        ],
    ),
    ("main", &["config", "cli", "app"]),
];

/// Crates that stand for a store, a protocol or a collector, and the rooms that may know them.
const OUTSIDE: [(&[&str], &[&str]); 6] = [
    // `dev` asks the servers that it starts whether they answer.
    (&["redis"], &["holds", "dev"]),
    (&["tokio_postgres"], &["ledger", "dev"]),
    (&["deadpool_postgres", "refinery"], &["ledger"]),
    (
        &[
            "tonic",
            "tonic_health",
            "tonic_reflection",
            "tonic_types",
            "tonic_prost",
            "prost",
            "prost_types",
        ],
        &["rpc", "cli", "app", "proto"],
    ),
    (&["axum"], &["admin"]),
    (
        &[
            "opentelemetry",
            "opentelemetry_sdk",
            "opentelemetry_otlp",
            "opentelemetry_prometheus",
        ],
        &["telemetry"],
    ),
];

/// What else a path may start from.
const HERE: [&str; 2] = ["crate", "holdbook"];

/// `src/holds/lua.rs` and `src/admin.rs` are in the rooms `holds` and `admin`.
fn room(path: &str) -> &str {
    let name = path
        .trim_start_matches("src/")
        .split('/')
        .next()
        .unwrap_or_default();
    name.trim_end_matches(".rs")
}

fn rooms() -> BTreeSet<&'static str> {
    TABLE.iter().map(|(room, _)| *room).collect()
}

/// The modules that a file's paths start with behind `crate::`, with their lines.
fn imported(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // How deep in the braces of `use crate::{...}` the reading is; 0 is outside.
    let mut depth = 0;
    for (number, line) in source.code() {
        let mut expected = depth == 1;
        let words: Vec<_> = tokens(line);
        for (at, token) in words.iter().enumerate() {
            let after_here =
                at >= 2 && words[at - 1] == "::" && HERE.contains(&words[at - 2].as_str());
            match token.as_str() {
                "{" if after_here => (depth, expected) = (1, true),
                "{" if depth > 0 => depth += 1,
                "}" if depth > 0 => depth -= 1,
                "," if depth == 1 => expected = true,
                word if (after_here || (depth == 1 && expected)) && word != "}" => {
                    found.push((number, word.to_owned()));
                    expected = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// Identifiers, `::` and single signs.
fn tokens(line: &str) -> Vec<String> {
    let words: BTreeMap<usize, &str> = identifiers(line).collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(sign) = line[at..].chars().next() {
        let token = match words.get(&at) {
            Some(word) => word,
            None if line[at..].starts_with("::") => "::",
            None => &line[at..at + sign.len_utf8()],
        };
        at += token.len();
        if !token.trim().is_empty() {
            tokens.push(token.to_owned());
        }
    }
    tokens
}

/// Each edge between two rooms and the first place of it.
fn edges() -> BTreeMap<(String, String), String> {
    let mut edges = BTreeMap::new();
    for source in files("src", &["rs"]) {
        let from = room(&source.path);
        if from == "lib" {
            continue;
        }
        assert!(
            rooms().contains(from),
            "{}: the room {from} is not in the table of imports",
            source.path
        );
        for (line, to) in imported(&source) {
            if to != from && rooms().contains(to.as_str()) {
                edges
                    .entry((from.to_owned(), to))
                    .or_insert(format!("{}:{line}", source.path));
            }
        }
    }
    edges
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let allowed = |from: &str, to: &str| {
        TABLE
            .iter()
            .any(|(room, may)| *room == from && may.contains(&to))
    };
    let edges = edges();
    assert!(
        edges.len() >= 20,
        "only {} edges were found: does this test still read imports?",
        edges.len()
    );
    let new = edges.iter().filter(|((from, to), _)| !allowed(from, to));
    let new: Vec<_> = new
        .map(|((from, to), place)| format!("{place}: {from} imports {to}"))
        .collect();
    none(
        &new,
        "imports that the table in tests/it/tidy/imports.rs does not allow",
    );
}

/// The table lists the lowest rooms first, so an edge upwards would be needed for a cycle.
#[test]
fn the_table_has_no_cycle() {
    for (at, (room, may)) in TABLE.iter().enumerate() {
        for other in *may {
            let below = TABLE[..at].iter().any(|(lower, _)| lower == other);
            assert!(below, "{room} may import {other}, which is not below it");
        }
    }
}

/// `super` would be a way around the table from a room's first file.
#[test]
fn no_path_leaves_its_room_by_super() {
    let mut wrong = Vec::new();
    for source in files("src", &["rs"]) {
        let inner = source
            .path
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod");
        let mut depth = inner.split('/').count();
        for (line, text) in source.code() {
            depth += usize::from(text.starts_with("mod tests {"));
            let supers = tokens(text).join("");
            let chain = (1..9)
                .rev()
                .find(|length| supers.contains(&"super::".repeat(*length)))
                .unwrap_or(0);
            if chain >= depth {
                wrong.push(format!("{}:{line}: {}", source.path, text.trim()));
            }
        }
    }
    none(
        &wrong,
        "paths that reach the crate's root by `super`; write `crate::`",
    );
}

#[test]
fn stores_and_protocols_are_known_where_they_belong() {
    let mut wrong = Vec::new();
    for source in files("src", &["rs"]) {
        for (line, text) in source.code() {
            let used = |name: &&str| {
                let starts = |at: usize| !text[..at].ends_with("::") && !text[..at].ends_with('.');
                identifiers(text).any(|(at, word)| {
                    word == *name
                        && starts(at)
                        && (text[at + word.len()..].starts_with("::")
                            || text.trim_start().starts_with("use "))
                })
            };
            for (crates, may) in OUTSIDE {
                for name in crates
                    .iter()
                    .filter(|_| !may.contains(&room(&source.path)))
                    .filter(|name| used(name))
                {
                    wrong.push(format!(
                        "{}:{line}: {name} is for {may:?} only",
                        source.path
                    ));
                }
            }
        }
    }
    none(&wrong, "crates outside the rooms that own them");
}

/// The rules above are only as good as this reading.
#[test]
fn imports_are_read() {
    let text = "use crate::{\n    app::{self, run},\n    cli, // not crate::domain\n};\nfn f(x: crate::holds::Reply) {}\nuse crate::ledger;\n";
    let source = Source {
        path: "src/x.rs".into(),
        text: text.into(),
    };
    let found = imported(&source);
    let expected = [(2, "app"), (3, "cli"), (5, "holds"), (6, "ledger")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}
