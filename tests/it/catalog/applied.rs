//! Versions of the catalog through gRPC: what adds one, what adds none, and which one holds.

use std::{collections::BTreeSet, fs};

use holdbook::{
    app::Service,
    catalogs::Catalogs,
    ledger::Ledger,
    proto::{ApplyCatalogRequest, QuoteRequest},
    telemetry::Metrics,
};
use tokio_postgres::{Client, NoTls};
use tonic::Code;
use tonic_types::StatusExt;

use super::{
    PRODUCTS, path,
    shop::{Prices, Shop, small, usage, violations, why},
    text,
};
use crate::support::{self, Stack};

fn asked(yaml: &str) -> ApplyCatalogRequest {
    ApplyCatalogRequest {
        yaml: yaml.to_owned(),
        ..Default::default()
    }
}

fn after(now: prost_types::Timestamp, seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: now.seconds + seconds,
        ..now
    })
}

/// The owner of the shop's database.
async fn owner(shop: &Shop) -> Client {
    let (client, connection) = tokio_postgres::connect(&shop.stack.postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    client
}

async fn versions(owner: &Client) -> i64 {
    let count = owner.query_one("select count(*) from catalogs", &[]).await;
    count.expect("a count").get(0)
}

/// A second process on the same stores.
async fn second(shop: &Shop) -> (Service, Prices) {
    let more = ["--test-clock=true", "--max-lifetime=26h"];
    let config = support::config(&shop.stack.redis.url(), &shop.stack.postgres_url, &more);
    let metrics = Metrics::local().expect("metrics");
    let service = Service::start(&config, metrics).await.expect("it starts");
    let prices = Prices::over(support::channel_to(service.address()));
    (service, prices)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_product_is_a_version_and_all_are_kept() {
    let shop = Shop::open().await;
    for (at, name) in (1..).zip(PRODUCTS) {
        let applied = shop.prices.apply(&text(&format!("{name}.yaml"))).await;
        let head = applied.catalog.expect("a version");
        assert_eq!((head.version, applied.applied), (at, true), "{name}");
        assert_eq!(head.applied_by, "ada");
        let warned = applied
            .warnings
            .iter()
            .any(|it| it.starts_with("this is the catalog"));
        assert_eq!(warned, at > 1, "{:?}", applied.warnings);
    }
    for (at, name) in (1..).zip(PRODUCTS) {
        let kept = shop.prices.catalog(at).await.expect("a version");
        assert_eq!(kept.yaml, text(&format!("{name}.yaml")));
        assert_eq!(kept.newest_version, 5);
    }
    let newest = shop.prices.catalog(0).await.expect("one in force");
    assert_eq!(newest.catalog.expect("a version").version, 5);
    // An old one is still a price list.
    let request = QuoteRequest {
        usage: usage("url_to_video 61"),
        version: 4,
        ..Default::default()
    };
    assert_eq!(
        shop.prices.quote(request).await.expect("a quote").maximum,
        "15"
    );
    let refused = shop.prices.catalog(6).await.expect_err("none");
    let (code, reason, message) = why(&refused);
    assert_eq!(
        (code, reason.as_str()),
        (Code::NotFound, "CATALOG_NOT_FOUND")
    );
    assert_eq!(message, "the catalog has no version 6");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_again_adds_nothing_and_says_so() {
    let shop = Shop::open().await;
    let first = shop.prices.apply(&small("1")).await;
    let head = first.catalog.clone().expect("a version");
    assert_eq!(
        head.sha256,
        "fc4204899e24f8659cb818fae7e30865c99e8d2cda947d0539adb639cfbca3a3"
    );
    assert_eq!(
        first
            .changes
            .iter()
            .find(|it| it.what == "meters.job.prices.any")
            .and_then(|it| it.new.clone()),
        Some("1".to_owned())
    );
    let now = shop.advance(10).await;
    for again in [
        asked(&small("1")),
        // The first call, sent again: it could not know of itself, and its instant has passed.
        ApplyCatalogRequest {
            expected_version: Some(0),
            effective_at: after(now, -10),
            ..asked(&small("1"))
        },
        ApplyCatalogRequest {
            validate_only: true,
            ..asked(&small("1"))
        },
    ] {
        let again = shop.prices.ask(again).await.expect("the same");
        assert!(!again.applied && again.changes.is_empty() && again.warnings.is_empty());
        assert_eq!(again.catalog, first.catalog);
    }
    assert_eq!(versions(&owner(&shop).await).await, 1);

    let changed = shop.prices.apply(&small("2")).await;
    let rows: Vec<_> = changed
        .changes
        .iter()
        .map(|it| (it.what.as_str(), it.old.as_deref(), it.new.as_deref()))
        .collect();
    assert_eq!(rows, [("meters.job.prices.any", Some("1"), Some("2"))]);
    // It is the newest that counts: an older text is a change back.
    let back = shop.prices.apply(&small("1")).await;
    assert_eq!(
        (back.applied, back.catalog.expect("a version").version),
        (true, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_overwrites_what_he_has_not_seen() {
    let shop = Shop::open().await;
    let expecting = |version, price: &str| ApplyCatalogRequest {
        expected_version: Some(version),
        ..asked(&small(price))
    };
    shop.prices.ask(expecting(0, "1")).await.expect("the first");
    for version in [0, 2] {
        let refused = shop
            .prices
            .ask(expecting(version, "2"))
            .await
            .expect_err("not the newest");
        let info = refused.get_details_error_info().expect("a reason");
        assert_eq!(
            (refused.code(), info.reason.as_str()),
            (Code::Aborted, "ETAG_MISMATCH")
        );
        assert_eq!(info.metadata["etag"], "1");
    }
    assert_eq!(shop.prices.job().await, ("1".to_owned(), 1));
    // Many at once, through two processes, all of whom saw version 1.
    let (service, other) = second(&shop).await;
    let mut calls = tokio::task::JoinSet::new();
    for at in 0..12 {
        let prices = [&shop.prices, &other][at % 2].clone();
        let request = expecting(1, &(at + 2).to_string());
        calls.spawn(async move { prices.ask(request).await.map(|done| done.catalog) });
    }
    let (won, lost): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 11));
    assert!(
        lost.iter()
            .all(|it| it.as_ref().expect_err("lost").code() == Code::Aborted)
    );
    // And such that look at nothing: one after the other, each its own version.
    let mut calls = tokio::task::JoinSet::new();
    for at in 0..12 {
        let prices = [&shop.prices, &other][at % 2].clone();
        let request = asked(&small(&(at + 20).to_string()));
        calls.spawn(async move { prices.ask(request).await.expect("a version") });
    }
    let done = calls.join_all().await;
    let numbers: BTreeSet<_> = done
        .iter()
        .map(|it| it.catalog.as_ref().expect("a version").version)
        .collect();
    assert_eq!(numbers, (3..15).collect());
    assert_eq!(versions(&owner(&shop).await).await, 14);
    service.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_07_a_new_price_holds_from_its_instant_on() {
    let shop = Shop::open().await;
    let old = text("creatify.yaml");
    let price = "url_to_video: {unit: second, increment: 30, price: 5}";
    assert!(old.contains(price));
    let new = old.replace(
        price,
        "url_to_video: {unit: second, increment: 30, price: 6}",
    );
    shop.prices.apply(&old).await;
    let now = shop.advance(0).await;
    let later = ApplyCatalogRequest {
        effective_at: after(now, 3600),
        ..asked(&new)
    };
    let applied = shop.prices.ask(later).await.expect("a version");
    let head = applied.catalog.expect("a version");
    assert_eq!(
        (head.version, head.effective_at, head.applied_at),
        (2, after(now, 3600), Some(now))
    );

    let cost = async || shop.prices.cost("url_to_video 61", "", false).await;
    let in_force = async || {
        let found = shop.prices.catalog(0).await.expect("one in force");
        found.catalog.expect("it").version
    };
    assert_eq!(cost().await, "15");
    shop.advance(3599).await;
    assert_eq!(cost().await, "15");
    assert_eq!(in_force().await, 1);
    shop.advance(1).await;
    assert_eq!(cost().await, "18");
    assert_eq!(in_force().await, 2);
    // The old price is still there for holds that were made with it.
    let request = QuoteRequest {
        usage: usage("url_to_video 61"),
        version: 1,
        ..Default::default()
    };
    assert_eq!(
        shop.prices.quote(request).await.expect("a quote").maximum,
        "15"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_takes_effect_in_the_past_or_before_the_newest() {
    let shop = Shop::open().await;
    let now = shop.advance(0).await;
    let at = |seconds, price: &str| ApplyCatalogRequest {
        effective_at: after(now, seconds),
        ..asked(&small(price))
    };
    let (code, reason, _) = why(&shop.prices.ask(at(-1, "1")).await.expect_err("the past"));
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID"));

    // Until the first is in force there are no prices.
    let none = shop.prices.catalog(0).await.expect_err("none");
    assert_eq!(
        why(&none),
        (
            Code::NotFound,
            "CATALOG_NOT_FOUND".into(),
            "there is no catalog: none was applied yet".into()
        )
    );
    shop.prices.ask(at(100, "1")).await.expect("the first");
    let none = shop
        .prices
        .quote(QuoteRequest {
            usage: usage("job 1"),
            ..Default::default()
        })
        .await;
    let none = none.expect_err("none in force");
    assert_eq!(why(&none).1, "CATALOG_NOT_FOUND");
    assert_eq!(
        none.get_details_error_info().expect("a reason").metadata["version"],
        "1"
    );

    // Absent is now, which is before the newest.
    for early in [asked(&small("2")), at(99, "2")] {
        let refused = shop.prices.ask(early).await.expect_err("too early");
        let [(field, said)] = &violations(&refused)[..] else {
            panic!("{refused}")
        };
        assert_eq!(field, "effective_at");
        assert!(said.contains("when version 1 takes effect"), "{said}");
    }
    // Of two with one instant the last holds: so one that is not in force yet can be taken back.
    shop.prices.ask(at(100, "2")).await.expect("the second");
    shop.advance(100).await;
    assert_eq!(shop.prices.job().await, ("2".to_owned(), 2));
    assert_eq!(versions(&owner(&shop).await).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_looked_at_is_not_added() {
    let shop = Shop::open().await;
    shop.prices.apply(&text("scriptkit.yaml")).await;
    let new = text("scriptkit.yaml")
        .replace("  upscale:", "  upscaling:")
        .replace("currency: USD", "currency: EUR");
    let request = ApplyCatalogRequest {
        validate_only: true,
        ..asked(&new)
    };
    let looked = shop.prices.ask(request.clone()).await.expect("a look");
    assert!(!looked.applied);
    assert_eq!(
        looked.warnings,
        [
            "currency: money was USD and is EUR",
            "meters.upscale: is gone: a usage of it is refused"
        ]
    );
    assert_eq!(looked.catalog.as_ref().expect("a version").version, 2);
    assert_eq!(shop.prices.catalog(1).await.expect("it").newest_version, 1);
    assert_eq!(shop.prices.cost("upscale 1", "", true).await, "1");
    let expecting = ApplyCatalogRequest {
        expected_version: Some(7),
        ..request
    };
    assert_eq!(
        shop.prices
            .ask(expecting)
            .await
            .expect_err("not the newest")
            .code(),
        Code::Aborted
    );
    // Done, it answers what it was said to.
    let done = shop.prices.apply(&new).await;
    assert_eq!(
        (done.changes, done.warnings),
        (looked.changes, looked.warnings)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_catalog_changes_nothing_and_all_its_mistakes_are_told() {
    let shop = Shop::open().await;
    let owner = owner(&shop).await;
    let files = fs::read_dir(path("broken")).expect("tests/catalogs/broken");
    let names = files.map(|file| {
        file.expect("a file")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let kinds: Vec<_> = names.filter(|name| name.ends_with(".yaml")).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    for with_one in [false, true] {
        if with_one {
            shop.prices.apply(&small("1")).await;
        }
        let before = versions(&owner).await;
        for name in &kinds {
            let file = format!("broken/{name}");
            let said = text(&file.replace(".yaml", ".txt"));
            for validate_only in [false, true] {
                let request = ApplyCatalogRequest {
                    validate_only,
                    ..asked(&text(&file))
                };
                let refused = shop.prices.ask(request).await.expect_err(&file);
                let (code, reason, message) = why(&refused);
                assert_eq!(
                    (code, reason.as_str()),
                    (Code::InvalidArgument, "INVALID"),
                    "{file}"
                );
                let told = violations(&refused);
                let lines = told.iter().map(|(field, what)| {
                    let place = field
                        .strip_prefix("yaml[")
                        .and_then(|it| it.strip_suffix(']'));
                    format!(
                        "{}: {what}\n",
                        place.unwrap_or_else(|| panic!("{file}: {field}"))
                    )
                });
                assert_eq!(lines.collect::<String>(), said, "{file}");
                assert!(
                    told.iter()
                        .all(|(field, what)| message.contains(&format!("{field}: {what}"))),
                    "{message}"
                );
            }
        }
        assert_eq!(versions(&owner).await, before);
    }
    assert_eq!(shop.prices.job().await, ("1".to_owned(), 1));
}

/// A status goes in headers, and a client takes only so many of them.
#[tokio::test(flavor = "multi_thread")]
async fn more_mistakes_than_a_status_can_carry_are_counted() {
    let shop = Shop::open().await;
    let rows =
        (0..300).map(|at| format!("  \"м{at}\": {{unit: second, price: {}}}\n", "ж".repeat(at)));
    let yaml = format!("catalog: small\nmeters:\n{}", rows.collect::<String>());
    let refused = shop.prices.ask(asked(&yaml)).await.expect_err("mistakes");
    let info = refused.get_details_error_info().expect("a reason");
    let (told, all) = (
        violations(&refused),
        info.metadata["violations"]
            .parse::<usize>()
            .expect("a count"),
    );
    assert!(
        !told.is_empty() && told.len() < all && all >= 300,
        "{} of {all}",
        told.len()
    );
    assert!(
        refused
            .message()
            .ends_with(&format!("; and {} more", all - told.len()))
    );
    let encoded = |byte| if u8::is_ascii(&byte) { 1 } else { 3 };
    let message: usize = refused.message().bytes().map(encoded).sum();
    let headers = message + refused.details().len() * 4 / 3;
    assert!(headers < 8 * 1024, "{headers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_applies_another_learns() {
    let shop = Shop::open().await;
    let (service, other) = second(&shop).await;
    shop.prices.apply(&small("1")).await;
    // By its number it is had at once.
    let request = QuoteRequest {
        usage: usage("job 1"),
        version: 1,
        ..Default::default()
    };
    assert_eq!(other.quote(request).await.expect("a quote").maximum, "1");
    shop.prices.apply(&small("2")).await;
    assert_eq!(
        shop.prices.job().await,
        ("2".to_owned(), 2),
        "whoever answered uses it"
    );
    let learned = async { while other.job().await != ("2".to_owned(), 2) {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), learned)
        .await
        .expect("the other one asks the ledger");
    service.stop().await.expect("it stops");
    // One that starts knows from the start.
    let (service, other) = second(&shop).await;
    assert_eq!(other.job().await, ("2".to_owned(), 2));
    service.stop().await.expect("it stops");
}

/// The ledger may go back to an older copy, and the numbers be given out again.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_came_to_mean_another_catalog_is_noticed() {
    let shop = Shop::open().await;
    shop.prices.apply(&small("1")).await;
    shop.prices.apply(&small("2")).await;
    let ledger: Ledger = shop.stack.service.ledger().clone();
    let process = Catalogs::open(ledger.clone())
        .await
        .expect("the ledger answers");
    let price = async |version| {
        let found = process
            .version(version)
            .await
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(found.catalog.meters["job"].prices.0[0].price.to_string())
    };
    assert_eq!(price(2).await, Ok("2".to_owned()));
    let owner = owner(&shop).await;
    owner
        .batch_execute("delete from catalogs where version = 2")
        .await
        .expect("it went back");
    process.step().await.expect("the ledger answers");
    assert_eq!(
        (process.newest(), price(2).await),
        (1, Err("the catalog has no version 2".to_owned()))
    );
    // In between this process saw nothing.
    let again = Catalogs::open(ledger).await.expect("the ledger answers");
    shop.prices.apply(&small("3")).await;
    again.step().await.expect("the ledger answers");
    process.step().await.expect("the ledger answers");
    assert_eq!(price(2).await, Ok("3".to_owned()));
    assert_eq!(shop.prices.job().await, ("3".to_owned(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_append_only_for_serving_connections() {
    let shop = Shop::open().await;
    shop.prices.apply(&small("1")).await;
    let owner = owner(&shop).await;
    owner
        .batch_execute("set role holdbook_service")
        .await
        .expect("the role");
    assert_eq!(versions(&owner).await, 1);
    for verb in [
        "update catalogs set yaml = ''",
        "delete from catalogs",
        "truncate catalogs",
        "drop table catalogs",
    ] {
        let error = owner.batch_execute(verb).await.expect_err(verb);
        assert_eq!(
            error.code().map(|code| code.code()),
            Some("42501"),
            "{verb}"
        );
    }
}

/// On the clock of a service in earnest, and when its ledger is gone.
#[tokio::test(flavor = "multi_thread")]
async fn quotes_go_on_without_the_ledger_and_nothing_is_applied() {
    let mut postgres = support::own_postgres("catalogs").await;
    let stack = Stack::start_on(support::redis().await, postgres.url(), &[]).await;
    let prices = Prices::over(stack.channel());
    prices.apply(&small("1")).await;
    assert_eq!(prices.job().await, ("1".to_owned(), 1));
    prices.apply(&small("2")).await;
    postgres.kill().await.expect("killed");
    assert_eq!(prices.job().await, ("2".to_owned(), 2));
    let request = QuoteRequest {
        usage: usage("job 1"),
        version: 1,
        ..Default::default()
    };
    assert_eq!(prices.quote(request).await.expect("a quote").maximum, "1");
    let refused = prices.ask(asked(&small("3"))).await.expect_err("no ledger");
    let (code, reason, _) = why(&refused);
    assert_eq!(
        (code, reason.as_str()),
        (Code::Unavailable, "STORE_UNAVAILABLE")
    );
    assert_eq!(
        prices.catalog(0).await.expect_err("no ledger").code(),
        Code::Unavailable
    );
    assert_eq!(prices.job().await, ("2".to_owned(), 2));
}
