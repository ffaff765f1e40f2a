//! The rules as tables: each test is named after the rule that it shows, each line that shows one says which.
//!
//! They are performed on the service and on the reference model at once, so they also guard the model against a misreading.

mod accounts;
mod amounts;
mod commits;
mod debt;
mod evictions;
mod grants;
mod holds;
mod lost;
mod postings;
mod refunds;
mod repeats;
mod time;

/// All rules: the letter and how many it has.
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
fn every_rule_has_a_line_in_a_table() {
    let sources = [
        include_str!("tables/accounts.rs"),
        include_str!("tables/amounts.rs"),
        include_str!("tables/commits.rs"),
        include_str!("tables/debt.rs"),
        include_str!("tables/evictions.rs"),
        include_str!("tables/grants.rs"),
        include_str!("tables/holds.rs"),
        include_str!("tables/lost.rs"),
        include_str!("tables/postings.rs"),
        include_str!("tables/refunds.rs"),
        include_str!("tables/repeats.rs"),
        include_str!("tables/time.rs"),
    ];
    let lines = sources.iter().flat_map(|source| source.lines());
    let comments: Vec<&str> = lines
        .filter_map(|line| line.split_once(" # "))
        .map(|(_, comment)| comment)
        .collect();
    let cited = |rule: &String| {
        let mut words = comments
            .iter()
            .flat_map(|comment| comment.split(|c: char| !c.is_ascii_alphanumeric()));
        words.any(|word| word == rule)
    };
    let rules = RULES
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n}")));
    let missing: Vec<String> = rules.filter(|rule| !cited(rule)).collect();
    assert!(missing.is_empty(), "no table line cites {missing:?}");
}
