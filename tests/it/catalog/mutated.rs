//! Changing any one number of a catalog makes a test fail: each is changed here, and what the products say must notice.
//!
//! What is sold by usage is noticed by the quotes of `tables`, everything else by the terms beside the
//! catalogs, which nothing but a hand writes.

use std::{collections::BTreeMap, ops::Range};

use holdbook::pricing::{Catalog, diff::diff};

use super::{PRODUCTS, prices::usage, product, tables, text};

/// Where the numbers of a file are: digits that are a value or what is in it, not a part of a name.
fn numbers(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut start) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let said = line.split('#').next().unwrap_or_default();
        let mut at = 0;
        while let Some(from) = said[at..]
            .find(|sign: char| sign.is_ascii_digit())
            .map(|it| at + it)
        {
            let rest = &said[from..];
            let length = rest
                .find(|sign: char| !sign.is_ascii_digit() && sign != '.')
                .unwrap_or(rest.len());
            at = from + length;
            let before = said[..from].chars().next_back();
            let after = said[at..]
                .trim_start_matches(['%', 's', 'm', 'h'])
                .chars()
                .next();
            let begins = before.is_none_or(|sign| " {[(,".contains(sign));
            let ends = after.is_none_or(|sign| " ,}])\n".contains(sign));
            if begins && ends {
                found.push(start + from..start + at);
            }
        }
        start += line.len();
    }
    found
}

/// Other numbers near it and far from it.
fn others(number: &str) -> Vec<String> {
    let decimals = number.split_once('.').map_or(0, |(_, part)| part.len());
    let digits: u64 = number.replace('.', "").parse().expect("digits");
    let shown = |digits: u64| {
        let text = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, part) = text.split_at(text.len() - decimals);
        if decimals == 0 {
            whole.to_owned()
        } else {
            format!("{whole}.{part}")
        }
    };
    let mut others = vec![shown(digits + 1), shown(digits * 2 + 3)];
    if digits > 0 {
        others.push(shown(digits - 1));
    }
    others
}

/// The first row of the product's tables that a catalog does not cost.
fn wrong_price(name: &str, catalog: &Catalog) -> Option<String> {
    tables::rows(name).into_iter().find_map(|row| {
        let own = (!row.own.is_empty()).then_some(row.own);
        let found = if row.exact {
            catalog
                .charge(&usage(&row.usage), own)
                .map(|done| done.total.to_string())
        } else {
            catalog.quote(&usage(&row.usage), own).map(|quote| {
                let (least, most) = (
                    quote.total.minimum.to_string(),
                    quote.total.maximum.to_string(),
                );
                if least == most {
                    least
                } else {
                    format!("{least} to {most}")
                }
            })
        };
        let found = found.unwrap_or_else(|problems| problems.to_string());
        (found != row.cost())
            .then(|| format!("{} {}: {found}, not {}", row.usage, row.own, row.cost()))
    })
}

/// What has a number in it and is not sold by usage: plans, packs, purchases, welcomes, bounds.
fn terms(catalog: &Catalog) -> String {
    let facts = diff(None, catalog).expect("facts");
    let fact = |change: holdbook::pricing::diff::Change| {
        let value = change.new?;
        let by_usage = change.what.starts_with("meters.") || change.what.starts_with("overrides.");
        let counts = value.contains(|sign: char| sign.is_ascii_digit());
        (!by_usage && counts).then(|| format!("{}: {value}\n", change.what))
    };
    facts.into_iter().filter_map(fact).collect()
}

fn noticed(name: &str, catalog: &Catalog, said: &str) -> bool {
    wrong_price(name, catalog).is_some() || terms(catalog) != said
}

fn said(name: &str) -> String {
    text(&format!("{name}.terms.txt"))
}

#[test]
fn each_catalog_says_what_its_product_does() {
    for name in PRODUCTS {
        let catalog = product(name);
        assert_eq!(wrong_price(name, &catalog), None, "{name}");
        assert_eq!(terms(&catalog), said(name), "{name}");
    }
}

#[test]
fn any_number_that_is_changed_is_noticed() {
    let mut all = BTreeMap::new();
    let mut missed = Vec::new();
    for name in PRODUCTS {
        let (original, said) = (text(&format!("{name}.yaml")), said(name));
        assert!(
            !noticed(name, &product(name), &said),
            "{name} is right as it is"
        );
        let found = numbers(&original);
        for place in &found {
            let number = &original[place.clone()];
            for other in others(number) {
                let mut changed = original.clone();
                changed.replace_range(place.clone(), &other);
                // One that cannot be read any more is noticed by everything.
                let right =
                    Catalog::read(&changed).is_ok_and(|catalog| !noticed(name, &catalog, &said));
                if right {
                    let line = original[..place.start].lines().count();
                    missed.push(format!("{name}.yaml:{line}: {number} as {other}"));
                }
            }
        }
        all.insert(name, found.len());
    }
    println!(
        "mutate-catalogs: {} numbers changed, {} unnoticed {all:?}",
        all.values().sum::<usize>(),
        missed.len()
    );
    assert!(missed.is_empty(), "nothing notices:\n{}", missed.join("\n"));
    assert!(
        all.values().all(|count| *count >= 10),
        "the numbers are found: {all:?}"
    );
}

/// The loop above is only as good as this reading.
#[test]
fn numbers_are_found() {
    let text = "a: 1.5 # 7\nb_2: {c: 20%, d: days(30), e: [4k, 720p, 60s]}\npack_9: {up_to: 3}\n";
    let found: Vec<_> = numbers(text)
        .into_iter()
        .map(|place| &text[place])
        .collect();
    assert_eq!(found, ["1.5", "20", "30", "60", "3"]);
    assert_eq!(others("9.95"), ["9.96", "19.93", "9.94"]);
    assert_eq!(others("0"), ["1", "3"]);
}
