//! Names exist once: of metrics in `telemetry`, of keys in `holds/keys.rs`.

use super::source::{files, none};

/// The string literals of a line that start so.
fn literals<'a>(line: &'a str, start: &str) -> Vec<&'a str> {
    let quoted = line.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with(start)).collect()
}

#[test]
fn instruments_are_named_in_telemetry_only() {
    let (inside, outside): (Vec<_>, Vec<_>) = files("src", &["rs"])
        .into_iter()
        .partition(|source| source.path.starts_with("src/telemetry"));
    let mut names = Vec::new();
    for source in &inside {
        names.extend(
            source
                .code()
                .flat_map(|(_, line)| literals(line, "holdbook.")),
        );
    }
    assert!(names.len() >= 10, "the instruments are found: {names:?}");
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(
        once.len(),
        names.len(),
        "an instrument is named twice: {names:?}"
    );
    let mut wrong = Vec::new();
    for source in &outside {
        for (line, text) in source.code() {
            if literals(text, "holdbook.")
                .iter()
                .any(|found| names.contains(found))
                || text.contains("\"holdbook_")
            {
                wrong.push(format!("{}:{line}: {}", source.path, text.trim()));
            }
        }
    }
    none(&wrong, "metrics named outside telemetry");
}

#[test]
fn keys_are_named_in_one_file_only() {
    let mut wrong = Vec::new();
    for source in files("src", &["rs", "lua"])
        .iter()
        .filter(|source| source.path != "src/holds/keys.rs")
    {
        for (line, text) in source.code().filter(|(_, text)| text.contains("hb:")) {
            wrong.push(format!("{}:{line}: {}", source.path, text.trim()));
        }
    }
    none(&wrong, "Redis keys named outside src/holds/keys.rs");
}
