//! The one Lua program, joined from `lua/` at compile time, and the form of its calls and answers.
//!
//! It is a Redis function, not a script: a script makes its hundred Lua functions anew in every call, which cost more than a reserve.

use std::sync::OnceLock;

use redis::{Cmd, Script, Value};

use super::{HoldsError, era::Era, executor::Limits, keys::Keys, operation::Operation};

/// In the order in which each needs those before it.
const SOURCE: &str = concat!(
    include_str!("lua/prelude.lua"),
    include_str!("lua/state.lua"),
    include_str!("lua/moves.lua"),
    include_str!("lua/due.lua"),
    include_str!("lua/account.lua"),
    include_str!("lua/grant.lua"),
    include_str!("lua/caps.lua"),
    include_str!("lua/plan.lua"),
    include_str!("lua/reserve.lua"),
    include_str!("lua/commit.lua"),
    include_str!("lua/refund.lua"),
    include_str!("lua/replay.lua"),
    include_str!("lua/usual.lua"),
    include_str!("lua/batch.lua"),
);

/// The program under a name made of its hash, which is its version: two releases work side by side.
pub struct Program {
    name: String,
    library: String,
}

/// What a batch answered.
pub enum BatchReply {
    /// Each operation has its answer.
    Done {
        /// Epoch and number of the last entry.
        position: (u64, u64),
        /// How far the ledger is.
        ledger_n: u64,
        /// Packed.
        replies: Vec<Vec<u8>>,
    },
    /// Nothing was done: these keys must be declared, too.
    Keys(Vec<String>),
    /// Nothing was done: the partition is at another epoch, or closed.
    Fenced {
        /// Redis' epoch.
        epoch: String,
        /// `1` if open.
        open: String,
    },
    /// Redis refused a write after others were made.
    CutShort(String),
    /// The program failed before its first write.
    Failed(String),
}

impl Program {
    /// The program of this build.
    pub fn get() -> &'static Self {
        static PROGRAM: OnceLock<Program> = OnceLock::new();
        PROGRAM.get_or_init(|| {
            let name = format!("hb_{}", Script::new(SOURCE).get_hash());
            let library = format!(
                "#!lua name={name}\n{SOURCE}\nredis.register_function('{name}', execute)\n"
            );
            Self { name, library }
        })
    }

    /// Loads it, also where another process has just done so.
    #[must_use]
    pub fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("FUNCTION");
        cmd.arg("LOAD").arg("REPLACE").arg(&self.library);
        cmd
    }

    /// The call of a batch.
    #[must_use]
    pub fn call(
        &self,
        keys: &Keys,
        era: &Era,
        limits: &Limits,
        operations: &[&Operation],
        asked: &[String],
    ) -> Cmd {
        let mut list = vec![keys.meta(), keys.log(), keys.due()];
        for operation in operations {
            list.extend(operation.keys(keys, &era.name()));
        }
        list.extend_from_slice(asked);
        let mut cmd = redis::cmd("FCALL");
        cmd.arg(&self.name)
            .arg(list.len())
            .arg(&list)
            .arg(era.epoch)
            .arg(&era.replication_id)
            .arg(era.name())
            .arg(&limits.settings)
            .arg(asked.len())
            .arg(u8::from(limits.replays));
        for operation in operations {
            cmd.arg(operation.pack(era.epoch));
        }
        cmd
    }
}

impl BatchReply {
    /// Reads what the program returned.
    pub fn read(value: Value) -> Result<Self, HoldsError> {
        let strange = |what: &str| HoldsError::Bug(format!("the program answered without {what}"));
        let Value::Array(parts) = value else {
            return Err(strange("a list"));
        };
        let mut parts = parts.into_iter();
        let mut text = || match parts.next() {
            Some(Value::BulkString(bytes)) => String::from_utf8(bytes).unwrap_or_default(),
            Some(Value::Int(number)) => number.to_string(),
            _ => String::new(),
        };
        match text().as_str() {
            "OK" => {
                let (epoch, n, ledger_n) = (text(), text(), text());
                let number = |text: String| text.parse().map_err(|_| strange("a position"));
                let Some(Value::Array(list)) = parts.next() else {
                    return Err(strange("answers"));
                };
                let replies = list.into_iter().map(|reply| match reply {
                    Value::BulkString(bytes) => Ok(bytes),
                    _ => Err(strange("an answer")),
                });
                let replies = replies.collect::<Result<_, _>>()?;
                Ok(Self::Done {
                    position: (number(epoch)?, number(n)?),
                    ledger_n: number(ledger_n)?,
                    replies,
                })
            }
            "KEYS" => {
                let keys = parts.next().ok_or_else(|| strange("keys"))?;
                redis::from_redis_value(keys)
                    .map(Self::Keys)
                    .map_err(|_| strange("keys"))
            }
            "FENCED" => Ok(Self::Fenced {
                epoch: text(),
                open: text(),
            }),
            "BROKEN" => Ok(Self::CutShort(text())),
            other => Ok(Self::Failed(format!("{other}: {}", text()))),
        }
    }
}
