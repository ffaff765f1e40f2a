//! Plans.

use std::collections::BTreeMap;

use super::{
    super::{
        amount::{Money, Percent, Quantity},
        plan::{Caps, Cycle, Limits, Plan, Rollover, SpendCaps, Term, Trial, Yearly},
        words::{AfterTrial, CreditsOnUpgrade, GrantOn, Overage, Rounding},
        yaml::{Node, Value},
    },
    Entries, Fields, Reader,
    names::unknown,
    top::Names,
};
use crate::domain::credits::Credits;

/// Each costs a reserve that carries it a read and a write.
const CAPPED_LABELS_MAX: usize = 4;

impl Reader {
    /// Plans; what one does not say, `plan_defaults` say.
    pub(super) fn plans(
        &mut self,
        node: &Node,
        defaults: Option<&Node>,
        names: &Names,
    ) -> BTreeMap<String, Plan> {
        let defaults = defaults
            .and_then(|node| self.map(node, "plan_defaults"))
            .unwrap_or_default();
        let mut plans = BTreeMap::new();
        for (key, node) in self.named(node, "plans") {
            if let Some(plan) = self.plan(node, defaults, names) {
                plans.insert(key.text.clone(), plan);
            }
        }
        plans
    }

    fn plan<'a>(&mut self, node: &'a Node, defaults: &'a Entries, names: &Names) -> Option<Plan> {
        let mut fields = self.fields(node, "a plan")?;
        fields.defaults = defaults;
        let f = &mut fields;
        let allowance = f.required(self, "allowance", |r, node, name| {
            r.set(node, name, Self::credits)
        });
        let cycle = f.optional(self, "cycle", Self::cycle);
        let price = f.optional(self, "price", |r, node, name| {
            r.set(node, name, Self::money)
        });
        let yearly = f.optional(self, "yearly", |r, node, _| r.yearly(node));
        if let (Some(_), None) = (&yearly, &price) {
            self.wrong(f.place, "a plan with \"yearly\" needs \"price\"");
        }
        let grant_on = f.optional(self, "grant_on", Self::word);
        let rollover = f.optional(self, "rollover", |r, node, _| r.rollover(node));
        let limits = f.optional(self, "limits", |r, node, _| r.limits(node, names));
        let features = f
            .get("features")
            .map(|node| self.all_known(node, "feature", names.features.iter().map(String::as_str)));
        let capacities = f.get("capacities").map(|node| self.capacities(node, names));
        let spend_caps = f.optional(self, "spend_caps", |r, node, _| r.spend_caps(node));
        let pack_off = f.optional(self, "pack_off", Self::percent);
        let overage = f.optional(self, "overage", Self::word);
        let overdraft_limit = f
            .optional(self, "overdraft_limit", Self::credits)
            .unwrap_or(Credits::ZERO);
        let credit = f.get("credit_limit");
        let credit_limit = credit
            .and_then(|node| self.credits(node, "credit_limit"))
            .unwrap_or(Credits::ZERO);
        if let Some(node) = credit
            && credit_limit > overdraft_limit
        {
            self.wrong(node.place, format!("credit_limit: {credit_limit} is more than the overdraft_limit {overdraft_limit}"));
        }
        let credits_on_upgrade = f.optional(self, "credits_on_upgrade", Self::word);
        let trial = f.optional(self, "trial", |r, node, _| r.trial(node));
        let refund_within = f.optional(self, "refund_within", Self::days);
        let retention = f.optional(self, "retention", Self::term);
        let labels = f.get("labels").map(|node| self.labels(node));
        fields.done(self);
        Some(Plan {
            allowance: allowance?,
            cycle: cycle.unwrap_or(Cycle::CalendarMonth),
            price,
            yearly,
            grant_on: grant_on.unwrap_or(GrantOn::Renewal),
            rollover: rollover.flatten(),
            limits: limits.unwrap_or_default(),
            features: features.unwrap_or_default(),
            capacities: capacities.unwrap_or_default(),
            spend_caps: spend_caps.unwrap_or_default(),
            pack_off: pack_off.unwrap_or(Percent::ZERO),
            overage: overage.unwrap_or(Overage::Allow),
            overdraft_limit,
            credit_limit,
            credits_on_upgrade: credits_on_upgrade.unwrap_or(CreditsOnUpgrade::ProratedDifference),
            trial,
            refund_within,
            retention,
            labels: labels.unwrap_or_default(),
        })
    }

    fn yearly(&mut self, node: &Node) -> Option<Yearly> {
        let mut fields = self.fields(node, "yearly")?;
        let off = fields.required(self, "off", Self::percent);
        let step = fields.get("round_to");
        let round_to = match step {
            Some(node) => self.money(node, "round_to"),
            None => Money::parse("0.01"),
        };
        let rounding = fields.optional(self, "rounding", Self::word);
        fields.done(self);
        if let Some(node) = step
            && round_to == Some(Money::ZERO)
        {
            self.wrong(node.place, "round_to: \"0\" is not more than nothing");
        }
        Some(Yearly {
            off: off?,
            round_to: round_to?,
            rounding: rounding.unwrap_or(Rounding::HalfUp),
        })
    }

    /// `none`, or how long and how much.
    fn rollover(&mut self, node: &Node) -> Option<Option<Rollover>> {
        if node.value == Value::Scalar("none".to_owned()) {
            return Some(None);
        }
        let mut fields = self.fields(node, "a rollover")?;
        let lasts = fields.required(self, "for", Self::term);
        let cap = fields.optional(self, "cap", Self::some_credits);
        fields.done(self);
        Some(Some(Rollover { lasts: lasts?, cap }))
    }

    fn limits(&mut self, node: &Node, names: &Names) -> Option<Limits> {
        let mut fields = self.fields(node, "limits")?;
        let concurrency = fields.optional(self, "concurrency", |r, node, name| {
            r.whole(node, name, 1, 100_000)
        });
        let duration = fields.optional(self, "duration", Self::seconds);
        let known: Vec<_> = names
            .resolutions
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        let resolution = fields.optional(self, "resolution", |r, node, name| {
            r.known(node, name, known.iter().map(String::as_str))
        });
        fields.done(self);
        Some(Limits {
            concurrency,
            duration,
            resolution,
        })
    }

    fn capacities(&mut self, node: &Node, names: &Names) -> BTreeMap<String, Quantity> {
        let mut found = BTreeMap::new();
        for (key, node) in self.map(node, "capacities").unwrap_or_default() {
            if !names.capacities.contains_key(&key.text) {
                let known = names.capacities.keys().map(String::as_str);
                self.wrong(key.place, unknown("capacity", &key.text, known));
            } else if let Some(level) = self.quantity(node, &key.text) {
                found.insert(key.text.clone(), level);
            }
        }
        found
    }

    fn spend_caps(&mut self, node: &Node) -> Option<SpendCaps> {
        let mut fields = self.fields(node, "spend_caps")?;
        let account = self.caps(&mut fields);
        let per_label = fields.get("per_label").map(|node| self.label_caps(node));
        fields.done(self);
        Some(SpendCaps {
            account,
            per_label: per_label.unwrap_or_default(),
        })
    }

    fn label_caps(&mut self, node: &Node) -> BTreeMap<String, Caps> {
        let mut found = BTreeMap::new();
        for (key, node) in self.named(node, "per_label") {
            if let Some(mut fields) = self.fields(node, "spend_caps of a label") {
                found.insert(key.text.clone(), self.caps(&mut fields));
                fields.done(self);
            }
        }
        if found.len() > CAPPED_LABELS_MAX {
            let what = format!(
                "per_label: has {} labels, at most {CAPPED_LABELS_MAX} are allowed",
                found.len()
            );
            self.wrong(node.place, what);
        }
        found
    }

    fn caps(&mut self, fields: &mut Fields<'_>) -> Caps {
        let caps = Caps {
            hour: fields.optional(self, "hour", Self::some_credits),
            day: fields.optional(self, "day", Self::some_credits),
            month: fields.optional(self, "month", Self::some_credits),
        };
        if !caps.of_windows().into_iter().flatten().is_sorted() {
            self.wrong(fields.place, "spend_caps: a longer time has a smaller cap than a shorter one, which is then never reached");
        }
        caps
    }

    fn trial(&mut self, node: &Node) -> Option<Trial> {
        let mut fields = self.fields(node, "a trial")?;
        let lasts: Option<Term> = fields.required(self, "for", Self::days);
        let allowance = fields.required(self, "allowance", Self::credits);
        let then = fields.optional(self, "then", Self::word);
        fields.done(self);
        Some(Trial {
            lasts: lasts?,
            allowance: allowance?,
            then: then.unwrap_or(AfterTrial::Convert),
        })
    }

    fn labels(&mut self, node: &Node) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (key, node) in self.named(node, "labels") {
            if let Some(text) = self.label(node, &key.text) {
                found.insert(key.text.clone(), text);
            }
        }
        found
    }
}
