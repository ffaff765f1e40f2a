//! `holdbook catalog` as a person meets it: what it prints, and how it exits.

use std::{
    fs,
    process::{Command, Output},
};

use holdbook::pricing::{Catalog, warnings};

use super::{PRODUCTS, product, text};

fn holdbook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Nobody listens there: a catalog's file needs no server.
        .env("HOLDBOOK_SERVER", "http://127.0.0.1:1")
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn file(name: &str) -> String {
    format!("tests/catalogs/{name}.yaml")
}

#[test]
fn a_right_catalog_is_summed_up() {
    for name in PRODUCTS {
        let output = holdbook(&["catalog", "check", &file(name)]);
        assert!(output.status.success(), "{name}: {}", told(&output.stderr));
        let said = told(&output.stdout);
        assert!(said.contains(name) && said.contains("METERS"), "{said}");
    }
    let said = told(&holdbook(&["catalog", "check", &file("scriptkit")]).stdout);
    let row = |start: &str| {
        said.lines()
            .map(str::trim)
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("{start}: {said}"))
    };
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(row("professional")),
        ["professional", "1250", "calendar_month", "89", "961"]
    );
    assert_eq!(
        words(row("video")),
        ["video", "any", "50", "to", "80", "5", "second"]
    );
    assert_eq!(words(row("top_up_2500")), ["top_up_2500", "2500", "150"]);
}

#[test]
fn a_wrong_catalog_is_told_line_by_line_and_exits_with_2() {
    let broken = file("broken/words");
    let output = holdbook(&["catalog", "check", &broken]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(told(&output.stdout), "");
    let expected: String = text("broken/words.txt")
        .lines()
        .map(|line| format!("{broken}:{line}\n"))
        .collect();
    assert_eq!(told(&output.stderr), expected);

    let output = holdbook(&["--output", "json", "catalog", "check", &broken]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_str(&told(&output.stderr)).expect("JSON");
    let first = &json["mistakes"][0];
    assert_eq!(first["file"], broken);
    assert_eq!(
        (first["line"].as_u64(), first["column"].as_u64()),
        (Some(2), Some(18))
    );
}

#[test]
fn two_catalogs_are_compared_fact_by_fact() {
    let old = file("scriptkit");
    let mut new = text("scriptkit.yaml");
    for (from, to) in [
        ("resolution: 4k}, price: 25", "resolution: 4k}, price: 20"),
        (
            "    unit: image\n    capacities: [storage]\n    price: 1\n",
            "    unit: image\n    price: {min: 1, max: 2}\n",
        ),
        ("  top_up_100: {credits: 100, price: 10}\n", ""),
        (
            "    allowance: 400\n",
            "    allowance: 400.000\n    rollover: {for: days(30)}\n",
        ),
    ] {
        assert!(new.contains(from), "{from}");
        new = new.replacen(from, to, 1);
    }
    let path = std::env::temp_dir().join(format!("holdbook-catalog-{}.yaml", std::process::id()));
    fs::write(&path, new).expect("a temporary file");
    let other = path.to_str().expect("UTF-8");
    let output = holdbook(&["--output", "json", "catalog", "diff", &old, other]);
    let same = holdbook(&["--output", "json", "catalog", "diff", &old, &old]);
    let broken = file("broken/key_twice");
    let wrong = holdbook(&["catalog", "diff", &broken, other]);
    let both = holdbook(&["catalog", "diff", &broken, &broken]);
    fs::remove_file(&path).expect("the temporary file");

    let json: serde_json::Value = serde_json::from_str(&told(&output.stdout)).expect("JSON");
    let rows: Vec<_> = json["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|row| {
            let cell = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            [cell("change"), cell("what"), cell("old"), cell("new")].join(" | ")
        })
        .collect();
    assert_eq!(
        rows,
        [
            "changed | meters.export.prices.resolution=4k | 25 | 20",
            "removed | meters.upscale.capacities | storage | -",
            "changed | meters.upscale.prices.any | 1 | 1 to 2",
            "removed | packs.top_up_100.credits | 100 | -",
            "removed | packs.top_up_100.expires | never | -",
            "removed | packs.top_up_100.off | 0% | -",
            "removed | packs.top_up_100.price | 10 | -",
            "removed | packs.top_up_100.refundable | true | -",
            "added | plans.starter.rollover.for | - | days(30)",
        ]
    );
    let warnings: Vec<_> = json["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|row| row["warning"].as_str().expect("a text"))
        .collect();
    assert_eq!(
        warnings,
        ["packs.top_up_100: is gone: it cannot be bought any more"]
    );
    let none: serde_json::Value = serde_json::from_str(&told(&same.stdout)).expect("JSON");
    assert_eq!(none["changes"].as_array().map(Vec::len), Some(0));
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(
        (
            told(&wrong.stderr).lines().count(),
            told(&both.stderr).lines().count()
        ),
        (2, 4)
    );
}

/// Whatever callers or customers will meet, and no more: a price that changes is what catalogs are for.
#[test]
fn what_somebody_will_meet_is_warned_of() {
    let old = product("creatify");
    let warned = |from: &str, to: &str| {
        let text = text("creatify.yaml");
        assert!(text.contains(from), "{from}");
        let new =
            Catalog::read(&text.replace(from, to)).unwrap_or_else(|it| panic!("{from}: {it}"));
        warnings(&old, &new)
    };
    for (from, to, expected) in [
        ("price: 0.25", "price: 0.5", None),
        (
            "catalog: creatify",
            "catalog: next",
            Some("this is the catalog \"next\", the one before is \"creatify\""),
        ),
        (
            "currency: USD",
            "currency: EUR",
            Some("currency: money was USD and is EUR"),
        ),
        (
            "  link: {",
            "  links: {",
            Some("meters.link: is gone: a usage of it is refused"),
        ),
        (
            "enterprise_volume",
            "volume",
            Some("overrides.enterprise_volume: is gone: a quote that names it is refused"),
        ),
        (
            "  ad-house: enterprise_volume\n",
            "",
            Some("contracts.ad-house: is gone: the account pays what everybody pays"),
        ),
        (
            "  creator: {",
            "  maker: {",
            Some("plans.creator: is gone: nobody can come to it any more"),
        ),
        (
            "script: {unit: request",
            "script: {unit: page",
            Some("meters.script.unit: a quantity was in request and is in page"),
        ),
    ] {
        assert_eq!(warned(from, to), Vec::from_iter(expected), "{from}");
    }
    let gone = |old: &str, new: &str| {
        let catalog = |attributes: &str| {
            let text = format!(
                "catalog: a\nmeters:\n  job: {{unit: second, price: 1, attributes: {{{attributes}}}}}\n"
            );
            Catalog::read(&text).unwrap_or_else(|it| panic!("{text}: {it}"))
        };
        warnings(&catalog(old), &catalog(new))
    };
    // A beginning covers the value that was there.
    assert_eq!(gone("size: [small]", "size: [sm*]"), [""; 0]);
    assert_eq!(
        gone("size: [s, l]", "size: [s]"),
        ["meters.job.attributes.size.l: is gone: a usage of it is refused"]
    );
    assert_eq!(
        gone("size: [s]", "look: [new]"),
        [
            "meters.job.attributes.look: is new: a usage without it may be refused",
            "meters.job.attributes.size: is gone: a usage that says it is refused",
        ]
    );
}

#[test]
fn the_examples_of_the_help_are_right() {
    for command in ["check", "diff"] {
        let help = told(&holdbook(&["catalog", command, "--help"]).stdout);
        let example = help
            .lines()
            .find_map(|line| line.strip_prefix("  holdbook "))
            .expect("an example");
        let words: Vec<_> = example.split(' ').collect();
        let output = holdbook(&words);
        assert!(
            output.status.success(),
            "{example}: {}",
            told(&output.stderr)
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_a_failure() {
    let output = holdbook(&["catalog", "check", "nowhere.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output.stderr).starts_with("cannot read nowhere.yaml: "),
        "{}",
        told(&output.stderr)
    );
}
