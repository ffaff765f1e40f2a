//! A step of a subscription, packed for the script (`lua/plan.lua`), and what the script keeps of a plan.

use std::collections::BTreeMap;

use super::wire::{Malformed, Reader, Writer};
use crate::domain::{account::Micros, credits::Credits, plan::Gives};

/// How the grants of subscriptions are called: no caller's id begins so.
pub const PLAN_GRANT: &str = "~plan:";

/// What the script keeps of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// One holds.
    pub active: bool,
    /// The most open holds; 0: any number.
    pub concurrency: u32,
    /// The longest job; 0: any.
    pub duration: Micros,
    /// The features that it has.
    pub features: Vec<String>,
    /// The resolutions that it has; none: all.
    pub resolutions: Vec<String>,
    /// The most of each level, in millionths of its unit; one that is not here has no bound.
    pub capacities: BTreeMap<String, i64>,
    /// Where each level of the account stands.
    pub levels: BTreeMap<String, i64>,
    /// The labels whose values have spend caps; an empty one is the account as a whole.
    pub capped_labels: Vec<String>,
}

/// A cap that a call would pass, or why what is spent cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The label and its value; none: the cap is the account's.
    pub label: Option<(String, String)>,
    /// The window; none: the label has too many values.
    pub window: Option<Window>,
    /// The most.
    pub cap: Credits,
    /// What was spent in it.
    pub spent: Credits,
    /// What open holds have set aside.
    pub held: Credits,
}

/// What spend caps are of, by the calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The revision that it was worked out from.
    pub from: u32,
    /// Who did it.
    pub by: By,
    /// The revision that it leads to.
    pub to: u32,
    /// When time changes the subscription next.
    pub next_due: Option<Micros>,
    /// What the account may do then; `None`: no plan holds.
    pub gives: Option<Gives>,
    /// The service's record.
    pub record: Vec<u8>,
    /// What the event says: `SubscriptionStep` in JSON.
    pub said: Vec<u8>,
    /// When the last of it became true.
    pub at: Micros,
    /// What happens, in order.
    pub effects: Vec<(Micros, Effect)>,
}

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum By {
    /// A call.
    Call = 0,
    /// Time.
    Time = 1,
    /// A call that is refused where it would leave a debt above a credit limit that it makes lower.
    CallWithoutDebt = 2,
}

/// Something that a step does.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Credits, as an allowance.
    Grant {
        /// Its id.
        grant_id: String,
        /// How many.
        amount: Credits,
        /// From when.
        starts_at: Micros,
        /// Until when.
        expires_at: Micros,
        /// How long the rest lives on, `Micros::MAX` for ever, and the most of it.
        rolls: Option<(Micros, Option<Credits>)>,
    },
    /// A grant ends before its time.
    End {
        /// Its id.
        grant_id: String,
        /// As if it was never given.
        revoked: bool,
    },
    /// How far commits and reserves may go into debt.
    Bounds {
        /// Commits.
        overdraft_limit: Credits,
        /// Reserves.
        credit_limit: Credits,
    },
}

/// Lua's largest instant.
const NEVER: Micros = super::packed::NEVER;

/// Packs a step.
#[must_use]
pub fn pack(step: &Step) -> Vec<u8> {
    let mut w = Writer::default();
    w.int(4, i64::from(step.from))
        .byte(step.by as u8)
        .blob(&pack_limits(step))
        .blob(&step.record)
        .blob(&step.said);
    for (at, effect) in &step.effects {
        w.int(7, *at);
        match effect {
            Effect::Grant {
                grant_id,
                amount,
                starts_at,
                expires_at,
                rolls,
            } => {
                w.byte(1).text(grant_id).int(7, amount.micro());
                w.int(7, *starts_at).int(7, (*expires_at).min(NEVER));
                let (lasts, cap) = rolls.map_or((0, None), |(lasts, cap)| (lasts.min(NEVER), cap));
                w.int(7, lasts).int(7, cap.map_or(-1, Credits::micro));
            }
            Effect::End { grant_id, revoked } => {
                w.byte(2).text(grant_id).byte(u8::from(*revoked));
            }
            Effect::Bounds {
                overdraft_limit,
                credit_limit,
            } => {
                w.byte(3)
                    .int(7, overdraft_limit.micro())
                    .int(7, credit_limit.micro());
            }
        }
    }
    w.int(7, step.at).byte(0);
    w.0
}

/// Without the levels, which the script knows.
fn pack_limits(step: &Step) -> Vec<u8> {
    let none = Gives::default();
    let gives = step.gives.as_ref().unwrap_or(&none);
    let caps = pack_caps(gives);
    let mut w = Writer::default();
    w.int(4, i64::from(step.to))
        .int(7, step.next_due.unwrap_or(NEVER).min(NEVER))
        .byte(flags(
            step.gives.is_some(),
            caps.is_some(),
            gives.rejects_overage,
        ))
        .int(4, i64::from(gives.concurrency))
        .int(7, gives.duration);
    for list in [&gives.features, &gives.resolutions] {
        w.byte(u8::try_from(list.len()).unwrap_or(u8::MAX));
        for name in list.iter().take(usize::from(u8::MAX)) {
            w.text(name);
        }
    }
    w.byte(u8::try_from(gives.capacities.len()).unwrap_or(u8::MAX));
    for (name, most) in gives.capacities.iter().take(usize::from(u8::MAX)) {
        w.text(name).int(7, *most);
    }
    w.0.extend(caps.unwrap_or_default());
    w.0
}

/// `HOLDS`, `CAPPED` and `REJECTS` in `lua/plan.lua`.
const fn flags(holds: bool, capped: bool, rejects: bool) -> u8 {
    holds as u8 + 4 * capped as u8 + 8 * rejects as u8
}

/// Spend caps: of the account under an empty label, then of labels. None: there are none.
#[must_use]
pub fn pack_caps(gives: &Gives) -> Option<Vec<u8>> {
    let own = ("", &gives.spend_caps);
    let of_labels = gives.label_caps.iter();
    let of_labels = of_labels.map(|(label, caps)| (label.as_str(), caps));
    let all: Vec<_> = std::iter::once(own)
        .chain(of_labels)
        .filter(|(_, caps)| caps.iter().any(Option::is_some))
        .take(usize::from(u8::MAX))
        .collect();
    let mut w = Writer::default();
    w.byte(u8::try_from(all.len()).unwrap_or(u8::MAX));
    for (label, caps) in &all {
        w.text(label);
        for cap in caps.iter() {
            w.int(7, cap.map_or(-1, Credits::micro));
        }
    }
    (!all.is_empty()).then_some(w.0)
}

/// Reads what the script keeps of a plan.
///
/// # Errors
/// It cannot be read.
pub fn limits(bytes: &[u8]) -> Result<Limits, Malformed> {
    let mut r = Reader(bytes);
    let (_revision, _due) = (r.u32()?, r.int(7)?);
    let (flags, concurrency, duration) = (r.byte()?, r.u32()?, r.int(7)?);
    let (active, capped) = (flags & 1 != 0, flags & 4 != 0);
    let [features, resolutions] = [names(&mut r)?, names(&mut r)?];
    let capacities = numbers(&mut r)?;
    let mut caps = Vec::new();
    for _ in 0..if capped { r.byte()? } else { 0 } {
        caps.push((r.text()?, [r.int(7)?, r.int(7)?, r.int(7)?]));
    }
    let levels = numbers(&mut r)?;
    Ok(Limits {
        active,
        concurrency,
        duration,
        features,
        resolutions,
        capacities,
        levels,
        capped_labels: caps.into_iter().map(|(label, _)| label).collect(),
    })
}

/// Reads the cap that a call would pass; empty: none.
///
/// # Errors
/// It cannot be read.
pub fn passed(bytes: &[u8]) -> Result<Option<Passed>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut r = Reader(bytes);
    let label = Some((r.text()?, r.text()?)).filter(|(label, _)| !label.is_empty());
    let window = match r.byte()? {
        0 => None,
        1 => Some(Window::Hour),
        2 => Some(Window::Day),
        _ => Some(Window::Month),
    };
    let mut credits = || Ok(Credits::from_micro(r.int(7)?));
    Ok(Some(Passed {
        label,
        window,
        cap: credits()?,
        spent: credits()?,
        held: credits()?,
    }))
}

fn numbers(r: &mut Reader) -> Result<BTreeMap<String, i64>, Malformed> {
    (0..r.byte()?).map(|_| Ok((r.text()?, r.int(7)?))).collect()
}

fn names(r: &mut Reader) -> Result<Vec<String>, Malformed> {
    (0..r.byte()?).map(|_| r.text()).collect()
}
