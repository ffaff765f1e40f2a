//! Numbers that Lua, Rust and the proto share are the same in all three.

use std::collections::BTreeMap;

use holdbook::{
    domain::{
        credits::Credits,
        event::MoveKind,
        grant::GrantKind,
        hold::{HoldRequest, HoldState, Method},
    },
    holds::operation::{
        Caller, GrantRequest, LevelChange, NEVER_IN_FORCE, NewAccount, Operation, Verb,
    },
    proto::{self, ErrorReason},
};

use super::source::file;

/// `local A, B = 1, 2` lines of a Lua file, from the line that starts with `from` on to the next empty one.
fn constants(path: &str, from: &str) -> BTreeMap<String, i32> {
    let source = file(path);
    let lines = source
        .text
        .lines()
        .skip_while(|line| !line.starts_with(from))
        .take_while(|line| !line.is_empty());
    let mut found = BTreeMap::new();
    for line in lines {
        let line = line.split("--").next().unwrap_or_default().trim();
        let Some((names, numbers)) = line
            .strip_prefix("local ")
            .and_then(|rest| rest.split_once(" = "))
        else {
            continue;
        };
        let numbers: Result<Vec<i32>, _> = numbers.split(", ").map(str::parse).collect();
        let names: Vec<_> = names.split(", ").collect();
        let numbers = numbers.unwrap_or_else(|_| panic!("{path}: not numbers: {line}"));
        assert_eq!(names.len(), numbers.len(), "{path}: {line}");
        found.extend(names.into_iter().map(str::to_owned).zip(numbers));
    }
    assert!(
        !found.is_empty(),
        "{path} has no constants from {from:?} on"
    );
    found
}

/// `ReturnJoin` as `RETURN_JOIN`.
fn upper_snake(name: &str) -> String {
    let mut text = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[test]
fn refusals_have_the_numbers_of_the_proto() {
    let refusals = constants("src/holds/lua/prelude.lua", "-- Refusals");
    assert!(refusals.len() >= 15, "{refusals:?}");
    for (name, number) in refusals {
        let reason = ErrorReason::from_str_name(&format!("ERROR_REASON_{name}"));
        assert_eq!(
            reason.map(|reason| reason as i32),
            Some(number),
            "prelude.lua: {name}"
        );
    }
}

#[test]
fn moves_have_the_numbers_of_the_domain() {
    let mut moves = constants("src/holds/lua/moves.lua", "local ISSUE");
    for kind in MoveKind::ALL {
        let name = upper_snake(&format!("{kind:?}"));
        assert_eq!(moves.remove(&name), Some(kind as i32), "moves.lua: {name}");
    }
    assert!(
        moves.is_empty(),
        "moves.lua has moves that the domain does not: {moves:?}"
    );
}

#[test]
fn states_have_the_numbers_of_the_domain_and_the_proto() {
    let states = constants("src/holds/lua/prelude.lua", "local OPEN");
    for state in HoldState::ALL {
        let name = state.name().to_uppercase();
        let on_the_wire =
            proto::HoldState::from_str_name(&format!("HOLD_STATE_{name}")).map(|it| it as i32);
        assert_eq!(
            (states.get(&name).copied(), on_the_wire),
            (Some(state as i32), Some(state as i32)),
            "{name}"
        );
    }
    for kind in GrantKind::ALL {
        let name = format!("GRANT_KIND_{}", upper_snake(&format!("{kind:?}")));
        let on_the_wire = proto::GrantKind::from_str_name(&name).map(|it| it as i32);
        assert_eq!(on_the_wire, Some(kind as i32), "{name}");
    }
}

/// What callers send: the verb's name in Lua, and one of each.
fn operations() -> Vec<(&'static str, Verb)> {
    let hold_id = || "h".to_owned();
    let request = |method| HoldRequest {
        method,
        amount: Credits::ZERO,
        usage: None,
        ttl: None,
        overage: None,
        max_commit: None,
        labels: Vec::new(),
    };
    let grant = GrantRequest {
        kind: GrantKind::Promo,
        priority: 5,
        non_refundable: false,
        amount: Credits::ZERO,
        starts_at: None,
        expires_at: None,
        expires_in: None,
        rollover: None,
        provider: String::new(),
        external_reference: String::new(),
        sent: Vec::new(),
        bought: false,
    };
    vec![
        (
            "V_CREATE",
            Verb::CreateAccount {
                overdraft_limit: None,
                credit_limit: None,
                max_open_holds: 0,
                given: NewAccount::default(),
            },
        ),
        (
            "V_UPDATE",
            Verb::UpdateAccount {
                overdraft_limit: None,
                credit_limit: None,
                max_open_holds: None,
                suspend: None,
                etag: String::new(),
            },
        ),
        ("V_CLOSE", Verb::CloseAccount),
        ("V_FREEZE", Verb::Freeze),
        ("V_UNFREEZE", Verb::Unfreeze),
        ("V_READ", Verb::Read),
        (
            "V_GRANT",
            Verb::Grant {
                grant_id: "g".into(),
                request: Box::new(grant),
            },
        ),
        (
            "V_REVOKE",
            Verb::Revoke {
                grant_id: "g".into(),
            },
        ),
        (
            "V_RESERVE",
            Verb::Reserve {
                hold_id: hold_id(),
                request: request(Method::Reserve),
                ttl: 1,
                validate_only: false,
                in_force: NEVER_IN_FORCE,
            },
        ),
        (
            "V_EXTEND",
            Verb::Extend {
                hold_id: hold_id(),
                extend_id: "e".into(),
                ttl: 1,
                amount: None,
                in_force: NEVER_IN_FORCE,
            },
        ),
        (
            "V_COMMIT",
            Verb::Commit {
                hold_id: hold_id(),
                amount: None,
                usage: None,
                last: true,
                commit_id: String::new(),
                in_force: NEVER_IN_FORCE,
            },
        ),
        ("V_RELEASE", Verb::Release { hold_id: hold_id() }),
        (
            "V_CHARGE",
            Verb::Charge {
                hold_id: hold_id(),
                request: request(Method::Charge),
                in_force: NEVER_IN_FORCE,
            },
        ),
        (
            "V_REFUND",
            Verb::Refund {
                hold_id: hold_id(),
                refund_id: "r".into(),
                amount: Credits::ZERO,
            },
        ),
        (
            "V_PLAN",
            Verb::Subscription {
                order: String::new(),
            },
        ),
        ("V_BALANCE", Verb::Balance),
        (
            "V_LEVEL",
            Verb::Level {
                level_id: "~level:l".into(),
                capacity: "storage".into(),
                change: LevelChange::To(0),
                most: None,
                unknown: false,
            },
        ),
        ("V_HOLD", Verb::GetHold { hold_id: hold_id() }),
    ]
}

/// What Redis tells: the verb's name in Lua, and the fact that it is read as.
const EVENTS: [(&str, &str); 18] = [
    ("V_CREATE", "AccountCreated"),
    ("V_UPDATE", "AccountUpdated"),
    ("V_CLOSE", "AccountClosed"),
    ("V_FREEZE", "AccountFrozen"),
    ("V_UNFREEZE", "AccountUnfrozen"),
    ("V_GRANT", "Grant"),
    ("V_GRANT_STARTED", "GrantStarted"),
    ("V_GRANT_EXPIRED", "GrantExpired"),
    ("V_REVOKE", "Revoke"),
    ("V_RESERVE", "Reserve"),
    ("V_EXTEND", "Extend"),
    ("V_COMMIT", "Commit"),
    ("V_RELEASE", "Release"),
    ("V_HOLD_EXPIRED", "HoldExpired"),
    ("V_CHARGE", "Charge"),
    ("V_REFUND", "Refund"),
    ("V_PLAN", "Subscription"),
    ("V_LEVEL", "LevelChanged"),
];

#[test]
fn verbs_have_the_same_numbers_in_lua_and_in_rust() {
    let verbs = constants("src/holds/lua/prelude.lua", "local V_CREATE");
    let mut seen: Vec<&str> = Vec::new();
    for (name, verb) in operations() {
        let operation = Operation {
            account: "a".into(),
            verb,
            caller: Caller::default(),
            remembered: None,
            loaded: Vec::new(),
            step: Vec::new(),
            replay: None,
        };
        let number = operation.pack(0).first().map(|byte| i32::from(*byte));
        assert_eq!(number, verbs.get(name).copied(), "{name}");
        seen.push(name);
    }
    let read = event_numbers();
    for (name, fact) in EVENTS {
        assert_eq!(read.get(fact), verbs.get(name), "{name} is read as {fact}");
        seen.push(name);
    }
    assert_eq!(read.len(), EVENTS.len(), "{read:?}");
    let unknown: Vec<_> = verbs
        .keys()
        .filter(|name| !seen.contains(&name.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "verbs of prelude.lua that this test does not know: {unknown:?}"
    );
}

/// The arms `NUMBER => Fact::NAME` of holds/packed/event.rs.
fn event_numbers() -> BTreeMap<String, i32> {
    let source = file("src/holds/packed/event.rs");
    let constant = |name: &str| {
        let line = source
            .text
            .lines()
            .find(|line| line.starts_with(&format!("const {name}: u8 = ")))?;
        line.rsplit_once(' ')?.1.trim_end_matches(';').parse().ok()
    };
    let arms = source
        .code()
        .filter_map(|(_, line)| line.trim().split_once(" => Fact::"));
    arms.map(|(number, fact)| {
        let name: String = fact
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let number = number.parse().ok().or_else(|| constant(number));
        (
            name,
            number.unwrap_or_else(|| panic!("event.rs: the number of {fact}")),
        )
    })
    .collect()
}
