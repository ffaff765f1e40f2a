//! The sources, as the other rules read them.

use std::{env, fs, path::Path};

/// One source file.
pub struct Source {
    /// From the repository's root, as `src/holds/mod.rs`.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// Its lines with their numbers, without comments.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let comment = if self.path.ends_with(".lua") || self.path.ends_with(".sql") {
            "--"
        } else {
            "//"
        };
        self.text
            .lines()
            .enumerate()
            .map(move |(at, line)| (at + 1, without_comment(line, comment)))
    }
}

/// A URL's `//` starts no comment.
fn without_comment<'a>(line: &'a str, comment: &str) -> &'a str {
    let starts = line.match_indices(comment).map(|(at, _)| at);
    let mut starts = starts.filter(|at| !line[..*at].ends_with(':'));
    starts.next().map_or(line, |at| &line[..at])
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One file.
pub fn file(path: &str) -> Source {
    let text =
        fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Source {
        path: path.to_owned(),
        text,
    }
}

/// Every file under `folder` whose name ends in one of `extensions`, by path.
pub fn files(folder: &str, extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry of a folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|it| extensions.iter().any(|extension| it == *extension))
            {
                found.push(file(&relative(&path)));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no {extensions:?} under {folder}");
    found
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("a path under the root");
    path.to_str().expect("a path in UTF-8").replace('\\', "/")
}

/// The identifiers of a line and where they start.
pub fn identifiers(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + line[rest..].find(part)?;
        let end = line[start..]
            .find(|c| !part(c))
            .map_or(line.len(), |length| start + length);
        rest = end;
        Some((start, &line[start..end]))
    })
}

/// Fails with every line of `wrong`, if there is one.
pub fn none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}
