//! docs/catalog.md says what the code reads: its example is right and has every key, its tables have every key and word.

use std::{collections::BTreeMap, fs, path::Path};

use holdbook::pricing::{
    Catalog,
    words::{
        AfterTrial, Counted, CreditsOnUpgrade, GrantOn, Known, LimitedBy, Mode, Overage, Rounding,
        Stacking, TierMode, Word,
    },
};

/// A catalog with a key that is not known in each kind of map, so that what is told lists those that are.
const PROBE: &str = "
zz: 1
catalog: probe
accounts: {zz: 1, welcome: {zz: 1, credits: 1}}
meters:
  a: {zz: 1, unit: second, attributes: {model: {zz: 1, values: [x]}}, price: {zz: 1, min: 1, max: 2}}
  b: {unit: second, tiers: {zz: 1, mode: volume, steps: [{zz: 1, price: 1}]}}
  c: {unit: second, prices: [{zz: 1, price: 1}]}
plans:
  a:
    zz: 1
    allowance: 1
    price: 1
    yearly: {zz: 1, off: 1%}
    rollover: {zz: 1, for: never}
    limits: {zz: 1}
    spend_caps: {zz: 1, per_label: {user: {zz: 1}}}
    trial: {zz: 1, for: days(1), allowance: 1}
packs: {a: {zz: 1, credits: 1, price: 1}}
purchases: {zz: 1, minimum: 1, price: 1}
trust_tiers: {a: {zz: 1, maximum_purchase: 1}}
";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/catalog.md");
    fs::read_to_string(path).expect("docs/catalog.md")
}

fn example(page: &str) -> &str {
    let (_, rest) = page.split_once("```yaml\n").expect("an example");
    rest.split_once("```").expect("its end").0
}

/// The keys of each kind of map, as the reader tells them.
fn known() -> BTreeMap<String, Vec<String>> {
    let mistakes = Catalog::read(PROBE).expect_err("keys that are not known");
    let told = mistakes.0.iter().map(|mistake| {
        let (of, keys) = mistake
            .what
            .split_once(" has no key \"zz\"; it has: ")
            .unwrap_or_else(|| panic!("{mistake}"));
        (of.to_owned(), keys.split(", ").map(str::to_owned).collect())
    });
    told.collect()
}

/// The rows of each `###` section, by the key in their first cell.
fn sections(page: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let sections = page.split("\n### ").skip(1);
    let section = |text: &str| {
        let (title, rest) = text.split_once('\n').expect("a title");
        let rows = rest
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        (
            title.to_owned(),
            rows.map(|(key, rest)| (key.to_owned(), rest.to_owned()))
                .collect(),
        )
    };
    sections.map(section).collect()
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    let said = sections(&page());
    let keys =
        |rows: &Vec<(String, String)>| rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let said: BTreeMap<_, _> = said
        .iter()
        .map(|(title, rows)| (title.clone(), keys(rows)))
        .collect();
    assert_eq!(said, known());
}

#[test]
fn the_example_is_right_and_has_every_key() {
    let page = page();
    let example = example(&page);
    Catalog::read(example).unwrap_or_else(|mistakes| panic!("docs/catalog.md:\n{mistakes}"));
    for key in known().values().flatten() {
        let written = example.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        assert!(
            written.clone().any(|word| word == format!("{key}:")),
            "the example has no `{key}`"
        );
    }
}

#[test]
fn every_word_is_in_the_row_of_its_key() {
    let said = sections(&page());
    let words = |title: &str, key: &str, words: &[&str]| {
        let (_, row) = said[title].iter().find(|(name, _)| name == key).expect(key);
        for word in words {
            assert!(row.contains(&format!("`{word}`")), "{title}, {key}: {word}");
        }
    };
    fn all<T: Word>() -> Vec<&'static str> {
        T::ALL.iter().map(|value| value.word()).collect()
    }
    words("a meter", "rounding", &all::<Rounding>());
    words("a meter", "amount_rounding", &all::<Rounding>());
    words("a meter", "counted", &all::<Counted>());
    words("a meter", "limited_by", &all::<LimitedBy>());
    words("an attribute", "known", &all::<Known>());
    words("tiers", "mode", &all::<TierMode>());
    words("accounts", "mode", &all::<Mode>());
    words("a plan", "grant_on", &all::<GrantOn>());
    words("a plan", "overage", &all::<Overage>());
    words("a plan", "credits_on_upgrade", &all::<CreditsOnUpgrade>());
    words("a trial", "then", &all::<AfterTrial>());
    words("a catalog", "pack_discounts", &all::<Stacking>());
}
