//! Levels of an account that its plan bounds, such as what it stores: reported and changed by whoever stores, looked at by reserves.

use std::{collections::BTreeSet, sync::Arc};

use tonic::{Request, Response, Status};

use super::{
    core::{Core, caller},
    fields::Fields,
    need::Need,
    reused, status,
    usage::NAME_MAX,
    view,
};
use crate::{
    domain::credits::Credits,
    holds::{
        operation::{LEVEL, LevelChange, Verb},
        step::Limits,
    },
    proto::{self, Durability, ErrorReason, change_level_request::Change},
};

/// `AccountService.ChangeLevel`.
pub async fn change(
    core: &Core,
    request: Request<proto::ChangeLevelRequest>,
) -> Result<Response<proto::ChangeLevelResponse>, Status> {
    let caller = caller(&request)?;
    let r = request.into_inner();
    let mut fields = Fields::default();
    fields.account_id(&r.account_id);
    fields.id("change_id", &r.change_id);
    let mut quantity = |field: &str, text: &str, zero| fields.amount(field, text, zero).micro();
    let change = match &r.change {
        Some(Change::To(text)) => LevelChange::To(quantity("to", text, true)),
        Some(Change::Allocate(text)) => LevelChange::By(quantity("allocate", text, false)),
        Some(Change::Free(text)) => LevelChange::By(-quantity("free", text, false)),
        None => {
            fields.violation("to", "is required, or allocate, or free");
            LevelChange::To(0)
        }
    };
    let durability = fields.durability(r.durability, Durability::Ledger);
    fields.text("capacity", &r.capacity, NAME_MAX);
    if r.capacity.is_empty() {
        fields.violation("capacity", "is required");
    }
    if fields.count() > 0 {
        return Err(fields.refusal());
    }
    // By the account's clock, which never goes back. The ledger is asked for the id in any case; so it is for a version that another
    // process has just applied.
    let now = core.ask(&r.account_id, caller.clone(), Verb::Read).await?;
    let now = now.answer.now;
    core.catalogs.step().await.map_err(status::ledger_failed)?;
    let version = core.catalogs.at(now).await;
    let version = version.map_err(status::catalog_failed)?;
    let capacities = &version.catalog.capacities;
    if !capacities.contains_key(&r.capacity) {
        let known: Vec<_> = capacities.keys().map(String::as_str).collect();
        let known = match known.is_empty() {
            true => "it has none".to_owned(),
            false => format!("it has {}", known.join(", ")),
        };
        fields.violation(
            "capacity",
            format!("is no capacity of the catalog: {known}"),
        );
    }
    let mut need = Need::of(&version.catalog, &[]).unwrap_or_default();
    need.capacities = vec![r.capacity.clone()];
    let most = need
        .without
        .as_ref()
        .and_then(|gives| gives.capacities.get(&r.capacity));
    let verb = Verb::Level {
        level_id: format!("{LEVEL}{}", r.change_id),
        capacity: r.capacity.clone(),
        change,
        most: most.copied(),
        unknown: fields.count() > 0,
    };
    let mut done = core.ask(&r.account_id, caller, verb).await?;
    if done.refused_as(ErrorReason::Invalid) {
        // What is no capacity any more is refused only where it was not changed before.
        fields.finish()?;
        let field = match change {
            LevelChange::By(x) if x < 0 => "free",
            _ => "allocate",
        };
        let was = view::credits(done.answer.x);
        let what = format!(
            "must keep the level between 0 and {}: it is {was}",
            Credits::MAX
        );
        return Err(status::invalid_field(field, what));
    }
    // A change by more than there is room for is refused below the limit, too.
    if done.refused_as(ErrorReason::CapacityLimit)
        && let Some(plan) = &mut done.answer.plan
    {
        plan.levels.insert(r.capacity.clone(), i64::MAX);
    }
    done.need = Some(Arc::new(need));
    let done = reused::level(done, &r.capacity, change)?.or_refusal()?;
    let (before, level) = done.numbers();
    Ok(Response::new(proto::ChangeLevelResponse {
        level: view::credits(level),
        before: view::credits(before),
        replayed: done.answer.replayed,
        durability: core.reach(&done, durability).await,
    }))
}

/// All levels of an account, with their bounds.
pub async fn all(core: &Core, plan: Option<&Limits>) -> Result<Vec<proto::Level>, Status> {
    let none = Limits::default();
    let levels = plan.unwrap_or(&none);
    let bounds = match plan.filter(|plan| plan.active) {
        Some(plan) => plan.capacities.clone(),
        None => {
            let need = core.need().await?;
            need.map(|need| need.limits_without().capacities)
                .unwrap_or_default()
        }
    };
    let names: BTreeSet<_> = levels.levels.keys().chain(bounds.keys()).collect();
    let level = |name: &String| proto::Level {
        capacity: name.clone(),
        level: view::credits(levels.levels.get(name).copied().unwrap_or(0)),
        limit: bounds
            .get(name)
            .map_or_else(String::new, |most| view::credits(*most)),
    };
    Ok(names.into_iter().map(level).collect())
}
