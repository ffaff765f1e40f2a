//! Every rule of the contract is cited in the reference model, at the branch that it asks for.

/// The rules by letter and how many each has.
const RULES: [(&str, u32); 8] = [
    ("A", 4),
    ("G", 7),
    ("H", 14),
    ("D", 4),
    ("C", 3),
    ("I", 4),
    ("T", 3),
    ("O", 1),
];

#[test]
fn every_rule_is_cited_in_the_reference_model() {
    let source = include_str!("reference.rs");
    let comments: Vec<&str> = source
        .lines()
        .filter_map(|line| line.split_once("//"))
        .map(|line| line.1)
        .collect();
    let cites = |rule: &str| {
        let words = comments
            .iter()
            .flat_map(|c| c.split(|ch: char| !ch.is_ascii_alphanumeric()));
        words.into_iter().any(|word| word == rule)
    };
    let all = RULES
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n}")));
    let missing: Vec<String> = all.filter(|rule| !cites(rule)).collect();
    assert!(missing.is_empty(), "reference.rs does not cite {missing:?}");
}

#[test]
fn the_reference_model_imports_only_the_client_types_and_std() {
    let source = include_str!("reference.rs");
    let imports = source.lines().filter(|line| line.starts_with("use "));
    let foreign: Vec<&str> = imports
        .filter(|line| {
            !["use std::", "use holdbook::proto::", "use prost_types::"]
                .iter()
                .any(|from| line.starts_with(from))
        })
        .collect();
    assert!(foreign.is_empty(), "reference.rs imports {foreign:?}");
}
