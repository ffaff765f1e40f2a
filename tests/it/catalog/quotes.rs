//! What is wrong with a usage, and what holds for every usage.

use holdbook::{
    domain::credits::Credits,
    pricing::{
        Catalog,
        amount::Quantity,
        meter::{Meter, Pattern},
        quote::Item,
    },
};
use proptest::{prelude::*, sample};

use super::{
    PRODUCTS,
    prices::{item, usage},
    product,
};

/// Each problem as `field: what`.
fn problems(catalog: &Catalog, text: &str, done: bool) -> String {
    let usage = usage(text);
    let found = if done {
        catalog.charge(&usage, None).map(|_| ())
    } else {
        catalog.quote(&usage, None).map(|_| ())
    };
    found.expect_err(text).to_string()
}

#[test]
fn creatify_04_what_is_unknown_is_an_error_that_lists_what_is_known() {
    let catalog = product("creatify");
    let meters = "ad_clone, ai_editing, ai_shorts, asset, aurora, aurora_fast, avatar, custom_template, link, \
                  product_image, product_video, script, text, text_to_speech, url_to_video";
    for (usage, expected) in [
        (
            "url_to_vid 1",
            format!("usage[0].meter: unknown meter \"url_to_vid\"; known: {meters}"),
        ),
        (
            "asset 1 model=oil",
            "usage[0].attributes.model: unknown model \"oil\"; known: sketch, photo, cinema"
                .to_owned(),
        ),
        (
            "asset 1",
            "usage[0].attributes.model: missing; known values of model: sketch, photo, cinema"
                .to_owned(),
        ),
        (
            "asset 1 model=photo size=4",
            "usage[0].attributes.size: unknown attribute \"size\"; known: model".to_owned(),
        ),
        (
            "avatar 1 model=x",
            "usage[0].attributes.model: unknown attribute \"model\"; the meter has none".to_owned(),
        ),
        // Also of nothing, and all of them.
        (
            "script 1; asset 0; asset 1 model=oil; asset 1 model=*",
            "usage[1].attributes.model: missing; known values of model: sketch, photo, cinema\n\
             usage[2].attributes.model: unknown model \"oil\"; known: sketch, photo, cinema\n\
             usage[3].attributes.model: unknown model \"*\"; known: sketch, photo, cinema"
                .to_owned(),
        ),
    ] {
        assert_eq!(problems(&catalog, usage, false), expected);
        assert_eq!(problems(&catalog, usage, true), expected);
    }
    let found = catalog
        .quote(&[], Some("enterprise"))
        .expect_err("unknown")
        .to_string();
    assert_eq!(
        found,
        "override: unknown override \"enterprise\"; known: enterprise_graduated, enterprise_volume"
    );
}

#[test]
fn a_beginning_alone_is_no_value() {
    let known = "known: sd, hd, full-hd, squared, instagram-*";
    for value in ["instagram-", "instagram", "4k", "HD"] {
        let expected =
            format!("usage[0].attributes.resolution: unknown resolution \"{value}\"; {known}");
        assert_eq!(
            problems(
                &product("json2video"),
                &format!("render 1 resolution={value}"),
                false
            ),
            expected
        );
    }
}

#[test]
fn after_a_run_its_price_is_said_exactly_where_the_catalog_leaves_it_open() {
    let catalog = product("studio");
    for (usage, expected) in [
        (
            "image 1",
            "usage[0].price: missing; the price is from 2 to 3, and only the run knows it",
        ),
        (
            "image 1 price=3.000001",
            "usage[0].price: 3.000001 is not from 2 to 3",
        ),
        (
            "image 1 price=1.999999",
            "usage[0].price: 1.999999 is not from 2 to 3",
        ),
        (
            "video 1 model=swift price=8",
            "usage[0].price: the catalog fixes this price",
        ),
        (
            "video 1",
            "usage[0].attributes.model: missing; known values of model: swift, classic, grand",
        ),
    ] {
        assert_eq!(problems(&catalog, usage, true), expected);
    }
}

#[test]
fn more_than_an_account_can_hold_is_refused() {
    let catalog = product("studio");
    let most = catalog
        .quote(&[item("custom_model 225000000")], None)
        .expect("exactly the maximum");
    assert_eq!(most.total.maximum, Credits::MAX);
    let above = "comes to more than 9000000000";
    assert_eq!(
        problems(&catalog, "custom_model 225000001", false),
        format!("usage[0].quantity: {above}")
    );
    assert_eq!(
        problems(&catalog, "custom_model 9000000000", true),
        format!("usage[0].quantity: {above}")
    );
    assert_eq!(
        problems(&catalog, "custom_model 225000000; image 1 price=2", true),
        format!("usage: {above}")
    );
    let added_up =
        "tokens 9000000000 model=large direction=input; tokens 1 model=large direction=input";
    assert_eq!(
        problems(&product("openai-prepaid"), added_up, true),
        format!("usage[0].quantity: {above}")
    );
}

/// Any item of a catalog, with everything about its run known.
fn any_item(name: &'static str) -> impl Strategy<Value = Item> {
    let meters: Vec<_> = product(name).meters.into_iter().collect();
    (
        sample::select(meters),
        0_i64..4_000_000_000,
        any::<[prop::sample::Index; 3]>(),
    )
        .prop_map(|((name, meter), micro, chosen)| {
            let quantity = Quantity::from_micro(micro).expect("a quantity");
            let attributes = meter.attributes.iter().zip(chosen).map(|(attribute, at)| {
                let value = match at.get(&attribute.values) {
                    Pattern::Exact(value) => value.clone(),
                    Pattern::Prefix(start) => format!("{start}story"),
                };
                (attribute.name.clone(), value)
            });
            let attributes = attributes.collect();
            let price = own_price(&meter, chosen[2]);
            Item {
                meter: name,
                quantity,
                attributes,
                price,
            }
        })
}

/// A price within the range, if it is one.
fn own_price(meter: &Meter, at: prop::sample::Index) -> Option<Credits> {
    match meter.prices.0[0].price {
        holdbook::pricing::meter::Price::Range { min, max } => {
            let width = usize::try_from(max.micro() - min.micro()).expect("a width");
            let above = i64::try_from(at.index(width + 1)).expect("within it");
            Some(min + Credits::from_micro(above))
        }
        _ => None,
    }
}

/// A product, prices that an account has instead, and a usage.
fn any_usage() -> impl Strategy<Value = (&'static str, Option<String>, Vec<Item>)> {
    sample::select(PRODUCTS.to_vec()).prop_flat_map(|name| {
        let own: Vec<_> = product(name)
            .overrides
            .into_keys()
            .map(Some)
            .chain([None])
            .collect();
        (
            Just(name),
            sample::select(own),
            prop::collection::vec(any_item(name), 0..6),
        )
    })
}

/// The item as it is known before its run.
fn before(catalog: &Catalog, item: &Item) -> Item {
    let meter = &catalog.meters[&item.meter];
    let mut item = Item {
        price: None,
        ..item.clone()
    };
    let late = meter
        .attributes
        .iter()
        .filter(|it| it.known == holdbook::pricing::words::Known::After);
    for attribute in late {
        item.attributes.remove(&attribute.name);
    }
    item
}

/// The item with a part of its quantity.
fn less(item: &Item, part: u32) -> Item {
    let micro = item.quantity.decimal() * rust_decimal::Decimal::from(1_000_000);
    let micro = i64::try_from(micro).expect("micro-units");
    let quantity = Quantity::from_micro(micro / 1000 * i64::from(part)).expect("less");
    Item {
        quantity,
        ..item.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What a hold of the quote's maximum is for.
    #[test]
    fn a_charge_of_the_usage_or_less_of_it_is_within_the_quote((name, own, usage) in any_usage(), part in 0_u32..=1000) {
        let (catalog, own) = (product(name), own.as_deref());
        let asked: Vec<_> = usage.iter().map(|item| before(&catalog, item)).collect();
        let quote = catalog.quote(&asked, own).expect("known");
        let done = catalog.charge(&usage, own).expect("known").total;
        prop_assert!(quote.total.minimum <= done && done <= quote.total.maximum, "{done} of {quote:?}");
        let less: Vec<_> = usage.iter().map(|item| less(item, part)).collect();
        let done = catalog.charge(&less, own).expect("known").total;
        prop_assert!(done <= quote.total.maximum, "{done} of less, {quote:?}");
    }

    #[test]
    fn a_total_is_the_sum_of_its_lines((name, own, usage) in any_usage()) {
        let (catalog, own) = (product(name), own.as_deref());
        let charge = catalog.charge(&usage, own).expect("known");
        prop_assert_eq!(charge.lines.iter().map(|line| line.amount).sum::<Credits>(), charge.total);
        let quote = catalog.quote(&usage, own).expect("known");
        prop_assert_eq!(quote.lines.iter().map(|line| line.amount.maximum).sum::<Credits>(), quote.total.maximum);
        let mut items: Vec<_> = charge.lines.iter().flat_map(|line| line.items.clone()).collect();
        items.sort_unstable();
        prop_assert_eq!(items, (0..usage.len()).collect::<Vec<_>>());
    }

    #[test]
    fn more_is_never_quoted_lower((name, own, usage) in any_usage(), part in 0_u32..=1000) {
        let (catalog, own) = (product(name), own.as_deref());
        let less: Vec<_> = usage.iter().map(|item| less(item, part)).collect();
        let (less, all) = (catalog.quote(&less, own).expect("known"), catalog.quote(&usage, own).expect("known"));
        prop_assert!(less.total.maximum <= all.total.maximum);
    }

    /// Around each tier's end, where volume tiers make more cost less.
    #[test]
    fn a_hold_is_enough_for_less_also_with_volume_tiers(most in 1_i64..1_200_000_000, part in 0_u32..=1000) {
        let (catalog, own) = (product("creatify"), Some("enterprise_volume"));
        let all = Item { quantity: Quantity::from_micro(most).expect("a quantity"), ..item("url_to_video 0") };
        let quote = catalog.quote(std::slice::from_ref(&all), own).expect("known");
        let done = catalog.charge(&[less(&all, part)], own).expect("known").total;
        prop_assert!(done <= quote.total.maximum, "{done} of less, {quote:?}");
    }

    /// Two items cost what their sum costs where the meter adds up, and never less where it does not.
    #[test]
    fn items_of_one_price_are_added_up_only_where_the_meter_says_so(a in 1_i64..5_000_000_000, b in 1_i64..5_000_000_000) {
        let quantity = |micro| Quantity::from_micro(micro).expect("a quantity");
        let charge = |name, like: &str, parts: &[i64]| {
            let items: Vec<_> = parts.iter().map(|part| Item { quantity: quantity(*part), ..item(like) }).collect();
            product(name).charge(&items, None).expect("known")
        };
        let tokens = "tokens 0 model=small direction=output";
        let apart = charge("openai-prepaid", tokens, &[a, b]);
        prop_assert_eq!(apart.lines.len(), 1);
        prop_assert_eq!(apart.total, charge("openai-prepaid", tokens, &[a + b]).total);
        let apart = charge("creatify", "avatar 0", &[a, b]);
        prop_assert_eq!(apart.lines.len(), 2);
        let started = |micro: i64| (micro + 29_999_999) / 30_000_000 * 5;
        prop_assert_eq!(apart.total.to_string(), (started(a) + started(b)).to_string());
        prop_assert!(apart.total >= charge("creatify", "avatar 0", &[a + b]).total);
    }
}
