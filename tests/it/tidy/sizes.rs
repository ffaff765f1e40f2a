//! How long files may be. A long file hides what belongs together; the bounds are habits, so they have a way out that is seen.

use super::source::{files, none};

/// Half of all files are at most this long.
const MEDIAN_MAX: usize = 180;
/// A longer one says why in its first lines.
const LINES_MAX: usize = 400;
/// Where it says so.
const FIRST_LINES: usize = 12;

#[test]
fn the_median_file_is_short() {
    let sources = files("src", &["rs", "lua"]);
    let mut lengths: Vec<_> = sources
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .collect();
    lengths.sort();
    let (median, path) = lengths[lengths.len() / 2];
    assert!(
        median <= MEDIAN_MAX,
        "the median of {} files has {median} lines ({path}), allowed are {MEDIAN_MAX}",
        lengths.len()
    );
}

#[test]
fn a_long_file_says_why() {
    let mut wrong = Vec::new();
    for source in files("src", &["rs", "lua", "sql"]) {
        let lines = source.text.lines().count();
        let said = source
            .text
            .lines()
            .take(FIRST_LINES)
            .any(|line| line.contains("lines"));
        if lines > LINES_MAX && !said {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    none(
        &wrong,
        &format!(
            "files over {LINES_MAX} lines whose first {FIRST_LINES} do not say why (with the word \"lines\")"
        ),
    );
}

#[test]
fn every_file_starts_with_what_it_is() {
    let mut wrong = Vec::new();
    let sources = files("src", &["rs", "lua"])
        .into_iter()
        .chain(files("src/ledger/migrations", &["sql"]));
    for source in sources {
        let start = if source.path.ends_with(".rs") {
            "//! "
        } else {
            "-- "
        };
        if !source.text.starts_with(start) {
            wrong.push(source.path);
        }
    }
    none(&wrong, "files that do not start by saying what they own");
}
