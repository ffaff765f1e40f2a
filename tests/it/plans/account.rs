//! An account's grants, by rules G1 and G2: what a step tells becomes credits here.

use holdbook::{
    domain::{account::Micros, credits::Credits, grant::GrantKind},
    plans::{Effect, Ending, Rolls, What},
};

#[derive(Clone, Debug)]
pub struct Held {
    pub id: String,
    pub kind: GrantKind,
    pub left: Credits,
    pub starts_at: Micros,
    pub expires_at: Option<Micros>,
    rolls: Option<Rolls>,
}

#[derive(Default)]
pub struct Account {
    pub now: Micros,
    pub held: Vec<Held>,
    pub granted: Credits,
    pub spent: Credits,
    pub breakage: Credits,
    pub revoked: Credits,
    /// Of which grant, when, and how many.
    pub rolled: Vec<(String, Micros, Credits)>,
}

impl Account {
    /// Ends what has ended, in the order of instants.
    pub fn advance(&mut self, now: Micros) {
        loop {
            let ends = self.held.iter().filter_map(|held| held.expires_at).min();
            let Some(at) = ends.filter(|at| *at <= now) else {
                break;
            };
            let (over, held) = std::mem::take(&mut self.held)
                .into_iter()
                .partition(|held| held.expires_at == Some(at));
            self.held = held;
            let over: Vec<Held> = over;
            for ended in over {
                let most = |rolls: Rolls| rolls.cap.map_or(ended.left, |cap| cap.min(ended.left));
                let rolled = ended.rolls.map_or(Credits::ZERO, most);
                self.breakage += ended.left - rolled;
                if rolled > Credits::ZERO {
                    self.rolled.push((ended.id.clone(), at, rolled));
                    self.held.push(Held {
                        id: format!("~rollover:{}", ended.id),
                        kind: GrantKind::Rollover,
                        left: rolled,
                        starts_at: at,
                        expires_at: ended.rolls.and_then(|rolls| rolls.until),
                        rolls: None,
                    });
                }
            }
        }
        self.now = self.now.max(now);
        let whole = self.free() + self.spent + self.breakage + self.revoked;
        assert_eq!(self.granted, whole, "conservation");
    }

    pub fn hear(&mut self, effect: &Effect) {
        self.advance(effect.at);
        match &effect.what {
            What::Grant(grant) => {
                assert!(grant.amount > Credits::ZERO, "A4");
                assert!(grant.starts_at < grant.expires_at, "{grant:?}");
                let known = |held: &Held| held.id == grant.grant_id;
                assert!(!self.held.iter().any(known), "granted twice: {grant:?}");
                self.give(Held {
                    id: grant.grant_id.clone(),
                    kind: GrantKind::Allowance,
                    left: grant.amount,
                    starts_at: grant.starts_at,
                    expires_at: Some(grant.expires_at),
                    rolls: grant.rolls,
                });
            }
            What::End { grants, as_ } => {
                for id in grants {
                    let at = self.held.iter().position(|held| held.id == *id);
                    let ended = self
                        .held
                        .remove(at.unwrap_or_else(|| panic!("no grant {id}")));
                    match as_ {
                        Ending::Breakage => self.breakage += ended.left,
                        Ending::Revoked => self.revoked += ended.left,
                    }
                }
            }
            What::Plan { .. } | What::Bill(_) | What::Ended { .. } => {}
        }
    }

    /// Credits that were bought and never expire.
    pub fn top_up(&mut self, amount: Credits) {
        self.give(Held {
            id: "bought".to_owned(),
            kind: GrantKind::TopUp,
            left: amount,
            starts_at: self.now,
            expires_at: None,
            rolls: None,
        });
    }

    fn give(&mut self, held: Held) {
        self.granted += held.left;
        self.held.push(held);
    }

    pub fn free(&self) -> Credits {
        self.held.iter().map(|held| held.left).sum()
    }

    pub fn free_of(&self, kind: GrantKind) -> Credits {
        let of = self.held.iter().filter(|held| held.kind == kind);
        of.map(|held| held.left).sum()
    }

    /// Spends in burn order (G1).
    pub fn spend(&mut self, mut amount: Credits) {
        assert!(amount <= self.free(), "a reserve would have been refused");
        self.spent += amount;
        self.held.sort_by_key(|held| {
            let ends = held.expires_at.unwrap_or(Micros::MAX);
            (held.kind.priority(), ends, held.starts_at, held.id.clone())
        });
        for held in &mut self.held {
            let taken = held.left.min(amount);
            held.left = held.left - taken;
            amount = amount - taken;
        }
    }
}
