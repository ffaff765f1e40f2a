//! The products' own tables: what they say a usage costs, computed here in whole micro-credits.

/// One usage and its price.
#[derive(Clone, Debug)]
pub struct Row {
    /// As `super::shop::usage` reads it.
    pub usage: String,
    /// The account's own prices; empty: none.
    pub own: &'static str,
    /// After the run.
    pub exact: bool,
    /// In micro-credits.
    pub minimum: u128,
    pub maximum: u128,
}

impl Row {
    /// `2 to 3`, or `5`.
    pub fn cost(&self) -> String {
        let (minimum, maximum) = (amount(self.minimum), amount(self.maximum));
        if minimum == maximum {
            minimum
        } else {
            format!("{minimum} to {maximum}")
        }
    }
}

const MICRO: u128 = 1_000_000;

fn amount(micro: u128) -> String {
    let text = format!("{}.{:06}", micro / MICRO, micro % MICRO);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Micro-units of a decimal text.
fn micro(text: &str) -> u128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().expect("digits")
}

/// Both before and after the run.
fn fixed(usage: String, own: &'static str, price: u128) -> [Row; 2] {
    [false, true].map(|exact| Row {
        usage: usage.clone(),
        own,
        exact,
        minimum: price,
        maximum: price,
    })
}

/// A meter that charges started increments: at an increment, a little above and some of them.
fn started(of: &str, attributes: &str, increment: &str, price: &str) -> Vec<Row> {
    let (each, price) = (micro(increment), micro(price));
    let quantities = [1, each - 1, each, each + 1, 7 * each, 7 * each + each / 2];
    let rows = quantities.into_iter().flat_map(|quantity| {
        let usage = format!("{of} {}{attributes}", amount(quantity));
        fixed(usage, "", quantity.div_ceil(each) * price)
    });
    rows.collect()
}

/// A meter whose price only the run knows.
fn ranged(of: &str, increment: &str, min: &str, max: &str) -> Vec<Row> {
    let each = micro(increment);
    let mut rows = Vec::new();
    for quantity in [each, 7 * each, 9 * each - 1] {
        let count = quantity.div_ceil(each);
        let (least, most) = (micro(min), micro(max));
        let usage = format!("{of} {}", amount(quantity));
        rows.push(Row {
            usage: usage.clone(),
            own: "",
            exact: false,
            minimum: count * least,
            maximum: count * most,
        });
        for price in [least, most, least + 1, most - 1] {
            let usage = format!("{usage} price={}", amount(price));
            rows.push(Row {
                usage,
                own: "",
                exact: true,
                minimum: count * price,
                maximum: count * price,
            });
        }
    }
    rows
}

fn json2video() -> Vec<Row> {
    let mut rows = Vec::new();
    for (resolution, price) in [
        ("sd", "0.5"),
        ("hd", "1"),
        ("squared", "1"),
        ("full-hd", "2"),
        ("instagram-reel", "1.5"),
    ] {
        rows.extend(started(
            "render",
            &format!(" resolution={resolution}"),
            "1",
            price,
        ));
    }
    rows.extend(started("voice", "", "60", "1"));
    rows.extend(started("image", "", "1", "2"));
    rows.extend(started("video_generation", "", "1", "4"));
    rows
}

fn studio() -> Vec<Row> {
    let mut rows = ranged("image", "1", "2", "3");
    for (model, price) in [("swift", "8"), ("classic", "12"), ("grand", "20")] {
        rows.extend(started("video", &format!(" model={model}"), "10", price));
    }
    for count in [1, 4] {
        let usage = format!("video {}", count * 10);
        rows.push(Row {
            usage,
            own: "",
            exact: false,
            minimum: count * micro("8"),
            maximum: count * micro("20"),
        });
    }
    rows.extend(started("custom_model", "", "1", "40"));
    rows
}

fn scriptkit() -> Vec<Row> {
    let mut rows = ranged("image", "1", "1", "2");
    rows.extend(ranged("hd_image", "1", "2", "4"));
    rows.extend(ranged("remix", "1", "1", "2"));
    rows.extend(ranged("video", "5", "50", "80"));
    rows.extend(ranged("advanced_scene", "1", "5", "15"));
    rows.extend(started("upscale", "", "1", "1"));
    for (resolution, price) in [("720p", "5"), ("1080p", "10"), ("4k", "25")] {
        rows.extend(started(
            "export",
            &format!(" resolution={resolution}"),
            "1",
            price,
        ));
    }
    rows
}

fn creatify() -> Vec<Row> {
    let mut rows = Vec::new();
    for (meter, increment, price) in [
        ("url_to_video", "30", "5"),
        ("avatar", "30", "5"),
        ("custom_template", "30", "5"),
        ("ai_shorts", "30", "5"),
        ("ai_editing", "30", "5"),
        ("aurora", "1", "1"),
        ("aurora_fast", "1", "0.5"),
        ("text_to_speech", "30", "1"),
        ("product_video", "30", "10"),
        ("product_image", "1", "2"),
        ("ad_clone", "5", "12"),
        ("script", "1", "1"),
        ("link", "1", "1"),
    ] {
        rows.extend(started(meter, "", increment, price));
    }
    for (model, price) in [("sketch", "1"), ("photo", "3"), ("cinema", "12")] {
        rows.extend(started("asset", &format!(" model={model}"), "1", price));
    }
    // A quarter of a credit for a thousand tokens, counted to the token.
    for tokens in [1, 999, 1000, 1001, 123_456] {
        rows.extend(fixed(
            format!("text {tokens}"),
            "",
            tokens * micro("0.25") / 1000,
        ));
    }
    // By increments of 30 s: ten at 5, twenty at 4, the others at 3.
    for count in [1, 10, 11, 30, 31, 100_u128] {
        let sum = count.min(10) * 5
            + count.clamp(10, 30).saturating_sub(10) * 4
            + count.saturating_sub(30) * 3;
        let usage = format!("url_to_video {}", count * 30);
        rows.extend(fixed(usage.clone(), "enterprise_graduated", sum * MICRO));
        // All at 5 up to ten, else all at 4; a hold is enough for any less.
        let (sum, most) = if count <= 10 {
            (count * 5, count * 5)
        } else {
            (count * 4, (count * 4).max(50))
        };
        for (exact, maximum) in [(true, sum), (false, most)] {
            rows.push(Row {
                usage: usage.clone(),
                own: "enterprise_volume",
                exact,
                minimum: sum * MICRO,
                maximum: maximum * MICRO,
            });
        }
    }
    rows.extend(fixed(
        "product_image 3".to_owned(),
        "enterprise_graduated",
        micro("4.5"),
    ));
    rows
}

fn openai_prepaid() -> Vec<Row> {
    let mut rows = Vec::new();
    for (model, direction, price) in [
        ("large", "input", "2.5"),
        ("large", "output", "10"),
        ("small", "input", "0.15"),
        ("small", "output", "0.6"),
    ] {
        for tokens in [1, 999_999, 1_000_000, 1_000_001, 31_415_926_u128] {
            let usage = format!("tokens {tokens} model={model} direction={direction}");
            // A part of a micro-credit is charged as one.
            rows.extend(fixed(usage, "", (tokens * micro(price)).div_ceil(MICRO)));
        }
    }
    rows
}

/// All of a product's.
pub fn rows(product: &str) -> Vec<Row> {
    match product {
        "json2video" => json2video(),
        "studio" => studio(),
        "scriptkit" => scriptkit(),
        "creatify" => creatify(),
        "openai-prepaid" => openai_prepaid(),
        other => panic!("no table of {other}"),
    }
}
