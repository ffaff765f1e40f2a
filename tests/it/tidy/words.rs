//! What no file may say.

use super::source::{Source, files, identifiers, none};

/// Files of ours, by folder.
fn ours() -> Vec<Source> {
    ["src", "tests", "benches", "proto"]
        .into_iter()
        .flat_map(|folder| files(folder, &["rs", "lua", "sql", "proto", "py", "sh"]))
        .collect()
}

fn said(sources: &[Source], wrong: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources {
        let lines = source.code().filter(|(_, line)| wrong(source, line));
        places.extend(
            lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())),
        );
    }
    places
}

fn has(line: &str, words: &[&str]) -> bool {
    identifiers(line).any(|(_, word)| words.contains(&word))
}

#[test]
fn nothing_is_left_to_do() {
    // Put together, so that this file does not say them.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do"),
        concat!("unim", "plemented"),
    ];
    let mut wrong = Vec::new();
    for source in ours() {
        let lines = source.text.lines().enumerate().filter(|(_, line)| {
            has(line, &marks[..3])
                || marks[3..]
                    .iter()
                    .any(|name| line.contains(&format!("{name}!")))
        });
        wrong
            .extend(lines.map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim())));
    }
    none(&wrong, "work that is left in the sources instead of done");
}

#[test]
fn no_test_is_switched_off() {
    let ignore = concat!("#[", "ignore");
    let wrong = said(&files("src", &["rs"]), |_, line| line.contains(ignore));
    none(&wrong, "tests that do not run");
    let wrong = said(&files("tests", &["rs"]), |_, line| line.contains(ignore));
    none(&wrong, "tests that do not run");
}

#[test]
fn the_service_never_unwraps_and_is_safe() {
    let wrong = said(&files("src", &["rs"]), |_, line| {
        line.contains(".unwrap()") || line.contains(".unwrap_err()")
    });
    none(&wrong, "unwrap() in the service");
    let wrong = said(&ours(), |source, line| {
        source.path.ends_with(".rs") && has(line, &[concat!("un", "safe")])
    });
    none(&wrong, "code that the compiler cannot vouch for");
}

/// A1.
#[test]
fn no_amount_is_a_float() {
    for room in [
        "domain", "pricing", "plans", "holds", "ledger", "rpc", "cli",
    ] {
        let wrong = said(&files(&format!("src/{room}"), &["rs"]), |_, line| {
            has(line, &["f32", "f64"])
        });
        none(&wrong, "floats where amounts are");
    }
    let wrong = said(&files("src", &["sql"]), |_, line| {
        has(&line.to_lowercase(), &["float", "float8", "real", "money"])
    });
    none(&wrong, "columns that round");
    let wrong = said(&files("proto", &["proto"]), |_, line| {
        has(line, &["float", "double"])
    });
    none(&wrong, "fields that round");
}

#[test]
fn no_module_is_a_drawer() {
    let drawers = [
        "utils", "util", "common", "helpers", "helper", "misc", "shared",
    ];
    let wrong = ours().into_iter().map(|source| source.path);
    let wrong: Vec<_> = wrong
        .filter(|path| path.split(['/', '.']).any(|part| drawers.contains(&part)))
        .collect();
    none(&wrong, "files named after nothing");
}
