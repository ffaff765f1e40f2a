//! The hot path can be read in one sitting: what a Reserve, Commit or Release runs through stays under a thousand lines.
//!
//! Counted is what a first call that succeeds runs through, from its handler over the executor and the Lua program back to its answer:
//! those functions, and what Lua says outside of functions, because it runs at every call. The reading stops at `DOORS`, each with its
//! reason. Counted twice: the short way (`lua/usual.lua`), and by the rules in full, which do what is not usual. Carriers between the
//! stations, which know nothing of credits (checking fields, packing and unpacking, the view of a hold),
//! are not counted.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, file, identifiers};

/// The most lines of code on the path, blank lines and comments not counted.
const LINES_MAX: usize = 1000;

/// The stations, in the order of a call: the path that the architecture page names.
const STATIONS: [&str; 14] = [
    "src/rpc/metering.rs",
    "src/holds/executor.rs",
    "src/holds/lua/prelude.lua",
    "src/holds/lua/batch.lua",
    "src/holds/lua/account.lua",
    "src/holds/lua/due.lua",
    "src/holds/lua/plan.lua",
    "src/holds/lua/reserve.lua",
    "src/holds/lua/commit.lua",
    "src/holds/lua/usual.lua",
    "src/holds/lua/moves.lua",
    "src/holds/lua/state.lua",
    "src/holds/reply.rs",
    "src/rpc/status.rs",
];

/// Where a call comes in.
const ROOTS: [&str; 8] = [
    "reserve",
    "commit",
    "release",
    "Executor::run",
    "V_RESERVE",
    "V_COMMIT",
    "V_RELEASE",
    "run",
];

/// Where a call leaves the path: file, function, and what must have happened.
const DOORS: [(&str, &str, &str); 33] = [
    (
        "rpc/metering.rs",
        "extend",
        "Vec::extend has the name of a verb",
    ),
    ("rpc/status.rs", "refused", "it was refused"),
    ("lua/account.lua", "refuse", "it was refused"),
    ("lua/reserve.lua", "refuse_limits", "it was refused"),
    (
        "rpc/status.rs",
        "status",
        "a module has the name of what makes a refusal",
    ),
    (
        "lua/account.lua",
        "load_account",
        "the account must be loaded from the ledger",
    ),
    (
        "holds/reply.rs",
        "with_more",
        "it was refused, or a renewal is due",
    ),
    ("lua/plan.lua", "plan_of", "the account has a plan"),
    ("lua/plan.lua", "beyond_plan", "the account has a plan"),
    (
        "lua/plan.lua",
        "caps",
        "something is capped: the functions that plan.lua adds to caps",
    ),
    ("lua/plan.lua", "turn_of", "a renewal is due"),
    ("lua/plan.lua", "take_turn", "a renewal is due"),
    ("lua/plan.lua", "renew", "a renewal is due"),
    ("lua/plan.lua", "read_list", "the account has a plan"),
    (
        "lua/account.lua",
        "unknown",
        "the ledger must be asked for a hold",
    ),
    ("lua/account.lua", "repeated", "it was sent before"),
    ("lua/reserve.lua", "made_before", "it was sent before"),
    ("lua/reserve.lua", "is_priced", "it is by usage"),
    ("lua/commit.lua", "at_its_price", "it is by usage"),
    (
        "lua/commit.lua",
        "settled_already",
        "it was sent before, or the hold has ended",
    ),
    ("lua/commit.lua", "commit_lost", "nobody knows the hold"),
    ("lua/commit.lua", "release_lost", "nobody knows the hold"),
    ("lua/commit.lua", "shrink", "it is a partial commit"),
    ("lua/account.lua", "record_op", "it is a partial commit"),
    ("lua/batch.lua", "retire", "a grant is over"),
    (
        "lua/batch.lua",
        "write_new_keys",
        "it is a grant or a refund",
    ),
    (
        "lua/batch.lua",
        "write_all_fields",
        "the account is new, or several holds have changed",
    ),
    ("lua/due.lua", "next_grant", "something is due"),
    ("lua/due.lua", "apply_all_due", "something is due"),
    ("lua/due.lua", "due_holds", "something is due"),
    ("lua/due.lua", "start_grant", "something is due"),
    ("lua/due.lua", "expire_grant", "something is due"),
    ("lua/due.lua", "expire_hold", "something is due"),
];

/// The short way leaves out the rules in full, and they leave out the short way.
const NOT_USUAL: [(&str, &str); 9] = [
    ("lua/reserve.lua", "V_RESERVE"),
    ("lua/commit.lua", "V_COMMIT"),
    ("lua/commit.lua", "V_RELEASE"),
    ("lua/account.lua", "find_account"),
    ("lua/due.lua", "apply_due"),
    ("lua/state.lua", "pack_account"),
    ("lua/batch.lua", "retire_grants"),
    ("lua/batch.lua", "write_fields"),
    ("lua/batch.lua", "write_hold"),
];
const SHORT: &str = "src/holds/lua/usual.lua";

/// A station's functions by name, and how many lines outside of them run at every call.
struct Station {
    path: &'static str,
    functions: BTreeMap<String, Vec<String>>,
    outside: usize,
}

/// The name of the function that a line starts, in Rust or Lua.
fn function(line: &str, lua: bool) -> Option<&str> {
    let words: Vec<_> = identifiers(line).map(|(_, word)| word).collect();
    if !lua {
        let before = ["pub", "const", "async", "super", "crate"];
        let at = words.iter().position(|word| !before.contains(word))?;
        return (words[at] == "fn")
            .then(|| words.get(at + 1).copied())
            .flatten();
    }
    match words[..] {
        ["local", "function", name, ..] if line.starts_with("local") => Some(name),
        ["function", "usual", name, ..] | ["function", name, ..]
            if line.starts_with("function") =>
        {
            Some(name)
        }
        ["verbs" | "usual", name, "function", ..] if line.contains("] = function(") => Some(name),
        _ => None,
    }
}

/// Formatted code ends a function at the indentation that it started with.
fn is_end(first: &str, line: &str, lua: bool) -> bool {
    let indentation = &first[..first.len() - first.trim_start().len()];
    line.strip_prefix(indentation) == Some(if lua { "end" } else { "}" })
}

fn station(path: &'static str) -> Station {
    let (source, lua): (Source, _) = (file(path), path.ends_with(".lua"));
    let mut station = Station {
        path,
        functions: BTreeMap::new(),
        outside: 0,
    };
    let mut open: Option<(String, Vec<String>)> = None;
    for (_, line) in source.code().filter(|(_, line)| !line.trim().is_empty()) {
        let line = line.trim_end();
        if let Some((name, mut body)) = open.take() {
            let ended = is_end(&body[0], line, lua);
            body.push(line.to_owned());
            if ended {
                station.functions.entry(name).or_default().extend(body);
            } else {
                open = Some((name, body));
            }
        } else if let Some(name) = function(line, lua) {
            let in_one_line = line.ends_with(if lua { " end" } else { "}" });
            if in_one_line {
                station
                    .functions
                    .entry(name.to_owned())
                    .or_default()
                    .push(line.to_owned());
            } else {
                open = Some((name.to_owned(), vec![line.to_owned()]));
            }
        } else {
            station.outside += usize::from(lua);
        }
    }
    assert!(open.is_none(), "{path}: a function without end: {open:?}");
    station
}

/// The functions that the roots reach, by their names alone.
fn reached(stations: &[&Station], short: bool) -> BTreeSet<(&'static str, String)> {
    let is_door = |path: &str, name: &str| {
        let left_out = NOT_USUAL
            .iter()
            .any(|(file, door)| path.ends_with(file) && *door == name);
        let door = DOORS
            .iter()
            .any(|(file, door, _)| path.ends_with(file) && *door == name);
        door || (short && left_out)
    };
    let (mut reached, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting: Vec<String> = ROOTS
        .iter()
        .map(|root| root.trim_start_matches("Executor::").to_owned())
        .collect();
    while let Some(name) = waiting.pop() {
        if !names.insert(name.clone()) {
            continue;
        }
        for station in stations
            .iter()
            .filter(|station| !is_door(station.path, &name))
        {
            let Some(body) = station.functions.get(&name) else {
                continue;
            };
            reached.insert((station.path, name.clone()));
            let said = body
                .iter()
                .flat_map(|line| identifiers(line))
                .map(|(_, word)| word.to_owned());
            // A verb is dispatched to by its number: those of the path are roots.
            waiting.extend(said.filter(|word| !word.starts_with("V_")));
        }
    }
    reached
}

#[test]
fn the_hot_path_is_under_a_thousand_lines() {
    let stations: Vec<Station> = STATIONS.into_iter().map(station).collect();
    for (path, door, _) in DOORS {
        let there = stations
            .iter()
            .any(|station| station.path.ends_with(path) && station.functions.contains_key(door));
        assert!(there, "the door {door} of {path} is gone: correct DOORS");
    }
    for (path, door) in NOT_USUAL {
        let there = stations
            .iter()
            .any(|station| station.path.ends_with(path) && station.functions.contains_key(door));
        assert!(there, "{door} of {path} is gone: correct NOT_USUAL");
    }
    for short in [false, true] {
        is_short_enough(&stations, short);
    }
}

fn is_short_enough(stations: &[Station], short: bool) {
    let stations: Vec<&Station> = stations
        .iter()
        .filter(|station| short || station.path != SHORT)
        .collect();
    let reached = reached(&stations, short);
    let lines = |station: &&Station| {
        let on_it = station
            .functions
            .iter()
            .filter(|(name, _)| reached.contains(&(station.path, (*name).clone())));
        station.outside + on_it.map(|(_, body)| body.len()).sum::<usize>()
    };
    let table: Vec<_> = stations
        .iter()
        .map(|station| format!("{:4} {}", lines(station), station.path))
        .collect();
    let total: usize = stations.iter().map(lines).sum();
    assert!(
        total < LINES_MAX,
        "the hot path has {total} lines, the bound is {LINES_MAX}:\n{}",
        table.join("\n")
    );
    println!("the hot path has {total} lines:\n{}", table.join("\n"));
    let names = |path: &str| {
        reached
            .iter()
            .filter(|(it, _)| it.ends_with(path))
            .map(|(_, name)| name.as_str())
            .collect::<Vec<_>>()
    };
    let last = if short {
        ("usual.lua", "finish")
    } else {
        ("moves.lua", "put")
    };
    for (path, name) in [
        ("metering.rs", "reserve"),
        ("executor.rs", "execute"),
        ("batch.lua", "write_account"),
        last,
    ] {
        assert!(
            names(path).contains(&name),
            "{name} of {path} is on the path: {:?}",
            names(path)
        );
    }
}
