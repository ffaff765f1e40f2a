//! The architecture page names tests, files and rooms: they are there.

use std::collections::BTreeSet;

use super::source::{file, files, none};

/// What a text has in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// `tests/it/model/mod.rs` and `src/domain/posting.rs` hold the modules `model` and `posting`.
fn module(path: &str) -> &str {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.rsplit('/').next().unwrap_or(path)
}

#[test]
fn every_test_that_the_page_names_exists() {
    let mut known = BTreeSet::new();
    for source in files("tests/it", &["rs"])
        .into_iter()
        .chain(files("src", &["rs"]))
    {
        let lines: Vec<_> = source.text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let name = line.trim_start_matches("async ").strip_prefix("fn ");
            let Some((name, _)) = name.and_then(|rest| rest.split_once('(')) else {
                continue;
            };
            let marks = &lines[at.saturating_sub(3)..at];
            if marks.iter().any(|mark| {
                mark.contains("test]")
                    || mark.starts_with("#[tokio::test")
                    || mark.contains("proptest")
            }) {
                known.insert(format!("{}::{name}", module(&source.path)));
            }
        }
    }
    let page = file("src/lib.rs");
    let rows = page
        .text
        .lines()
        .skip_while(|line| !line.contains("| shown by |"))
        .skip(2)
        .take_while(|line| line.starts_with("//! |"));
    let (mut named, mut wrong) = (0, Vec::new());
    for row in rows {
        let shown_by = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        for test in quoted(shown_by) {
            named += 1;
            let last_two = test.rsplit("::").take(2).collect::<Vec<_>>();
            let key = format!("{}::{}", last_two.get(1).unwrap_or(&""), last_two[0]);
            if !known.contains(&key) {
                wrong.push(test.to_owned());
            }
        }
    }
    assert!(named >= 10, "only {named} tests were found on the page");
    none(&wrong, "tests that src/lib.rs names and that are not there");
}

#[test]
fn every_file_in_the_picture_exists() {
    let page = file("src/lib.rs");
    let picture = page.text.split("```").nth(1).expect("the picture");
    let paths = picture
        .split_whitespace()
        .filter(|word| word.ends_with(".rs"));
    let paths: Vec<_> = paths.collect();
    assert!(paths.len() >= 7, "{paths:?}");
    for path in paths {
        file(&format!("src/{path}"));
    }
}
