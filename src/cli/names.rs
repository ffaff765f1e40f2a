//! The words for the proto's enumerations, as the command line reads and shows them: `top-up`, `open`, `ledger`.

use clap::{ValueEnum, builder::PossibleValue};

use crate::proto::{
    AccountState, BillKind, Durability, GrantKind, GrantState, HoldState, LedgerAccount, Overage,
    PaidBy, SubscriptionState,
};

/// A value of one of the proto's enumerations.
pub trait Named: Copy {
    /// Its word.
    fn word(self) -> &'static str;
}

/// The words of an enumeration and, after `choose`, the values that a caller may send.
macro_rules! named {
    ($($of:ident { $($value:ident $word:literal),* } choose [$($choice:ident),*])*) => {
        $(
            impl Named for $of {
                fn word(self) -> &'static str {
                    match self {
                        Self::Unspecified => "unspecified",
                        $(Self::$value => $word,)*
                    }
                }
            }

            impl ValueEnum for $of {
                fn value_variants<'a>() -> &'a [Self] {
                    &[$(Self::$choice),*]
                }

                fn to_possible_value(&self) -> Option<PossibleValue> {
                    Some(PossibleValue::new(self.word()))
                }
            }
        )*

        #[cfg(test)]
        const WORDS: &[(&str, &str)] = &[
            $($((stringify!($value), $word),)*)*
        ];
    };
}

named! {
    AccountState { Active "active", Suspended "suspended", Frozen "frozen", Closed "closed" }
        choose [Active, Suspended]
    Durability { Applied "applied", Ledger "ledger" }
        choose [Applied, Ledger]
    GrantKind { Promo "promo", Rollover "rollover", Allowance "allowance", TopUp "top-up", Refund "refund" }
        choose [Promo, Allowance, TopUp]
    GrantState { Pending "pending", Active "active", Expired "expired", Revoked "revoked", Closed "closed" }
        choose [Pending, Active, Expired, Revoked, Closed]
    HoldState { Open "open", Committed "committed", Released "released", Expired "expired" }
        choose [Open, Committed, Released, Expired]
    LedgerAccount {
        Issued "issued", Free "free", Held "held", Spent "spent", Debt "debt", Absorbed "absorbed", Breakage "breakage"
    } choose []
    BillKind { Period "period", Change "change", Refund "refund" } choose []
    PaidBy { Cycle "cycle", Year "year" } choose []
    SubscriptionState { Trial "trial", Active "active", Cancelled "cancelled", Ended "ended" } choose []
    Overage { Allow "allow", Reject "reject" }
        choose [Allow, Reject]
}

#[cfg(test)]
mod tests {
    use super::WORDS;

    #[test]
    fn every_word_is_the_value_s_own_name() {
        for (value, word) in WORDS {
            let spelled = word.replace('-', "");
            assert_eq!(
                value.to_ascii_lowercase(),
                spelled,
                "{value} is called {word}"
            );
        }
    }
}
