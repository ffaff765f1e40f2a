//! Files with mistakes: each kind has a file, and beside it all that is said about it.

use std::{env, fs};

use holdbook::pricing::Catalog;

use super::{path, text};

/// The kinds that must have a file.
const KINDS: usize = 20;

fn files() -> Vec<String> {
    let entries = fs::read_dir(path("broken")).expect("tests/catalogs/broken");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let mut yaml: Vec<_> = names.filter(|name| name.ends_with(".yaml")).collect();
    yaml.sort();
    yaml
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let files = files();
    assert!(files.len() >= KINDS, "only {} kinds", files.len());
    for name in files {
        let file = format!("broken/{name}");
        let mistakes = Catalog::read(&text(&file)).expect_err(&file);
        let told = format!("{mistakes}\n");
        assert_eq!(
            told.lines().count(),
            mistakes.0.len(),
            "{file}: a mistake is a line"
        );
        let beside = file.replace(".yaml", ".txt");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(path(&beside), &told).expect("the file beside it");
        }
        assert_eq!(
            told,
            text(&beside),
            "{file}: UPDATE_DOCS=1 cargo test rewrites {beside}"
        );
    }
}

/// Every line of a broken file with a `# wrong` at its end is told of, and no other.
#[test]
fn exactly_the_lines_that_are_marked_are_told() {
    for name in files() {
        let file = format!("broken/{name}");
        let content = text(&file);
        let marked = content
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains("# wrong"));
        let marked: Vec<_> = marked.map(|(at, _)| at + 1).collect();
        let mistakes = Catalog::read(&content).expect_err(&file);
        let mut told: Vec<_> = mistakes
            .0
            .iter()
            .map(|mistake| mistake.place.line)
            .collect();
        told.dedup();
        assert_eq!(told, marked, "{file}:\n{mistakes}");
    }
}
