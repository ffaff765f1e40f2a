//! Credits that are bought: what they are and what they cost is the catalog's, by the account's plan.

use prost::Message;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use tonic::{Request, Response, Status};

use super::{
    core::{Core, Done, caller},
    fields::Fields,
    grant::{PROVIDER_MAX, REFERENCE_MAX, as_made},
    reused, status, usage, view,
};
use crate::{
    catalogs::CatalogsError,
    domain::{credits::Credits, event::MoveKind, grant::GrantKind, plan::Term},
    holds::{
        Reader, Writer,
        operation::{BOUGHT_BYTES, GrantRequest, Verb},
    },
    pricing::Catalog,
    proto::{self, Durability, ErrorReason, purchase_credits_request::What},
    reconcile::Told,
};

/// What a purchase comes to.
#[derive(Clone, Copy)]
struct Bought {
    amount: Credits,
    price: Decimal,
    expires: Term,
    refundable: bool,
}

/// `GrantService.PurchaseCredits`.
pub async fn purchase(
    core: &Core,
    request: Request<proto::PurchaseCreditsRequest>,
) -> Result<Response<proto::PurchaseCreditsResponse>, Status> {
    let caller = caller(&request)?;
    let r = request.into_inner();
    let mut fields = Fields::default();
    fields.account_id(&r.account_id);
    fields.id("grant_id", &r.grant_id);
    fields.text("trust_tier", &r.trust_tier, usage::NAME_MAX);
    fields.text("provider", &r.provider, PROVIDER_MAX);
    fields.text("external_reference", &r.external_reference, REFERENCE_MAX);
    match &r.what {
        Some(What::Pack(pack)) => fields.text("pack", pack, usage::NAME_MAX),
        Some(What::Amount(amount)) => drop(fields.amount("amount", amount, false)),
        None => fields.violation("pack", "is required, or amount"),
    }
    let starts_at = fields.instant("starts_at", r.starts_at);
    let durability = fields.durability(r.durability, Durability::Ledger);
    fields.finish()?;

    let look = Verb::Subscription {
        order: String::new(),
    };
    let (told, seen) = core
        .ask_telling(&r.account_id, caller.clone(), look)
        .await?;
    let plan = match &told {
        Some(Told::Found(record)) => record.terms().map(|terms| terms.plan.clone()),
        _ => None,
    };
    let now = seen.answer.now;
    core.catalogs.step().await.map_err(status::ledger_failed)?;
    let bought = match core.catalogs.at(now).await {
        Ok(version) => {
            let mut fields = Fields::default();
            let bought = bought(&mut fields, &version.catalog, plan.as_deref(), &r);
            bought.ok_or_else(|| fields.refusal())
        }
        Err(error @ CatalogsError::NotYet(_)) => Err(status::catalog_failed(error)),
        Err(error) => return Err(status::catalog_failed(error)),
    };
    if r.validate_only {
        let bought = bought?;
        return Ok(Response::new(proto::PurchaseCreditsResponse {
            amount: bought.amount.to_string(),
            price: bought.price.normalize().to_string(),
            balance: view::balance(&seen.answer),
            ..proto::PurchaseCreditsResponse::default()
        }));
    }
    let sent = comparable(&r);
    let made = made(&r, starts_at, now, &sent, bought.as_ref().ok());
    let verb = Verb::Grant {
        grant_id: r.grant_id.clone(),
        request: Box::new(made.clone()),
    };
    let done = core.ask(&r.account_id, caller, verb).await?;
    if done.refused_as(ErrorReason::Invalid) {
        // What cannot be bought any more is refused only where it was not bought before.
        bought?;
        let what = "must be before the purchase expires";
        return Err(status::invalid_field("starts_at", what));
    }
    let done = reused::purchase(done, &sent)?.or_refusal()?;
    answer(core, &r, made, done, durability).await
}

async fn answer(
    core: &Core,
    r: &proto::PurchaseCreditsRequest,
    made: GrantRequest,
    done: Done,
    durability: Durability,
) -> Result<Response<proto::PurchaseCreditsResponse>, Status> {
    let recorded = done.answer.outcome.as_ref();
    let recorded = recorded.map_or(&[][..], |outcome| &outcome.sent);
    let mut first = Reader(&recorded[recorded.len().saturating_sub(BOUGHT_BYTES)..]);
    let (cents, micro) = (
        first.int(7).unwrap_or_default(),
        first.int(7).unwrap_or_default(),
    );
    let first = GrantRequest {
        amount: Credits::from_micro(micro),
        non_refundable: first.byte().is_ok_and(|byte| byte == 1),
        ..made
    };
    let amount = first.amount.to_string();
    let settled = view::sum(done.moves(), &[MoveKind::Settle]);
    Ok(Response::new(proto::PurchaseCreditsResponse {
        grant: Some(as_made(&r.account_id, r.grant_id.clone(), first, &done)),
        amount,
        price: Decimal::new(cents, 2).normalize().to_string(),
        settled: settled.to_string(),
        balance: view::balance(&done.answer),
        replayed: done.answer.replayed,
        durability: core.reach(&done, durability).await,
    }))
}

/// What was sent, as it is compared with what was sent before.
fn comparable(r: &proto::PurchaseCreditsRequest) -> Vec<u8> {
    let mut sent = r.clone();
    sent.account_id.clear();
    sent.grant_id.clear();
    (sent.durability, sent.validate_only) = (0, false);
    if let Some(What::Amount(amount)) = &mut sent.what
        && let Ok(same) = Credits::parse(amount)
    {
        *amount = same.to_string();
    }
    sent.encode_to_vec()
}

/// The grant; of what cannot be bought one that the script makes only if it made it before.
fn made(
    r: &proto::PurchaseCreditsRequest,
    starts_at: Option<i64>,
    now: i64,
    sent: &[u8],
    bought: Option<&Bought>,
) -> GrantRequest {
    let amount = bought.map_or(Credits::ZERO, |bought| bought.amount);
    let cents = bought.and_then(|bought| (bought.price * Decimal::ONE_HUNDRED).to_i64());
    let non_refundable = bought.is_some_and(|bought| !bought.refundable);
    let mut with_more = Writer(sent.to_vec());
    with_more
        .int(7, cents.unwrap_or(0))
        .int(7, amount.micro())
        .byte(u8::from(non_refundable));
    let start = starts_at.unwrap_or(now).max(now);
    GrantRequest {
        kind: GrantKind::TopUp,
        priority: GrantKind::TopUp.priority(),
        non_refundable,
        amount,
        starts_at,
        expires_at: match bought {
            Some(bought) => bought.expires.after(start),
            None => Some(1),
        },
        expires_in: None,
        rollover: None,
        provider: r.provider.clone(),
        external_reference: r.external_reference.clone(),
        sent: with_more.0,
        bought: true,
    }
}

/// What the catalog says of it; `None`: something about it is wrong, and is noted.
fn bought(
    fields: &mut Fields,
    catalog: &Catalog,
    plan: Option<&str>,
    r: &proto::PurchaseCreditsRequest,
) -> Option<Bought> {
    match r.what.as_ref()? {
        What::Pack(name) => {
            if !r.trust_tier.is_empty() {
                fields.violation("trust_tier", "must be absent: a pack is bought");
            }
            let Some(pack) = catalog.packs.get(name) else {
                let known: Vec<_> = catalog.packs.keys().map(String::as_str).collect();
                let known = known.join(", ");
                fields.violation("pack", format!("is no pack of the catalog: it has {known}"));
                return None;
            };
            // Of a plan that the catalog no longer has nothing is off.
            let plan = plan.filter(|plan| catalog.plans.contains_key(*plan));
            let price = catalog.pack_price(name, plan)?;
            (fields.count() == 0).then_some(Bought {
                amount: pack.credits,
                price: price.decimal(),
                expires: pack.expires,
                refundable: pack.refundable,
            })
        }
        What::Amount(text) => amount(fields, catalog, text, &r.trust_tier),
    }
}

fn amount(fields: &mut Fields, catalog: &Catalog, text: &str, tier: &str) -> Option<Bought> {
    let amount = fields.amount("amount", text, false);
    let Some(purchases) = &catalog.purchases else {
        fields.violation("amount", "must be absent: the catalog sells packs only");
        return None;
    };
    if amount < purchases.minimum {
        fields.violation("amount", format!("must be at least {}", purchases.minimum));
    }
    let tiers = &catalog.trust_tiers;
    match tiers.get(tier) {
        Some(bound) if amount > bound.maximum_purchase => fields.violation(
            "amount",
            format!(
                "must be at most {} in the trust tier {tier}",
                bound.maximum_purchase
            ),
        ),
        None if !tiers.is_empty() => {
            let known: Vec<_> = tiers.keys().map(String::as_str).collect();
            fields.violation("trust_tier", format!("must be one of {}", known.join(", ")));
        }
        None if !tier.is_empty() => {
            fields.violation("trust_tier", "must be absent: the catalog has none");
        }
        _ => {}
    }
    let price = amount.to_decimal() * purchases.price.decimal();
    let price =
        price.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    (fields.count() == 0).then_some(Bought {
        amount,
        price,
        expires: purchases.expires,
        refundable: purchases.refundable,
    })
}
