//! What each product says a usage costs, through gRPC: the range before the run, the exact price after it.

use holdbook::proto::QuoteRequest;
use tonic::Code;

use super::{
    PRODUCTS,
    shop::{Shop, small, usage, violations, why},
    tables, text,
};

/// What is known before the run costs the same before and after it.
async fn costs(shop: &Shop, rows: &[(&str, &str)]) {
    for (usage, expected) in rows {
        for exact in [false, true] {
            let cost = shop.prices.cost(usage, "", exact).await;
            assert_eq!(cost, *expected, "{usage}");
        }
    }
}

/// The lines of a quote as `meter amount`.
async fn lines(shop: &Shop, text: &str) -> Vec<String> {
    let request = QuoteRequest {
        usage: usage(text),
        exact: true,
        ..Default::default()
    };
    let quote = shop.prices.quote(request).await.expect("a quote");
    let line = |line: &holdbook::proto::QuoteLine| format!("{} {}", line.meter, line.maximum);
    quote.lines.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_06_a_price_is_a_line_for_each_element_and_their_sum() {
    let shop = Shop::selling("json2video").await;
    let text = "render 45 resolution=full-hd; voice 61; image 3; video_generation 5; render 10 resolution=instagram-story";
    let expected = [
        "render 90",
        "voice 2",
        "image 6",
        "video_generation 20",
        "render 15",
    ];
    assert_eq!(lines(&shop, text).await, expected);
    costs(&shop, &[(text, "133")]).await;
    // The same again is the same again.
    assert_eq!(lines(&shop, text).await, expected);
    let rows = [
        ("sd", "5"),
        ("hd", "10"),
        ("full-hd", "20"),
        ("squared", "10"),
        ("instagram-story", "15"),
        ("instagram-feed", "15"),
    ];
    for (resolution, expected) in rows {
        costs(
            &shop,
            &[(&format!("render 10 resolution={resolution}"), expected)],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_02_a_quote_is_a_range_before_the_run_and_exact_after_it() {
    let shop = Shop::selling("studio").await;
    let cost = async |text: &str, exact| shop.prices.cost(text, "", exact).await;
    assert_eq!(cost("image 1", false).await, "2 to 3");
    assert_eq!(cost("image 1 price=2", true).await, "2");
    assert_eq!(cost("image 1 price=2.75", true).await, "2.75");
    assert_eq!(cost("image 1 price=3", true).await, "3");
    assert_eq!(cost("video 10", false).await, "8 to 20");
    for (model, expected) in [("swift", "8"), ("classic", "12"), ("grand", "20")] {
        let usage = format!("video 10 model={model}");
        assert_eq!(cost(&usage, true).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_03_the_list_of_prices() {
    let shop = Shop::selling("scriptkit").await;
    for (usage, expected) in [
        ("image 1", "1 to 2"),
        ("hd_image 1", "2 to 4"),
        ("remix 1", "1 to 2"),
        ("upscale 1", "1"),
        ("video 5", "50 to 80"),
    ] {
        assert_eq!(
            shop.prices.cost(usage, "", false).await,
            expected,
            "{usage}"
        );
    }
    costs(
        &shop,
        &[
            ("export 1 resolution=720p", "5"),
            ("export 1 resolution=1080p", "10"),
            ("export 1 resolution=4k", "25"),
        ],
    )
    .await;
    for (usage, expected) in [
        ("image 1 price=1", "1"),
        ("image 1 price=2", "2"),
        ("video 5 price=80", "80"),
    ] {
        assert_eq!(shop.prices.cost(usage, "", true).await, expected, "{usage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_02_each_meter_by_its_started_increment() {
    let shop = Shop::selling("creatify").await;
    for meter in [
        "url_to_video",
        "avatar",
        "custom_template",
        "ai_shorts",
        "ai_editing",
    ] {
        costs(
            &shop,
            &[
                (&format!("{meter} 30"), "5"),
                (&format!("{meter} 31"), "10"),
            ],
        )
        .await;
    }
    costs(
        &shop,
        &[
            ("aurora 1", "1"),
            ("aurora_fast 1", "0.5"),
            ("text_to_speech 30", "1"),
            ("text_to_speech 30.000001", "2"),
            ("product_video 30", "10"),
            ("product_image 1", "2"),
            ("ad_clone 5", "12"),
            ("ad_clone 6", "24"),
            ("script 1", "1"),
            ("link 1", "1"),
            ("asset 1 model=photo", "3"),
            ("text 1500", "0.375"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_03_increments_are_of_each_item() {
    let shop = Shop::selling("creatify").await;
    costs(
        &shop,
        &[
            ("url_to_video 1", "5"),
            ("url_to_video 30", "5"),
            ("url_to_video 30.001", "10"),
            ("url_to_video 61", "15"),
            ("aurora_fast 1", "0.5"),
            ("aurora_fast 10.2", "5.5"),
            ("url_to_video 31; url_to_video 31", "20"),
            ("url_to_video 0", "0"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_04_what_is_unknown_is_an_error_with_what_is_known_and_never_free() {
    let shop = Shop::selling("creatify").await;
    let refused = async |text: &str, own: &str| {
        let request = QuoteRequest {
            usage: usage(text),
            r#override: own.to_owned(),
            ..Default::default()
        };
        let status = shop.prices.quote(request).await.expect_err(text);
        assert_eq!(why(&status).0, Code::InvalidArgument);
        assert_eq!(why(&status).1, "INVALID");
        violations(&status)
    };
    let meters = "ad_clone, ai_editing, ai_shorts, asset, aurora, aurora_fast, avatar, custom_template, link, \
                  product_image, product_video, script, text, text_to_speech, url_to_video";
    let field =
        |at: usize, field: &str, what: &str| (format!("usage[{at}].{field}"), what.to_owned());
    let expected = [
        field(
            2,
            "quantity",
            "must be digits with at most six decimals, such as 12 or 0.5",
        ),
        field(
            0,
            "meter",
            &format!("unknown meter \"url_to_vid\"; known: {meters}"),
        ),
        field(
            1,
            "attributes.model",
            "unknown model \"oil\"; known: sketch, photo, cinema",
        ),
        field(
            2,
            "attributes.model",
            "missing; known values of model: sketch, photo, cinema",
        ),
        field(
            3,
            "attributes.size",
            "unknown attribute \"size\"; the meter has none",
        ),
    ];
    let told = refused(
        "url_to_vid 1; asset 1 model=oil; asset x; avatar 1 size=9",
        "",
    )
    .await;
    let places = |rows: &[(String, String)]| {
        rows.iter()
            .map(|(field, _)| field.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&told), places(&expected));
    assert_eq!(told[1..], expected[1..]);
    let told = refused("script 1", "enterprise").await;
    assert_eq!(
        told,
        [(
            "override".to_owned(),
            "unknown override \"enterprise\"; known: enterprise_graduated, enterprise_volume"
                .to_owned()
        )]
    );
    // Too much to be looked at is told as such.
    let many = vec!["script 1"; 101].join("; ");
    assert_eq!(places(&refused(&many, "").await), ["usage"]);
    let long = format!("{} 1; script 1 x={}", "m".repeat(65), "v".repeat(129));
    assert_eq!(
        places(&refused(&long, "").await),
        ["usage[0].meter", "usage[1].attributes"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_06_an_enterprise_has_prices_of_its_own() {
    let shop = Shop::selling("creatify").await;
    for (own, usage, expected) in [
        // 10 increments of 5, 20 of 4, 1 of 3.
        ("enterprise_graduated", "url_to_video 300", "50"),
        ("enterprise_graduated", "url_to_video 901", "133"),
        ("enterprise_graduated", "product_image 2", "3"),
        ("enterprise_graduated", "avatar 30", "5"),
        ("enterprise_volume", "url_to_video 300", "50"),
        ("enterprise_volume", "url_to_video 330", "44"),
    ] {
        assert_eq!(
            shop.prices.cost(usage, own, true).await,
            expected,
            "{own}: {usage}"
        );
    }
    // 300 seconds cost more than 330: a hold must be enough for both.
    assert_eq!(
        shop.prices
            .cost("url_to_video 330", "enterprise_volume", false)
            .await,
        "44 to 50"
    );
}

/// The product names no price of tokens in a numbered sentence; those of its catalog are examples.
#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_tokens_are_added_up_before_they_are_rounded() {
    let shop = Shop::selling("openai-prepaid").await;
    costs(
        &shop,
        &[
            ("tokens 1000000 model=large direction=input", "2.5"),
            ("tokens 1000000 model=large direction=output", "10"),
            ("tokens 1000000 model=small direction=input", "0.15"),
            ("tokens 1000000 model=small direction=output", "0.6"),
            (
                "tokens 1 model=small direction=input; tokens 1 model=small direction=input",
                "0.000001",
            ),
        ],
    )
    .await;
}

/// The tables are the products' own, computed in whole numbers, and not by what they are compared with.
#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_products_tables_costs_what_the_table_says() {
    let shop = Shop::open().await;
    for name in PRODUCTS {
        shop.prices.apply(&text(&format!("{name}.yaml"))).await;
        let rows = tables::rows(name);
        assert!(rows.len() >= 8, "{name}: {} rows", rows.len());
        for row in rows {
            let cost = shop.prices.cost(&row.usage, row.own, row.exact).await;
            assert_eq!(cost, row.cost(), "{name}: {} {}", row.usage, row.own);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_says_what_it_counted() {
    let shop = Shop::open().await;
    shop.prices.apply(&small("0.5")).await;
    let request = QuoteRequest {
        usage: usage("job 0; job 10.2"),
        ..Default::default()
    };
    let quote = shop.prices.quote(request).await.expect("a quote");
    let lines: Vec<_> = quote
        .lines
        .iter()
        .map(|it| {
            (
                it.items.clone(),
                it.quantity.as_str(),
                it.charged.as_str(),
                it.minimum.as_str(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [(vec![0], "0", "0", "0"), (vec![1], "10.2", "11", "5.5")]
    );
    assert_eq!(
        (
            quote.minimum.as_str(),
            quote.maximum.as_str(),
            quote.version
        ),
        ("5.5", "5.5", 1)
    );
    let nothing = shop
        .prices
        .quote(QuoteRequest::default())
        .await
        .expect("nothing costs nothing");
    assert_eq!((nothing.lines.len(), nothing.maximum.as_str()), (0, "0"));
}
