//! Every price of a usage that the products publish, as the quote before and the charge after.

use std::collections::BTreeMap;

use holdbook::{
    domain::credits::Credits,
    pricing::{Catalog, amount::Quantity, quote::Item},
};

use super::product;

/// `render 60 resolution=hd`, and `price=3` where the run came to it.
pub fn item(text: &str) -> Item {
    let mut words = text.split(' ');
    let mut item = Item {
        meter: words.next().expect("a meter").to_owned(),
        quantity: Quantity::parse(words.next().expect("a quantity")).expect(text),
        ..Item::default()
    };
    for (name, value) in words.map(|word| word.split_once('=').expect("name=value")) {
        match name {
            "price" => item.price = Some(Credits::parse(value).expect(text)),
            _ => drop(item.attributes.insert(name.to_owned(), value.to_owned())),
        }
    }
    item
}

/// Items, each after a `;`.
pub fn usage(text: &str) -> Vec<Item> {
    text.split("; ").map(item).collect()
}

fn quoted(catalog: &Catalog, text: &str, own: Option<&str>) -> String {
    let quote = catalog
        .quote(&usage(text), own)
        .unwrap_or_else(|problems| panic!("{text}: {problems}"));
    format!("{} to {}", quote.total.minimum, quote.total.maximum)
}

fn charged(catalog: &Catalog, text: &str, own: Option<&str>) -> String {
    let charge = catalog
        .charge(&usage(text), own)
        .unwrap_or_else(|problems| panic!("{text}: {problems}"));
    charge.total.to_string()
}

/// A usage whose price is known beforehand costs this, before and after.
fn costs(catalog: &Catalog, rows: &[(&str, &str)]) {
    for (usage, expected) in rows {
        assert_eq!(
            quoted(catalog, usage, None),
            format!("{expected} to {expected}"),
            "{usage}"
        );
        assert_eq!(charged(catalog, usage, None), *expected, "{usage}");
    }
}

#[test]
fn json2video_06_a_line_for_each_element_and_their_sum() {
    let catalog = product("json2video");
    let text = "render 45 resolution=full-hd; voice 61; image 3; video_generation 5; render 10 resolution=instagram-story";
    let charge = catalog.charge(&usage(text), None).expect("known");
    let lines: Vec<_> = charge
        .lines
        .iter()
        .map(|line| (line.meter.as_str(), line.amount.to_string()))
        .collect();
    let expected = [
        ("render", "90"),
        ("voice", "2"),
        ("image", "6"),
        ("video_generation", "20"),
        ("render", "15"),
    ];
    assert_eq!(
        lines,
        expected.map(|(meter, amount)| (meter, amount.to_owned()))
    );
    assert_eq!(charge.total.to_string(), "133");
    costs(&catalog, &[(text, "133")]);
}

#[test]
fn json2video_06_each_resolution_has_its_price() {
    let rows = [
        ("sd", "5"),
        ("hd", "10"),
        ("squared", "10"),
        ("full-hd", "20"),
        ("instagram-feed", "15"),
    ];
    for (resolution, expected) in rows {
        costs(
            &product("json2video"),
            &[(&format!("render 10 resolution={resolution}"), expected)],
        );
    }
}

#[test]
fn studio_02_a_range_before_and_the_exact_figure_after() {
    let catalog = product("studio");
    assert_eq!(quoted(&catalog, "image 1", None), "2 to 3");
    assert_eq!(charged(&catalog, "image 1 price=2", None), "2");
    assert_eq!(charged(&catalog, "image 1 price=2.25", None), "2.25");
    assert_eq!(quoted(&catalog, "video 10", None), "8 to 20");
    for (model, expected) in [("swift", "8"), ("classic", "12"), ("grand", "20")] {
        let video = format!("video 10 model={model}");
        assert_eq!(
            quoted(&catalog, &video, None),
            format!("{expected} to {expected}")
        );
        assert_eq!(charged(&catalog, &video, None), expected);
    }
    assert_eq!(quoted(&catalog, "image 4; video 10.5", None), "24 to 52");
    costs(&catalog, &[("custom_model 1", "40")]);
}

#[test]
fn scriptkit_03_the_list_of_prices() {
    let catalog = product("scriptkit");
    for (usage, expected) in [
        ("image 1", "1 to 2"),
        ("hd_image 1", "2 to 4"),
        ("remix 1", "1 to 2"),
        ("upscale 1", "1 to 1"),
        ("video 5", "50 to 80"),
        ("video 5.1", "100 to 160"),
        ("advanced_scene 1", "5 to 15"),
    ] {
        assert_eq!(quoted(&catalog, usage, None), expected, "{usage}");
    }
    costs(
        &catalog,
        &[
            ("export 1 resolution=720p", "5"),
            ("export 1 resolution=1080p", "10"),
            ("export 1 resolution=4k", "25"),
            ("upscale 1", "1"),
        ],
    );
}

#[test]
fn creatify_02_each_meter_by_its_started_increment() {
    let catalog = product("creatify");
    for meter in [
        "url_to_video",
        "avatar",
        "custom_template",
        "ai_shorts",
        "ai_editing",
    ] {
        costs(
            &catalog,
            &[
                (&format!("{meter} 30"), "5"),
                (&format!("{meter} 30.001"), "10"),
            ],
        );
    }
    costs(
        &catalog,
        &[
            ("aurora 1", "1"),
            ("aurora 1.2", "2"),
            ("aurora_fast 1", "0.5"),
            ("text_to_speech 30", "1"),
            ("text_to_speech 31", "2"),
            ("product_video 30", "10"),
            ("product_video 31", "20"),
            ("product_image 1", "2"),
            ("product_image 3", "6"),
            ("ad_clone 5", "12"),
            ("ad_clone 5.1", "24"),
            ("script 1", "1"),
            ("link 2", "2"),
            ("asset 1 model=sketch", "1"),
            ("asset 1 model=photo", "3"),
            ("asset 1 model=cinema", "12"),
            ("text 1500", "0.375"),
            ("text 1", "0.00025"),
        ],
    );
}

#[test]
fn creatify_03_increments_are_of_each_item() {
    costs(
        &product("creatify"),
        &[
            ("url_to_video 1", "5"),
            ("url_to_video 30", "5"),
            ("url_to_video 30.001", "10"),
            ("url_to_video 61", "15"),
            ("aurora_fast 1", "0.5"),
            ("aurora_fast 10.2", "5.5"),
            ("url_to_video 31; url_to_video 31", "20"),
            ("url_to_video 0", "0"),
            ("url_to_video 0; script 1", "1"),
        ],
    );
}

#[test]
fn creatify_06_an_enterprise_has_prices_of_its_own() {
    let catalog = product("creatify");
    for (own, usage, expected) in [
        // 10 increments of 5, 20 of 4, 1 of 3.
        ("enterprise_graduated", "url_to_video 300", "50"),
        ("enterprise_graduated", "url_to_video 330", "54"),
        ("enterprise_graduated", "url_to_video 901", "133"),
        ("enterprise_graduated", "product_image 2", "3"),
        ("enterprise_graduated", "avatar 30", "5"),
        ("enterprise_volume", "url_to_video 300", "50"),
        ("enterprise_volume", "url_to_video 330", "44"),
        ("enterprise_volume", "url_to_video 900", "120"),
    ] {
        assert_eq!(
            charged(&catalog, usage, Some(own)),
            expected,
            "{own}: {usage}"
        );
    }
    // 300 seconds cost more than 330: a hold must be enough for both.
    assert_eq!(
        quoted(&catalog, "url_to_video 330", Some("enterprise_volume")),
        "44 to 50"
    );
}

#[test]
fn openai_prepaid_tokens_are_added_up_before_they_are_rounded() {
    let catalog = product("openai-prepaid");
    costs(
        &catalog,
        &[
            ("tokens 1000000 model=large direction=input", "2.5"),
            ("tokens 1000000 model=large direction=output", "10"),
            ("tokens 1000000 model=small direction=input", "0.15"),
            ("tokens 1000000 model=small direction=output", "0.6"),
            // 0.15 micro-credits each: one, not two.
            (
                "tokens 1 model=small direction=input; tokens 1 model=small direction=input",
                "0.000001",
            ),
            (
                "tokens 1 model=small direction=input; tokens 1 model=small direction=output",
                "0.000002",
            ),
        ],
    );
}

/// Of a job that made nothing nothing is asked that only a run could know.
#[test]
fn nothing_costs_nothing() {
    for (name, usage) in [
        ("studio", "video 0"),
        ("studio", "image 0"),
        ("scriptkit", "image 0"),
        ("creatify", "avatar 0"),
    ] {
        assert_eq!(charged(&product(name), usage, None), "0", "{name}: {usage}");
    }
    let empty = product("studio")
        .quote(&[], None)
        .expect("nothing is wrong");
    assert_eq!((empty.lines.len(), empty.total.maximum), (0, Credits::ZERO));
    assert_eq!(item("image 0").attributes, BTreeMap::new());
}
