//! The numbers of each product that are not prices of a usage: allowances, money, discounts, bounds.

use std::collections::BTreeMap;

use holdbook::{
    domain::credits::Credits,
    pricing::{
        Catalog,
        plan::{Cycle, Plan, Set, Term},
        words::{CreditsOnUpgrade, GrantOn, Mode, Overage, Stacking},
    },
};

use super::{PRODUCTS, product};

fn credits(text: &str) -> Credits {
    Credits::parse(text).expect(text)
}

/// Of each plan, what `of` makes of it.
fn plans<T>(catalog: &Catalog, of: impl Fn(&Plan) -> T) -> BTreeMap<&str, T> {
    catalog
        .plans
        .iter()
        .map(|(name, plan)| (name.as_str(), of(plan)))
        .collect()
}

fn money(plan: &Plan) -> String {
    match plan.price {
        Some(Set::To(price)) => price.to_string(),
        Some(Set::PerAccount) => "per_account".to_owned(),
        None => "free".to_owned(),
    }
}

#[test]
fn every_product_can_be_written_as_a_catalog() {
    for name in PRODUCTS {
        assert_eq!(product(name).name, name);
    }
}

#[test]
fn json2video_01_what_is_left_is_forfeited_each_month() {
    let catalog = product("json2video");
    assert!(
        catalog
            .plans
            .values()
            .all(|plan| plan.rollover.is_none() && plan.cycle == Cycle::CalendarMonth)
    );
    assert_eq!(catalog.packs["top_up_100"].expires, Term::Never);
}

/// Allowance, money and the level of one capacity of each plan.
fn offered(catalog: &Catalog, capacity: &str) -> Vec<String> {
    let of = |plan: &Plan| {
        let level = &plan.capacities[capacity];
        format!("{} for {}, {level}", plan.allowance, money(plan))
    };
    let all = plans(catalog, of);
    all.iter()
        .map(|(name, of)| format!("{name}: {of}"))
        .collect()
}

#[test]
fn json2video_01_and_02_allowances_and_top_ups() {
    let catalog = product("json2video");
    let expected = [
        "business: 3000 for 79.95, 100",
        "free: 10 for free, 1",
        "starter: 600 for 19.95, 10",
    ];
    assert_eq!(offered(&catalog, "storage"), expected);
    let pack = catalog.packs["top_up_100"];
    assert_eq!(
        (pack.credits, pack.price.to_string()),
        (credits("100"), "9.95".to_owned())
    );
}

#[test]
fn json2video_04_a_new_account_has_a_free_grant_and_the_free_plan() {
    let accounts = product("json2video").accounts;
    assert_eq!(accounts.plan.as_deref(), Some("free"));
    let welcome = accounts.welcome.expect("a welcome");
    assert_eq!(
        (welcome.credits, welcome.expires),
        (credits("10"), Term::Never)
    );
}

#[test]
fn json2video_07_plans_have_limits() {
    let catalog = product("json2video");
    let limits = plans(&catalog, |plan| {
        let limits = &plan.limits;
        let duration = limits.duration.expect("a duration").to_string();
        (
            limits.concurrency,
            duration,
            limits.resolution.clone().expect("a resolution"),
        )
    });
    let expected = [
        ("business", (Some(10), "3600", "full-hd")),
        ("free", (Some(1), "60", "hd")),
        ("starter", (Some(2), "600", "full-hd")),
    ];
    let expected = expected.map(|(name, (slots, duration, resolution))| {
        (name, (slots, duration.to_owned(), resolution.to_owned()))
    });
    assert_eq!(limits, BTreeMap::from(expected));
    assert_eq!(catalog.plans["starter"].labels["support"], "email");
    assert_eq!(
        catalog.plans["starter"].capacities["storage"].to_string(),
        "10"
    );
}

#[test]
fn json2video_09_an_upgrade_is_prorated_unless_the_catalog_says_otherwise() {
    let upgrades = plans(&product("creatify"), |plan| plan.credits_on_upgrade)
        .into_values()
        .collect::<Vec<_>>();
    assert_eq!(upgrades, [CreditsOnUpgrade::ProratedDifference; 3]);
}

#[test]
fn json2video_11_a_render_that_meets_zero_is_not_charged_beyond_it() {
    let catalog = product("json2video");
    let beyond = plans(&catalog, |plan| (plan.overage, plan.overdraft_limit));
    assert!(
        beyond
            .values()
            .all(|it| *it == (Overage::Allow, Credits::ZERO)),
        "{beyond:?}"
    );
}

#[test]
fn studio_01_each_tier_has_its_credits() {
    let catalog = product("studio");
    let expected = [
        "generative: 900 for 60, 10",
        "max: 400 for 30, 3",
        "plus: 120 for 12, 1",
        "team: 6000 for 350, 50",
    ];
    assert_eq!(offered(&catalog, "custom_models"), expected);
    assert_eq!(catalog.plans["team"].labels["support"], "dedicated");
}

#[test]
fn studio_03_a_cycle_is_30_days_and_a_year_is_40_percent_off() {
    let catalog = product("studio");
    assert!(
        catalog
            .plans
            .values()
            .all(|plan| plan.cycle == Cycle::Days(30))
    );
    // 30 x 12 x 0.6
    assert_eq!(
        catalog.plans["max"]
            .yearly_price()
            .expect("a price")
            .to_string(),
        "216"
    );
}

#[test]
fn studio_04_unused_credits_live_30_days_on() {
    let catalog = product("studio");
    let rollovers = plans(&catalog, |plan| plan.rollover.expect("a rollover"));
    assert!(rollovers.values().all(|it| it.lasts == Term::Days(30)));
    assert_eq!(rollovers["max"].cap, None);
    assert_eq!(rollovers["team"].cap, Some(credits("3000")));
}

#[test]
fn studio_06_two_discounts_of_a_pack_come_together_as_the_catalog_says() {
    let mut catalog = product("studio");
    for (stacking, expected) in [
        (Stacking::Multiply, "32.8"),
        (Stacking::Add, "31"),
        (Stacking::Best, "40"),
    ] {
        catalog.pack_discounts = stacking;
        for plan in ["max", "generative", "team"] {
            let price = catalog.pack_price("pack_500", Some(plan)).expect("a price");
            assert_eq!(price.to_string(), expected, "{stacking:?} {plan}");
        }
        let price = |pack, plan| catalog.pack_price(pack, plan).expect("a price").to_string();
        // 18 % less for each credit than in the pack without a discount of its own.
        assert_eq!(
            (price("pack_500", None), price("pack_100", None)),
            ("41".into(), "10".into())
        );
        assert_eq!(
            (
                price("pack_500", Some("plus")),
                price("pack_100", Some("max"))
            ),
            ("41".into(), "8".into())
        );
    }
    assert_eq!(product("studio").pack_discounts, Stacking::Multiply);
    let sizes = ["pack_100", "pack_500"].map(|pack| catalog.packs[pack].credits);
    assert_eq!(sizes, [credits("100"), credits("500")]);
    assert_eq!(
        (
            catalog.pack_price("pack_1", None),
            catalog.pack_price("pack_100", Some("x"))
        ),
        (None, None)
    );
}

#[test]
fn studio_10_credits_come_with_the_payment() {
    assert!(
        product("studio")
            .plans
            .values()
            .all(|plan| plan.grant_on == GrantOn::Payment)
    );
    assert!(
        product("scriptkit")
            .plans
            .values()
            .all(|plan| plan.grant_on == GrantOn::Renewal)
    );
}

#[test]
fn scriptkit_01_plans_with_their_money_by_month_and_year() {
    let catalog = product("scriptkit");
    for (name, amount, storage, month, year, shown) in [
        ("starter", "400", "2", "29", "313", "26"),
        ("professional", "1250", "10", "89", "961", "80"),
        ("studio", "3000", "50", "199", "2149", "179"),
    ] {
        let plan = &catalog.plans[name];
        let by_year = [plan.yearly_price(), plan.yearly_price_a_month()]
            .map(|price| price.expect("a price").to_string());
        assert_eq!(plan.allowance, Set::To(credits(amount)), "{name}");
        assert_eq!(plan.capacities["storage"].to_string(), storage, "{name}");
        assert_eq!(money(plan), month, "{name}");
        assert_eq!(by_year, [year, shown], "{name}");
    }
}

#[test]
fn scriptkit_02_top_ups_never_expire() {
    let catalog = product("scriptkit");
    let packs: Vec<_> = catalog
        .packs
        .values()
        .map(|pack| (pack.credits, pack.price.to_string(), pack.expires))
        .collect();
    let expected = [
        ("100", "10"),
        ("1000", "75"),
        ("2500", "150"),
        ("300", "25"),
    ];
    assert_eq!(
        packs,
        expected.map(|(amount, price)| (credits(amount), price.to_owned(), Term::Never))
    );
    assert!(catalog.plans.values().all(|plan| plan.rollover.is_none()));
}

#[test]
fn scriptkit_05_features_come_with_plans_and_are_asked_for_by_meters() {
    let catalog = product("scriptkit");
    let features = plans(&catalog, |plan| plan.features.join(" "));
    let expected = [
        ("professional", "video_editor"),
        ("starter", ""),
        ("studio", "video_editor advanced_ai"),
    ];
    assert_eq!(
        features,
        expected
            .map(|(name, features)| (name, features.to_owned()))
            .into()
    );
    assert_eq!(catalog.meters["export"].features, ["video_editor"]);
    assert_eq!(catalog.meters["advanced_scene"].features, ["advanced_ai"]);
}

#[test]
fn scriptkit_06_and_07_times_after_the_end_and_for_a_refund() {
    let catalog = product("scriptkit");
    let times = plans(&catalog, |plan| (plan.retention, plan.refund_within));
    assert!(
        times
            .values()
            .all(|it| *it == (Some(Term::Days(30)), Some(Term::Days(7)))),
        "{times:?}"
    );
}

#[test]
fn creatify_01_plans_and_none_without() {
    let catalog = product("creatify");
    let found = plans(&catalog, |plan| (plan.allowance, money(plan)));
    let expected = [
        ("business", (Set::To(credits("2000")), "299".to_owned())),
        ("creator", (Set::To(credits("500")), "99".to_owned())),
        ("enterprise", (Set::PerAccount, "per_account".to_owned())),
    ];
    assert_eq!(found, BTreeMap::from(expected));
    assert!(catalog.accounts.plan_required);
}

#[test]
fn openai_prepaid_01_to_03_modes_purchases_and_their_bounds() {
    let catalog = product("openai-prepaid");
    assert_eq!(catalog.accounts.mode, Mode::Prepaid);
    let purchases = catalog.purchases.expect("purchases");
    assert_eq!(
        (purchases.minimum, purchases.expires),
        (credits("5"), Term::Years(1))
    );
    assert!(!purchases.refundable);
    assert_eq!(purchases.price.to_string(), "1");
    let plans = plans(&catalog, |plan| {
        (plan.allowance, plan.spend_caps.account.month)
    });
    let expected = [("invoiced", Some(credits("100"))), ("pay_as_you_go", None)];
    assert_eq!(
        plans,
        expected
            .map(|(name, cap)| (name, (Set::To(Credits::ZERO), cap)))
            .into()
    );
    let bounds: Vec<_> = catalog
        .trust_tiers
        .values()
        .map(|tier| tier.maximum_purchase.to_string())
        .collect();
    assert_eq!(bounds, ["50", "100", "500", "10000"]);
}

#[test]
fn openai_prepaid_06_debt_is_bounded() {
    let catalog = product("openai-prepaid");
    let bounds = plans(&catalog, |plan| (plan.overdraft_limit, plan.credit_limit));
    let expected = [
        ("invoiced", (credits("120"), credits("100"))),
        ("pay_as_you_go", (credits("10"), Credits::ZERO)),
    ];
    assert_eq!(bounds, BTreeMap::from(expected));
}
