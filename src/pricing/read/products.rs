//! What an account is when it is new, and the credits that it can buy.

use std::collections::BTreeMap;

use super::{
    super::{
        amount::Percent,
        catalog::{Accounts, Pack, Purchases, TrustTier, Welcome},
        plan::Term,
        words::Mode,
        yaml::Node,
    },
    Fields, Reader,
};

impl Reader {
    pub(super) fn accounts(
        &mut self,
        node: Option<&Node>,
        plans: Option<&Node>,
    ) -> Option<Accounts> {
        let mut accounts = Accounts {
            mode: Mode::Prepaid,
            plan: None,
            plan_required: false,
            welcome: None,
        };
        let Some(node) = node else {
            return Some(accounts);
        };
        let mut fields = self.fields(node, "accounts")?;
        accounts.mode = fields
            .optional(self, "mode", Self::word)
            .unwrap_or(Mode::Prepaid);
        accounts.plan = fields.optional(self, "plan", |reader, node, name| {
            reader.known(node, name, plans.into_iter().flat_map(Node::keys))
        });
        accounts.plan_required = fields
            .optional(self, "plan_required", Self::yes)
            .unwrap_or(false);
        accounts.welcome = fields.optional(self, "welcome", |reader, node, _| reader.welcome(node));
        fields.done(self);
        Some(accounts)
    }

    fn welcome(&mut self, node: &Node) -> Option<Welcome> {
        let mut fields = self.fields(node, "welcome")?;
        let credits = fields.required(self, "credits", Self::some_credits);
        let expires = fields
            .optional(self, "expires", Self::term)
            .unwrap_or(Term::Never);
        fields.done(self);
        Some(Welcome {
            credits: credits?,
            expires,
        })
    }

    pub(super) fn packs(&mut self, node: &Node) -> BTreeMap<String, Pack> {
        let mut packs = BTreeMap::new();
        for (key, node) in self.named(node, "packs") {
            if let Some(pack) = self.pack(node) {
                packs.insert(key.text.clone(), pack);
            }
        }
        packs
    }

    fn pack(&mut self, node: &Node) -> Option<Pack> {
        let mut fields = self.fields(node, "a pack")?;
        let credits = fields.required(self, "credits", Self::some_credits);
        let price = fields.required(self, "price", Self::money);
        let off = fields
            .optional(self, "off", Self::percent)
            .unwrap_or(Percent::ZERO);
        let (expires, refundable) = self.bought(&mut fields);
        fields.done(self);
        Some(Pack {
            credits: credits?,
            price: price?,
            off,
            expires,
            refundable,
        })
    }

    /// What holds of bought credits, however they were bought: how long they live, and whether the money may come back.
    fn bought(&mut self, fields: &mut Fields<'_>) -> (Term, bool) {
        let expires = fields.optional(self, "expires", Self::term);
        let refundable = fields.optional(self, "refundable", Self::yes);
        (expires.unwrap_or(Term::Never), refundable.unwrap_or(true))
    }

    pub(super) fn purchases(&mut self, node: &Node) -> Option<Purchases> {
        let mut fields = self.fields(node, "purchases")?;
        let minimum = fields.required(self, "minimum", Self::some_credits);
        let price = fields.required(self, "price", Self::money);
        let (expires, refundable) = self.bought(&mut fields);
        fields.done(self);
        Some(Purchases {
            minimum: minimum?,
            price: price?,
            expires,
            refundable,
        })
    }

    pub(super) fn trust_tiers(
        &mut self,
        node: &Node,
        purchases: Option<&Purchases>,
    ) -> BTreeMap<String, TrustTier> {
        let mut tiers = BTreeMap::new();
        for (key, node) in self.named(node, "trust_tiers") {
            let Some(mut fields) = self.fields(node, "a trust tier") else {
                continue;
            };
            let most = fields.need(self, "maximum_purchase");
            fields.done(self);
            let Some((node, maximum_purchase)) =
                most.and_then(|node| Some((node, self.some_credits(node, "maximum_purchase")?)))
            else {
                continue;
            };
            if let Some(Purchases { minimum, .. }) = purchases
                && *minimum > maximum_purchase
            {
                self.wrong(node.place, format!("maximum_purchase: {maximum_purchase} is below the minimum of purchases, {minimum}"));
            }
            tiers.insert(key.text.clone(), TrustTier { maximum_purchase });
        }
        tiers
    }
}
