//! The answers of the mutating calls and of single reads as records, in the order in which a person reads them.

use super::{
    nouns::{account, amounts, balance, change, grant, hold, kinds, levels, subscription},
    record::{Record, Value},
};
use crate::proto::{
    CancelResponse, CancelScheduledChangeResponse, ChangeLevelResponse, ChangePlanResponse,
    ChargeResponse, CloseAccountResponse, CommitResponse, CreateAccountResponse, ExtendResponse,
    GetAccountResponse, GetBalanceResponse, GetHoldResponse, GetSubscriptionResponse,
    GrantCreditsResponse, PurchaseCreditsResponse, RecordPaymentResponse, RefundResponse,
    RefundSubscriptionResponse, ReleaseResponse, ReserveResponse, ResumeResponse,
    RevokeGrantResponse, SubscribeResponse, UpdateAccountResponse,
};

/// `Answer => name: value, ...` as the record of these values.
macro_rules! records {
    ($($of:ident($answer:ident) => { $($name:ident: $value:expr,)* })*) => {
        $(impl From<$of> for Record {
            fn from($answer: $of) -> Self {
                Self::of([$((stringify!($name), $value)),*])
            }
        })*
    };
}

records! {
    CreateAccountResponse(answer) => {
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        account: account(answer.account),
        balance: balance(answer.balance),
    }
    GetAccountResponse(answer) => {
        account: account(answer.account),
        balance: balance(answer.balance),
    }
    UpdateAccountResponse(answer) => {
        durability: Value::word(answer.durability()),
        account: account(answer.account),
        balance: balance(answer.balance),
    }
    CloseAccountResponse(answer) => {
        breakage: Value::credits(&answer.breakage),
        lapsed: Value::credits(&answer.lapsed),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        account: account(answer.account),
        balance: balance(answer.balance),
    }
    GetBalanceResponse(answer) => {
        balance: balance(answer.balance),
        kinds: kinds(&answer.kinds),
        levels: levels(&answer.levels),
    }
    ChangeLevelResponse(answer) => {
        level: Value::credits(&answer.level),
        before: Value::credits(&answer.before),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
    }
    PurchaseCreditsResponse(answer) => {
        amount: Value::credits(&answer.amount),
        price: Value::credits(&answer.price),
        settled: Value::credits(&answer.settled),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        grant: grant(answer.grant),
        balance: balance(answer.balance),
    }
    GetSubscriptionResponse(answer) => {
        subscription: subscription(answer.subscription),
    }
    GrantCreditsResponse(answer) => {
        settled: Value::credits(&answer.settled),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        grant: grant(answer.grant),
        balance: balance(answer.balance),
    }
    RevokeGrantResponse(answer) => {
        revoked: Value::credits(&answer.revoked),
        outstanding: Value::credits(&answer.outstanding),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        balance: balance(answer.balance),
    }
    ReserveResponse(answer) => {
        promised: Value::credits(&answer.promised),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        hold: hold(answer.hold),
        pinned: amounts(&answer.pinned),
        balance: balance(answer.balance),
    }
    ExtendResponse(answer) => {
        promised: Value::credits(&answer.promised),
        expires_at: Value::instant(answer.expires_at),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        hold: hold(answer.hold),
        pinned: amounts(&answer.pinned),
        balance: balance(answer.balance),
    }
    CommitResponse(answer) => {
        charged: Value::credits(&answer.charged),
        overdrawn: Value::credits(&answer.overdrawn),
        absorbed: Value::credits(&answer.absorbed),
        released: Value::credits(&answer.released),
        late: Value::Flag(answer.late),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        charged_by_grant: amounts(&answer.charged_by_grant),
        hold: hold(answer.hold),
        balance: balance(answer.balance),
    }
    ReleaseResponse(answer) => {
        released: Value::credits(&answer.released),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        hold: hold(answer.hold),
        balance: balance(answer.balance),
    }
    ChargeResponse(answer) => {
        charged: Value::credits(&answer.charged),
        overdrawn: Value::credits(&answer.overdrawn),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        charged_by_grant: amounts(&answer.charged_by_grant),
        hold: hold(answer.hold),
        balance: balance(answer.balance),
    }
    RefundResponse(answer) => {
        debt_reduced: Value::credits(&answer.debt_reduced),
        replayed: Value::Flag(answer.replayed),
        durability: Value::word(answer.durability()),
        refunded_to: amounts(&answer.refunded_to),
        hold: hold(answer.hold),
        balance: balance(answer.balance),
    }
    GetHoldResponse(answer) => {
        hold: hold(answer.hold),
        pinned: amounts(&answer.pinned),
        balance: balance(answer.balance),
    }
}

/// The answers of all calls on a subscription have one form.
macro_rules! subscriptions {
    ($($of:ident)*) => {
        $(impl From<$of> for Record {
            fn from(answer: $of) -> Self {
                Self::of([
                    ("replayed", Value::Flag(answer.replayed)),
                    ("durability", Value::word(answer.durability())),
                    ("change", change(answer.change)),
                    ("subscription", subscription(answer.subscription)),
                    ("balance", balance(answer.balance)),
                ])
            }
        })*
    };
}

subscriptions! {
    SubscribeResponse ChangePlanResponse CancelScheduledChangeResponse CancelResponse ResumeResponse RecordPaymentResponse
    RefundSubscriptionResponse
}
