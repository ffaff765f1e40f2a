//! What a job needs of a plan: features, a length, resolutions, room. Looked up in the catalog here, compared with the account's plan by
//! the script; with the plan that accounts without a subscription have it is compared here, since the catalog says which that is.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use tonic::Status;

use super::{core::Core, status};
use crate::{
    catalogs::{CatalogsError, Version},
    domain::{account::Micros, credits::Credits, plan::Gives},
    holds::{
        Writer,
        step::{Limits, pack_caps},
    },
    pricing::{
        Catalog,
        meter::{Meter, Pattern},
        quote::Item,
        words::LimitedBy,
    },
    proto::ErrorReason,
    rpc::subscriptions::terms::{gives, millionths},
};

/// What a job needs.
#[derive(Clone, Debug, Default)]
pub struct Need {
    /// The longest of its items, in microseconds; 0: none has a length.
    pub duration: i64,
    /// Features.
    pub features: Vec<String>,
    /// Resolutions, as the catalog writes them.
    pub resolutions: Vec<String>,
    /// Levels that must not be full.
    pub capacities: Vec<String>,
    /// What an account may do without a subscription; `None`: the catalog asks for one.
    pub without: Option<Gives>,
}

/// What a plan does not give, as a reason: both sides in words.
pub struct Beyond {
    /// What was asked for.
    pub asked: String,
    /// What there is.
    pub given: String,
}

impl Need {
    /// What some items need; those that the catalog does not know are refused elsewhere. `None`: nothing, whoever asks.
    pub fn of(catalog: &Catalog, items: &[Item]) -> Option<Self> {
        let all = &catalog.accounts;
        let plan = all.plan.as_ref().and_then(|name| catalog.plans.get(name));
        let mut need = Self {
            without: match plan {
                Some(plan) => Some(gives(catalog, plan)),
                None => (!all.plan_required).then(Gives::default),
            },
            ..Self::default()
        };
        for item in items {
            if let Some(meter) = catalog.meters.get(&item.meter) {
                need.add(catalog, meter, item);
            }
        }
        for list in [
            &mut need.features,
            &mut need.resolutions,
            &mut need.capacities,
        ] {
            list.sort_unstable();
            list.dedup();
        }
        let asks = need.without.as_ref() != Some(&Gives::default())
            || need.duration > 0
            || [&need.features, &need.resolutions, &need.capacities]
                .iter()
                .any(|list| !list.is_empty());
        asks.then_some(need)
    }

    fn add(&mut self, catalog: &Catalog, meter: &Meter, item: &Item) {
        self.features.extend(meter.features.iter().cloned());
        self.capacities.extend(meter.capacities.iter().cloned());
        if meter.limited_by.contains(&LimitedBy::Duration) {
            self.duration = self.duration.max(millionths(item.quantity));
        }
        let limited = meter.limited_by.contains(&LimitedBy::Resolution);
        if let Some(value) = item.attributes.get("resolution").filter(|_| limited) {
            let value = Pattern::Exact(value.clone());
            let known = catalog.resolutions.iter().flatten();
            let fits = known.filter(|known| known.covers(&value));
            // What is written out says more than a beginning.
            let found = fits.max_by_key(|known| **known == value);
            self.resolutions.extend(found.map(ToString::to_string));
        }
    }

    /// As the script reads it (`lua/plan.lua`).
    pub fn pack(&self) -> Vec<u8> {
        let mut w = Writer::default();
        for reason in self.beyond_without() {
            w.byte(u8::try_from(reason as i32).unwrap_or(u8::MAX));
        }
        let slots = self.without.as_ref().map_or(0, |gives| gives.concurrency);
        let rejects = self.without.as_ref().is_some_and(|it| it.rejects_overage);
        w.byte(0)
            .int(4, i64::from(slots))
            .int(7, self.duration)
            .byte(u8::from(rejects));
        for list in [&self.features, &self.resolutions] {
            w.byte(u8::try_from(list.len()).unwrap_or(u8::MAX));
            for name in list.iter().take(usize::from(u8::MAX)) {
                w.text(name);
            }
        }
        let levels = self.capacities.iter().take(usize::from(u8::MAX));
        w.byte(u8::try_from(levels.len()).unwrap_or(u8::MAX));
        for name in levels {
            let most = self
                .without
                .as_ref()
                .and_then(|gives| gives.capacities.get(name));
            w.text(name).int(7, most.copied().unwrap_or(-1));
        }
        let caps = self.without.as_ref().and_then(pack_caps);
        w.0.extend(caps.unwrap_or_else(|| vec![0]));
        w.0
    }

    /// Why an account without a subscription is refused, in the order of the limits.
    fn beyond_without(&self) -> Vec<ErrorReason> {
        let Some(gives) = &self.without else {
            return vec![ErrorReason::PlanInactive];
        };
        let limits = Limits {
            active: true,
            concurrency: gives.concurrency,
            duration: gives.duration,
            features: gives.features.clone(),
            resolutions: gives.resolutions.clone(),
            ..Limits::default()
        };
        let reasons = [
            ErrorReason::FeatureNotInPlan,
            ErrorReason::DurationLimit,
            ErrorReason::ResolutionLimit,
        ];
        let beyond = |reason: &ErrorReason| self.beyond(*reason, &limits).is_some();
        reasons.into_iter().filter(beyond).collect()
    }

    /// What of it a plan does not give.
    pub fn beyond(&self, reason: ErrorReason, limits: &Limits) -> Option<Beyond> {
        let missing = |needed: &[String], given: &[String]| {
            let missing = needed.iter().filter(|name| !given.contains(name));
            let missing: Vec<_> = missing.map(String::as_str).collect();
            (!missing.is_empty()).then(|| Beyond {
                asked: missing.join(","),
                given: given.join(","),
            })
        };
        match reason {
            ErrorReason::FeatureNotInPlan => missing(&self.features, &limits.features),
            ErrorReason::ResolutionLimit if !limits.resolutions.is_empty() => {
                missing(&self.resolutions, &limits.resolutions)
            }
            ErrorReason::CapacityLimit => self.capacities.iter().find_map(|name| {
                let level = limits.levels.get(name).copied().unwrap_or(0);
                let most = limits.capacities.get(name).copied()?;
                (level >= most).then(|| Beyond {
                    asked: name.clone(),
                    given: Credits::from_micro(most).to_string(),
                })
            }),
            ErrorReason::DurationLimit
                if limits.duration > 0 && self.duration > limits.duration =>
            {
                Some(Beyond {
                    asked: super::fields::seconds(self.duration),
                    given: super::fields::seconds(limits.duration),
                })
            }
            _ => None,
        }
    }

    /// The limits that an account has without a subscription.
    pub fn limits_without(&self) -> Limits {
        let gives = self.without.clone().unwrap_or_default();
        Limits {
            active: false,
            concurrency: gives.concurrency,
            duration: gives.duration,
            features: gives.features,
            resolutions: gives.resolutions,
            capacities: gives.capacities,
            ..Limits::default()
        }
    }
}

impl Core {
    /// What any new hold needs of a plan, whatever it is for, by the catalog in force.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn need(&self) -> Result<Option<Arc<Need>>, Status> {
        let now = match self.clock_seen.load(Ordering::Relaxed) {
            // The first call of a process.
            0 => self.catalog_now().await?.map_or(0, |(_, now)| now),
            now => now,
        };
        let number = self.catalogs.number_at(now);
        let last = self.any_hold.read();
        if let Some((same, need)) = &*last.unwrap_or_else(PoisonError::into_inner)
            && *same == number
        {
            return Ok(need.clone());
        }
        let version = self.catalog_at(now).await?;
        let need = version.and_then(|version| Need::of(&version.catalog, &[]));
        let need = need.map(Arc::new);
        let last = self.any_hold.write();
        *last.unwrap_or_else(PoisonError::into_inner) = Some((number, need.clone()));
        Ok(need)
    }

    /// The catalog in force by Redis' clock, and that; none if there is none.
    pub async fn catalog_now(&self) -> Result<Option<(Version, Micros)>, Status> {
        if self.catalogs.newest() == 0 {
            return Ok(None);
        }
        let now = self.memory.now().await;
        let now = now.map_err(|error| status::failed(&error))?;
        let version = self.catalog_at(now).await?;
        Ok(version.map(|version| (version, now)))
    }

    async fn catalog_at(&self, now: Micros) -> Result<Option<Version>, Status> {
        match self.catalogs.at(now).await {
            Ok(version) => Ok(Some(version)),
            Err(CatalogsError::NotYet(_)) => Ok(None),
            Err(error) => Err(status::catalog_failed(error)),
        }
    }
}
