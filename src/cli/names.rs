//! The words for the proto's enumerations, as the command line reads and shows them: `top-up`, `open`, `ledger`.

use crate::proto::{
    AccountState, Durability, GrantKind, GrantState, HoldState, LedgerAccount, Overage,
};

/// A value of one of the proto's enumerations.
pub trait Named: Copy {
    /// The proto's name and the prefix that all values of the enumeration share.
    fn proto_name(self) -> (&'static str, &'static str);

    /// Its word.
    fn word(self) -> String {
        let (name, prefix) = self.proto_name();
        let short = name.strip_prefix(prefix).unwrap_or(name);
        short.to_ascii_lowercase().replace('_', "-")
    }
}

macro_rules! named {
    ($($of:ty: $prefix:literal,)*) => {
        $(impl Named for $of {
            fn proto_name(self) -> (&'static str, &'static str) {
                (self.as_str_name(), $prefix)
            }
        })*
    };
}

named! {
    AccountState: "ACCOUNT_STATE_",
    Durability: "DURABILITY_",
    GrantKind: "GRANT_KIND_",
    GrantState: "GRANT_STATE_",
    HoldState: "HOLD_STATE_",
    LedgerAccount: "LEDGER_ACCOUNT_",
    Overage: "OVERAGE_",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_names_without_their_prefix() {
        assert_eq!(GrantKind::TopUp.word(), "top-up");
        assert_eq!(HoldState::Open.word(), "open");
        assert_eq!(AccountState::Suspended.word(), "suspended");
        assert_eq!(GrantState::Pending.word(), "pending");
        assert_eq!(Durability::Ledger.word(), "ledger");
        assert_eq!(LedgerAccount::Issued.word(), "issued");
        assert_eq!(Overage::Reject.word(), "reject");
    }
}
