//! The words of the business, pure: amounts, what an account is, what happened, and how that is posted.
//!
//! Owns the nouns that every other room shares and the posting rule. Does no input or output, knows neither Redis nor
//! Postgres nor gRPC, and imports nothing of ours.

/// A value in JSON as it shows itself, and read from that.
macro_rules! as_text {
    ($($of:ty)*) => {
        $(impl serde::Serialize for $of {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $of {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        })*
    };
}

pub mod account;
pub mod credits;
pub mod event;
pub mod grant;
pub mod hold;
pub mod plan;
pub mod posting;
pub mod subscription;
