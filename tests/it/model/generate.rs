//! Makes the next random call of one account, so that boundaries and every refusal are met often.
//!
//! It looks at the model's account to aim at boundaries; what is right to answer it does not know.

use std::collections::VecDeque;

use holdbook::proto::{self, HoldState};

use super::dice::Dice;
use super::operation::Operation;
use super::reference::{Account, Hold, Settings, Standing};
use super::requests::{labels, new_hold_id};
use super::{alter, spoil};

/// What kind of customer an account is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Temper {
    Prepaid,
    Arrears,
    Huge,
    ManyGrants,
    FewSlots,
}

/// An account that is being played with.
pub struct Subject {
    pub account_id: String,
    /// Calls until it is inspected and dropped.
    pub left: u32,
    pub(super) temper: Temper,
    pub(super) grants: u64,
    sent: VecDeque<Operation>,
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Step {
    Call(Box<Operation>),
    Freeze,
    Unfreeze,
    /// Compare everything that can be read.
    Inspect,
}

#[derive(Clone, Copy)]
enum Verb {
    Reserve,
    Commit,
    Release,
    Extend,
    Charge,
    Refund,
    Grant,
    Revoke,
    Update,
    Close,
    Create,
    GetHold,
    GetAccount,
    GetBalance,
    Again,
    Altered,
    Freeze,
    Inspect,
}

impl Subject {
    pub fn new(dice: &mut Dice, account_id: String) -> Self {
        use Temper::*;
        let temper = dice.weighted(&[
            (40, Prepaid),
            (25, Arrears),
            (10, Huge),
            (10, ManyGrants),
            (15, FewSlots),
        ]);
        let least = if temper == ManyGrants { 250 } else { 100 };
        let left = least + dice.below(300) as u32;
        Self {
            account_id,
            left,
            temper,
            grants: 0,
            sent: VecDeque::new(),
        }
    }

    /// The next step of this account.
    pub fn next(
        &mut self,
        dice: &mut Dice,
        account: Option<&Account>,
        settings: &Settings,
        now: i64,
    ) -> Step {
        let Some(account) = account else {
            return self.before_creation(dice, settings, now);
        };
        if account.closed.is_some() {
            self.left = self.left.min(40); // a closed account has little more to show
        }
        if account.frozen && dice.chance(8) {
            return Step::Unfreeze;
        }
        if account.suspended && account.closed.is_none() && dice.chance(6) {
            return Step::Call(Box::new(self.update(dice, account)));
        }
        let mut operation = match self.verb(dice) {
            Verb::Freeze if account.closed.is_none() => {
                return if account.frozen {
                    Step::Unfreeze
                } else {
                    Step::Freeze
                };
            }
            Verb::Inspect => return Step::Inspect,
            Verb::Again if !self.sent.is_empty() => self.earlier(dice),
            Verb::Altered if !self.sent.is_empty() => {
                let earlier = self.earlier(dice);
                alter::altered(dice, earlier)
            }
            verb => self.fresh(dice, verb, account, settings, now),
        };
        if dice.chance(3) {
            spoil::spoil(dice, &mut operation, settings);
        } else if dice.below(200) == 0 {
            operation.set_account_id(&format!("{}-unknown", self.account_id));
        } else {
            self.remember(&operation);
        }
        Step::Call(Box::new(self.with_durability(dice, operation)))
    }

    /// A step about one hold, right after the clock was moved for its sake.
    pub fn aimed(
        &mut self,
        dice: &mut Dice,
        account: &Account,
        hold_id: &str,
        settings: &Settings,
        now: i64,
    ) -> Step {
        let verb = dice.weighted(&[(45, Verb::Reserve), (15, Verb::Charge), (40, Verb::Commit)]);
        let mut operation = self.fresh(dice, verb, account, settings, now);
        match &mut operation {
            Operation::Reserve(r) => r.hold_id = hold_id.into(),
            Operation::Charge(r) => r.hold_id = hold_id.into(),
            Operation::Commit(r) => r.hold_id = hold_id.into(),
            _ => {}
        }
        self.remember(&operation);
        Step::Call(Box::new(self.with_durability(dice, operation)))
    }

    fn before_creation(&mut self, dice: &mut Dice, settings: &Settings, now: i64) -> Step {
        let mut operation = self.create(dice);
        if dice.chance(20) {
            spoil::spoil(dice, &mut operation, settings);
        } else if dice.chance(20) {
            operation = self.grant(dice, 0, now); // nobody has created it yet
        } else {
            self.remember(&operation);
        }
        Step::Call(Box::new(self.with_durability(dice, operation)))
    }

    /// Waiting for the ledger at every grant would make the run slow; some calls do.
    fn with_durability(&self, dice: &mut Dice, mut operation: Operation) -> Operation {
        let wait = dice.below(40) == 0;
        if let Some(durability) = operation.durability_mut().filter(|d| **d == 0) {
            *durability = if wait { 2 * (dice.below(2) as i32) } else { 1 };
        }
        operation
    }

    fn remember(&mut self, operation: &Operation) {
        self.sent.push_back(operation.clone());
        if self.sent.len() > 40 {
            self.sent.pop_front();
        }
    }

    fn earlier(&self, dice: &mut Dice) -> Operation {
        let back = dice
            .below(self.sent.len() as u64)
            .min(dice.below(self.sent.len() as u64)) as usize;
        self.sent[self.sent.len() - 1 - back].clone()
    }

    fn verb(&self, dice: &mut Dice) -> Verb {
        use Verb::*;
        let grants = if self.temper == Temper::ManyGrants {
            900
        } else {
            90
        };
        let weights = [
            (220, Reserve),
            (200, Commit),
            (70, Release),
            (80, Extend),
            (70, Charge),
            (80, Refund),
            (grants, Grant),
            (25, Revoke),
            (30, Update),
            (3, Close),
            (4, Create),
            (30, GetHold),
            (10, GetAccount),
            (15, GetBalance),
            (70, Again),
            (50, Altered),
            (6, Freeze),
            (8, Inspect),
        ];
        dice.weighted(&weights)
    }

    fn fresh(
        &mut self,
        dice: &mut Dice,
        verb: Verb,
        account: &Account,
        settings: &Settings,
        now: i64,
    ) -> Operation {
        let account_id = self.account_id.clone();
        let hold_id = hold_id(dice, account);
        match verb {
            Verb::Commit => self.commit(dice, account, hold_id),
            Verb::Release => Operation::Release(proto::ReleaseRequest {
                account_id,
                hold_id,
                durability: 0,
            }),
            Verb::Extend => self.extend(dice, account, hold_id, settings, now),
            Verb::Charge => Operation::Charge(proto::ChargeRequest {
                account_id,
                hold_id: new_hold_id(dice),
                amount: self.amount(dice, &[account.available(), account.free()]),
                labels: labels(dice),
                durability: 0,
            }),
            Verb::Refund => self.refund(dice, account, hold_id),
            Verb::Grant => self.grant(
                dice,
                account.free() + account.held() + account.pending(),
                now,
            ),
            Verb::Revoke => self.revoke(dice, account),
            Verb::Update => self.update(dice, account),
            Verb::Close => Operation::CloseAccount(proto::CloseAccountRequest {
                account_id,
                durability: 0,
            }),
            Verb::Create => self.create(dice),
            Verb::GetHold => Operation::GetHold(proto::GetHoldRequest {
                account_id,
                hold_id,
            }),
            Verb::GetAccount => Operation::GetAccount(proto::GetAccountRequest { account_id }),
            Verb::GetBalance => Operation::GetBalance(proto::GetBalanceRequest { account_id }),
            Verb::Reserve | Verb::Again | Verb::Altered | Verb::Freeze | Verb::Inspect => {
                self.reserve(dice, account, settings, now)
            }
        }
    }
}

/// A hold to do something with: mostly open, often expired, sometimes any other or none.
fn hold_id(dice: &mut Dice, account: &Account) -> String {
    let wanted = dice.weighted(&[
        (55, Some(HoldState::Open)),
        (20, Some(HoldState::Expired)),
        (10, Some(HoldState::Committed)),
        (6, Some(HoldState::Released)),
        (9, None),
    ]);
    let open = account.holds.iter().filter(|h| h.state == HoldState::Open);
    let outlived = |h: &&Hold| {
        h.pins
            .iter()
            .any(|p| account.grants[p.0].standing != Standing::Started)
    };
    let rare: Vec<&Hold> = open.filter(|h| account.debt > 0 || outlived(h)).collect();
    if !rare.is_empty() && dice.chance(50) {
        return dice.pick(&rare).id.clone(); // pins of ended grants, or pins that come back into debt
    }
    let of_state: Vec<&Hold> = account
        .holds
        .iter()
        .rev()
        .take(40)
        .filter(|h| Some(h.state) == wanted)
        .collect();
    if !of_state.is_empty() {
        dice.pick(&of_state).id.clone()
    } else if dice.chance(80) && !account.holds.is_empty() {
        dice.pick(&account.holds[account.holds.len().saturating_sub(20)..])
            .id
    } else {
        new_hold_id(dice)
    }
}
