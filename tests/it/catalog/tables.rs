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

/// A decimal text of micro-units.
pub fn amount(micro: u128) -> String {
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

/// Something sold, as a product's table has it.
pub struct Sold {
    pub meter: &'static str,
    /// What is said of it before the run.
    pub before: &'static str,
    /// In micro-units.
    increment: u128,
    /// In micro-credits: what the run may come to.
    pub prices: Vec<u128>,
    /// How the run says which, by the place in `prices`; empty: nothing more than before.
    names: &'static [&'static str],
    /// Items of it are added up and charged to the unit; the rest of a micro-credit counts as one.
    added_up: bool,
    /// Only whole units.
    pub whole: bool,
}

impl Sold {
    pub fn most(&self) -> u128 {
        self.prices.iter().copied().max().unwrap_or_default()
    }

    /// What is said of it after the run.
    pub fn after(&self, price: u128) -> String {
        let place = self.prices.iter().position(|it| *it == price);
        let name = place.and_then(|at| self.names.get(at));
        match (name, self.prices.len()) {
            (Some(name), _) => format!(" {name}"),
            (None, 1) => self.before.to_owned(),
            (None, _) => format!(" price={}", amount(price)),
        }
    }
}

/// A usage in the making.
#[derive(Default)]
pub struct Sum {
    single: u128,
    /// By meter and attributes: price, increment, micro-units.
    added_up: std::collections::BTreeMap<String, (u128, u128, u128)>,
}

impl Sum {
    pub fn add(&mut self, sold: &Sold, price: u128, quantity: u128) {
        if sold.added_up {
            let row = format!("{}{}", sold.meter, sold.before);
            let entry = self.added_up.entry(row);
            entry.or_insert((price, sold.increment, 0)).2 += quantity;
        } else {
            self.single += quantity.div_ceil(sold.increment) * price;
        }
    }

    pub fn total(&self) -> u128 {
        let added_up = self.added_up.values();
        let added_up = added_up.map(|(price, increment, sum)| (sum * price).div_ceil(*increment));
        self.single + added_up.sum::<u128>()
    }
}

fn sell(meter: &'static str, before: &'static str, increment: &str, price: &str) -> Sold {
    Sold {
        meter,
        before,
        increment: micro(increment),
        prices: vec![micro(price)],
        names: &[],
        added_up: false,
        whole: false,
    }
}

fn from_to(meter: &'static str, increment: &str, min: &str, max: &str) -> Sold {
    let (min, max) = (micro(min), micro(max));
    Sold {
        prices: vec![min, min + 1, min.midpoint(max), max],
        ..sell(meter, "", increment, "0")
    }
}

fn tokens(meter: &'static str, before: &'static str, increment: &str, price: &str) -> Sold {
    Sold {
        added_up: true,
        whole: true,
        ..sell(meter, before, increment, price)
    }
}

/// All that a product sells to everybody.
pub fn sold(product: &str) -> Vec<Sold> {
    match product {
        "json2video" => vec![
            sell("render", " resolution=sd", "1", "0.5"),
            sell("render", " resolution=hd", "1", "1"),
            sell("render", " resolution=squared", "1", "1"),
            sell("render", " resolution=full-hd", "1", "2"),
            sell("render", " resolution=instagram-reel", "1", "1.5"),
            sell("render", " resolution=instagram-story", "1", "1.5"),
            sell("voice", "", "60", "1"),
            sell("image", "", "1", "2"),
            sell("video_generation", "", "1", "4"),
        ],
        "studio" => vec![
            from_to("image", "1", "2", "3"),
            Sold {
                prices: ["8", "12", "20"].map(micro).to_vec(),
                names: &["model=swift", "model=classic", "model=grand"],
                ..sell("video", "", "10", "0")
            },
            sell("video", " model=classic", "10", "12"),
            sell("custom_model", "", "1", "40"),
        ],
        "scriptkit" => vec![
            from_to("image", "1", "1", "2"),
            from_to("hd_image", "1", "2", "4"),
            from_to("remix", "1", "1", "2"),
            from_to("video", "5", "50", "80"),
            from_to("advanced_scene", "1", "5", "15"),
            sell("upscale", "", "1", "1"),
            sell("export", " resolution=720p", "1", "5"),
            sell("export", " resolution=1080p", "1", "10"),
            sell("export", " resolution=4k", "1", "25"),
        ],
        "creatify" => vec![
            sell("url_to_video", "", "30", "5"),
            sell("avatar", "", "30", "5"),
            sell("custom_template", "", "30", "5"),
            sell("ai_shorts", "", "30", "5"),
            sell("ai_editing", "", "30", "5"),
            sell("aurora", "", "1", "1"),
            sell("aurora_fast", "", "1", "0.5"),
            sell("text_to_speech", "", "30", "1"),
            sell("product_video", "", "30", "10"),
            sell("product_image", "", "1", "2"),
            sell("ad_clone", "", "5", "12"),
            sell("script", "", "1", "1"),
            sell("link", "", "1", "1"),
            sell("asset", " model=sketch", "1", "1"),
            sell("asset", " model=photo", "1", "3"),
            sell("asset", " model=cinema", "1", "12"),
            tokens("text", "", "1000", "0.25"),
        ],
        "openai-prepaid" => vec![
            tokens("tokens", " model=large direction=input", "1000000", "2.5"),
            tokens("tokens", " model=large direction=output", "1000000", "10"),
            tokens("tokens", " model=small direction=input", "1000000", "0.15"),
            tokens("tokens", " model=small direction=output", "1000000", "0.6"),
        ],
        other => panic!("no table of {other}"),
    }
}
