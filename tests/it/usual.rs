//! The program has a short way for the usual reserve, commit and release. It must do what the rules in full do: two Redis servers get the
//! same calls, one of them with a program that has no short way, and every answer and every byte is compared.

use std::{io::Write, net::TcpStream, sync::Arc};

use holdbook::{
    dev::RedisServer,
    domain::{
        credits::Credits,
        grant::{GrantKind, Rollover},
        hold::{HoldRequest, Method, Overage, Usage},
    },
    holds::{
        Era, Holds, Options, Settings, Writer, load,
        operation::{
            Caller, GrantRequest, InForce, NEVER_IN_FORCE, NewAccount, Operation, Remembered, Verb,
        },
    },
};
use redis::Value;

use crate::{model::Dice, support};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// In the year 2023.
const START: i64 = 1_700_000_000 * SECOND;
const EPOCH: u64 = 5;
const ACCOUNTS: u64 = 6;
/// What is compared in the end is compared so often on the way.
const LOOK_AFTER: usize = 40;
/// Where the short way is taken.
const SHORT: &str = "local answered = briefly and briefly(op)";

/// One of the two servers.
struct Side {
    redis: RedisServer,
    holds: Holds,
    stream: TcpStream,
    parser: redis::Parser,
}

impl Side {
    /// A partition that is open on a server of its own, and the program with `with` in place of [`SHORT`].
    async fn open(with: &str) -> Self {
        let redis = support::redis().await;
        let holds = Holds::new(Options {
            url: redis.url(),
            partitions: 1,
            settings: Settings {
                repeat_window: 24 * HOUR,
                late_commit_window: 24 * HOUR,
                refund_ttl: 720 * HOUR,
                max_lifetime: 168 * HOUR,
                backlog_soft: 1_000_000,
                backlog_hard: 2_000_000,
            },
            batch_max: 16,
            queue_max: 64,
            observe_batch: Arc::new(|_| {}),
        })
        .expect("a URL");
        let server = holds.server(0).await.expect("Redis answers");
        let era = Era {
            epoch: EPOCH,
            replication_id: server.replication_id,
        };
        assert!(holds.fence(0, &era, "test").await.expect("Redis answers"));
        let opened = holds.open(0, &era, "0-0", Some(START), None).await;
        assert!(opened.expect("Redis answers"));
        assert!(holds.admit(0, &era).await.expect("Redis answers"));
        holds.set_era(0, era);
        // The first call loads the program.
        let read = operation("nobody", Verb::Read);
        holds.run(read).await.expect("Redis answers");
        let address = redis.url();
        let address = address.trim_start_matches("redis://");
        let stream = TcpStream::connect(address.trim_end_matches('/')).expect("Redis listens");
        let parser = redis::Parser::new();
        let mut side = Self {
            redis,
            holds,
            stream,
            parser,
        };
        let listed = side.ask(&["FUNCTION", "LIST", "WITHCODE"]);
        let code = texts(&listed)
            .into_iter()
            .find(|text| text.starts_with("#!lua"));
        let code = code.expect("the program");
        assert_eq!(code.matches(SHORT).count(), 1, "the short way has moved");
        side.ask(&["FUNCTION", "LOAD", "REPLACE", &code.replace(SHORT, with)]);
        side
    }

    fn send(&mut self, bytes: &[u8]) -> Value {
        self.stream.write_all(bytes).expect("Redis reads");
        let answer = self.parser.parse_value(&mut self.stream);
        answer.expect("Redis answers")
    }

    /// As after a loss: all accounts are of this era but one, which may be of an older one; or it asks for what ended before.
    fn set_back(&mut self, (account, era, asks): &(String, &str, Option<i64>)) {
        for number in 0..ACCOUNTS {
            let key = format!("hb:{{0.0}}:a:account-{number}");
            if self.ask(&["EXISTS", &key]) == Value::Int(1) {
                self.ask(&["HSET", &key, "e", if key == *account { era } else { "5" }]);
            }
        }
        if let (Some(until_when), Value::BulkString(mut state)) =
            (asks, self.ask(&["HGET", account, "s"]))
            && state[0] == 3
        {
            state[0] = 4;
            let mut until = Writer::default();
            until.int(7, *until_when);
            state.extend(until.0);
            let mut set = redis::cmd("HSET");
            set.arg(account).arg("s").arg(state);
            self.send(&set.get_packed_command());
        }
    }

    fn ask(&mut self, command: &[&str]) -> Value {
        let (name, arguments) = command.split_first().expect("a command");
        let bytes = redis::cmd(name).arg(arguments).get_packed_command();
        self.send(&bytes)
    }

    /// Runs a batch, with the keys that the program asks for.
    fn run(&mut self, operations: &[Operation]) -> Value {
        let mut asked = Vec::new();
        loop {
            let call = self.holds.packed_call(0, operations, &asked);
            let answer = self.send(&call);
            match &answer {
                Value::Array(parts) if texts(&parts[0]) == ["KEYS"] => {
                    asked.extend(texts(&parts[1]));
                }
                _ => return answer,
            }
        }
    }

    /// The newest of the stream. In what order it says what was spent under which label, Lua does not say: by the bytes alone.
    fn entry(&mut self) -> Vec<Vec<u8>> {
        let newest = ["XREVRANGE", "hb:{0.0}:log", "+", "-", "COUNT", "1"];
        let mut parts = texts_raw(&self.ask(&newest));
        if let Some(spent) = parts.iter().position(|part| part == b"u") {
            parts[spent + 1].sort_unstable();
        }
        parts
    }

    /// Everything that Redis keeps now, but for which server it is.
    fn everything(&mut self) -> Vec<(String, Value)> {
        let mut keys = texts(&self.ask(&["KEYS", "*"]));
        keys.retain(|key| key != "hits");
        keys.sort();
        let mut all = Vec::new();
        for key in keys {
            let kind = match self.ask(&["TYPE", &key]) {
                Value::SimpleString(kind) => kind,
                other => panic!("{other:?}"),
            };
            let value = match kind.as_str() {
                "hash" => {
                    let fields = texts_raw(&self.ask(&["HGETALL", &key]));
                    let mut fields: Vec<_> = fields.chunks(2).map(<[_]>::to_vec).collect();
                    fields.retain(|field| field[0] != b"replid");
                    fields.sort();
                    let fields = fields.concat().into_iter().map(Value::BulkString);
                    Value::Array(fields.collect())
                }
                "string" => self.ask(&["GET", &key]),
                "zset" => self.ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
                "stream" => Value::Nil,
                other => panic!("a {other}"),
            };
            all.push((key, value));
        }
        all
    }
}

fn texts_raw(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => vec![bytes.clone()],
        Value::Array(values) => values.iter().flat_map(texts_raw).collect(),
        _ => Vec::new(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    texts_raw(value).into_iter().map(lossy).collect()
}

fn operation(account: &str, verb: Verb) -> Operation {
    Operation {
        account: account.to_owned(),
        verb,
        caller: Caller {
            actor: "test".to_owned(),
            traceparent: String::new(),
        },
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    }
}

/// What comes next: few accounts, few holds, small amounts, so that they meet.
struct Story {
    dice: Dice,
    now: i64,
    /// By account: holds named so far, grants, and the revision of its plan.
    told: Vec<(u64, u64, i64)>,
}

impl Story {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed, 0),
            now: START,
            told: vec![(0, 0, 0); ACCOUNTS as usize],
        }
    }

    /// Each account is made once.
    fn beginning() -> Vec<Operation> {
        let absent = load::pack((EPOCH, 0), None).expect("nothing to pack");
        let make = |number| {
            let verb = Verb::CreateAccount {
                overdraft_limit: Some(credits(5)),
                credit_limit: Some(credits(if number % 3 == 0 { 4 } else { 0 })),
                max_open_holds: if number == 1 { 4 } else { 0 },
                given: NewAccount::default(),
            };
            Operation {
                loaded: absent.clone(),
                ..operation(&format!("account-{number}"), verb)
            }
        };
        (0..ACCOUNTS).map(make).collect()
    }

    fn batch(&mut self) -> Vec<Operation> {
        let count = self.dice.weighted(&[(60, 1), (25, 2), (15, 8)]);
        (0..count).map(|_| self.one()).collect()
    }

    /// A change of a plan is of the one that there is.
    fn see(&mut self, side: &mut Side) {
        for (number, told) in self.told.iter_mut().enumerate() {
            let key = format!("hb:{{0.0}}:a:account-{number}");
            told.2 = match side.ask(&["HGET", &key, "l"]) {
                Value::BulkString(plan) => plan[..4]
                    .iter()
                    .fold(0, |n, byte| n * 256 + i64::from(*byte)),
                _ => 0,
            };
        }
    }

    /// An account, and the era that it is of now; it may ask the ledger for a while.
    fn era(&mut self) -> (String, &'static str, Option<i64>) {
        let account = format!("hb:{{0.0}}:a:account-{}", self.dice.below(ACCOUNTS));
        let era = self.dice.weighted(&[(95, "5"), (5, "4")]);
        let asks = self.dice.chance(4).then_some(self.now + 20 * SECOND);
        (account, era, asks)
    }

    /// Now and then time goes on; sometimes far, so that holds and grants end; and back, as a server's clock may.
    fn moves_on(&mut self) -> bool {
        let span = self.dice.weighted(&[
            (60, 0),
            (24, SECOND),
            (6, -20 * SECOND),
            (8, HOUR),
            (2, 30 * HOUR),
        ]);
        self.now += span;
        span != 0
    }

    fn amount(&mut self) -> Credits {
        let whole = self.dice.pick(&[0, 1, 1, 1, 2, 2, 3, 5, 13]);
        credits(whole)
    }

    fn one(&mut self) -> Operation {
        let at = self.dice.below(ACCOUNTS) as usize;
        let account = format!("account-{at}");
        let old = self.told[at].0.saturating_sub(self.dice.below(3));
        let hold_id = format!("hold-{old}");
        let kind = self.dice.weighted(&[
            (40, "reserve"),
            (30, "commit"),
            (16, "release"),
            (3, "extend"),
            (4, "charge"),
            (4, "refund"),
            (9, "grant"),
            (4, "revoke"),
            (2, "update"),
            (2, "freeze"),
            (2, "plan"),
            (2, "read"),
        ]);
        let mut made = operation(&account, Verb::Read);
        // Of a grant the ledger is always asked.
        if kind == "grant" || kind == "revoke" || self.dice.chance(15) {
            made.remembered = Some(Remembered {
                epoch: EPOCH,
                hold: self.forgotten(),
                ..Remembered::default()
            });
        }
        if self.dice.chance(5) {
            made.caller.traceparent =
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
        }
        made.verb = match kind {
            "reserve" | "charge" => {
                let hold_id = if self.dice.chance(80) {
                    self.told[at].0 += 1;
                    format!("hold-{}", self.told[at].0)
                } else {
                    hold_id
                };
                self.making(kind, hold_id)
            }
            "commit" => self.commit(hold_id),
            "release" => Verb::Release { hold_id },
            "extend" => Verb::Extend {
                hold_id,
                extend_id: format!("extend-{}", self.dice.below(3)),
                ttl: HOUR,
                amount: Some(self.amount()).filter(|_| self.dice.chance(60)),
                in_force: self.in_force(),
            },
            "refund" => Verb::Refund {
                hold_id,
                refund_id: format!("refund-{}", self.dice.below(3)),
                amount: credits(1),
            },
            "grant" => self.grant(at),
            "revoke" => Verb::Revoke {
                grant_id: format!("grant-{}", self.dice.below(self.told[at].1 + 1)),
            },
            "update" => Verb::UpdateAccount {
                overdraft_limit: None,
                credit_limit: None,
                max_open_holds: Some(self.dice.pick(&[0, 3, 6])),
                suspend: Some(self.dice.chance(15)),
                etag: String::new(),
            },
            "freeze" if self.dice.chance(25) => Verb::Freeze,
            "freeze" => Verb::Unfreeze,
            "plan" => {
                made.step = self.step(at);
                let order = "a change".to_owned();
                Verb::Subscription { order }
            }
            _ => Verb::Balance,
        };
        made
    }

    /// Mostly nothing; or a hold that was released long ago.
    fn forgotten(&mut self) -> Vec<u8> {
        let mut w = Writer::default();
        if self.dice.chance(30) {
            let mut sent = Writer::default();
            sent.byte(10).int(7, SECOND).int(6, -1).byte(0).int(7, -1);
            w.byte(3).byte(0).int(5, 1).int(7, self.now - 2 * HOUR);
            w.int(6, HOUR).int(6, HOUR).blob(&sent.0);
            w.byte(0).blob(b"").byte(0);
        }
        w.0
    }

    fn usage(&mut self) -> Option<Usage> {
        self.dice.chance(25).then(|| Usage {
            digest: [7; 16],
            version: self.dice.pick(&[1, 1, 1, 2]),
            text: *b"text",
        })
    }

    /// Mostly without needs; of a usage mostly in force.
    fn in_force(&mut self) -> InForce {
        let need = if self.dice.chance(70) {
            Vec::new()
        } else {
            // A reason of the catalog's; at most two open holds or any number; feature, level and cap: now and then.
            let mut w = Writer::default();
            w.text(self.dice.pick(&["", "", "", "\u{1b}"]));
            w.int(4, self.dice.pick(&[0, 2])).int(7, 30 * SECOND);
            w.byte(u8::from(self.dice.chance(30)));
            let feature = self.dice.pick(&["", "", "editor", "studio"]);
            w.byte(u8::from(!feature.is_empty()));
            if !feature.is_empty() {
                w.text(feature);
            }
            w.byte(0);
            let level = self.dice.chance(20);
            w.byte(u8::from(level));
            if level {
                w.text("storage").int(7, 0);
            }
            if self.dice.chance(15) {
                w.byte(1).text("").int(7, -1).int(7, 60 * SECOND).int(7, -1);
            } else {
                w.byte(0);
            }
            w.0
        };
        InForce {
            from: if self.dice.chance(95) {
                0
            } else {
                i64::MAX >> 11
            },
            until: if self.dice.chance(80) {
                i64::MAX >> 10
            } else {
                self.now + 10 * SECOND
            },
            need,
        }
    }

    fn making(&mut self, kind: &str, hold_id: String) -> Verb {
        let reserves = kind == "reserve";
        let request = HoldRequest {
            method: if reserves {
                Method::Reserve
            } else {
                Method::Charge
            },
            amount: self.amount(),
            usage: self.usage(),
            ttl: None,
            overage: self.dice.pick(&[
                None,
                None,
                None,
                Some(Overage::Allow),
                Some(Overage::Reject),
            ]),
            max_commit: Some(credits(2)).filter(|_| self.dice.chance(25)),
            labels: if self.dice.chance(50) {
                vec![("project".into(), "film".into())]
            } else {
                Vec::new()
            },
        };
        let in_force = self.in_force();
        if !reserves {
            return Verb::Charge {
                hold_id,
                request,
                in_force,
            };
        }
        Verb::Reserve {
            hold_id,
            request,
            ttl: self.dice.pick(&[60 * SECOND, HOUR, 100 * HOUR]),
            validate_only: self.dice.chance(5),
            in_force,
        }
    }

    fn commit(&mut self, hold_id: String) -> Verb {
        let last = self.dice.chance(92);
        let amount = if self.dice.chance(15) {
            credits(40)
        } else {
            self.amount()
        };
        Verb::Commit {
            hold_id,
            amount: Some(amount).filter(|_| self.dice.chance(60)),
            usage: self.usage(),
            last,
            commit_id: if last && self.dice.chance(80) {
                String::new()
            } else {
                format!("commit-{}", self.dice.below(3))
            },
            in_force: self.in_force(),
        }
    }

    fn grant(&mut self, at: usize) -> Verb {
        let amounts: &[i64] = if at < 3 {
            &[1, 2, 3, 3, 10, 40]
        } else {
            &[1, 1, 1, 2, 2, 3]
        };
        let amount = credits(self.dice.pick(amounts));
        self.grant_of(at, amount)
    }

    fn grant_of(&mut self, at: usize, amount: Credits) -> Verb {
        self.told[at].1 += 1;
        let grant_id = format!("grant-{}", self.told[at].1);
        let rolls = self.dice.chance(15);
        let request = GrantRequest {
            kind: self
                .dice
                .pick(&[GrantKind::Promo, GrantKind::Allowance, GrantKind::TopUp]),
            priority: self.dice.pick(&[5, 10, 10, 10, 100]),
            non_refundable: self.dice.chance(5),
            amount,
            starts_at: Some(self.now + HOUR).filter(|_| self.dice.chance(10)),
            expires_at: None,
            expires_in: Some(20 * HOUR).filter(|_| rolls || self.dice.chance(30)),
            rollover: rolls.then_some(Rollover {
                duration: 100 * HOUR,
                cap: Some(credits(4)),
            }),
            provider: String::new(),
            external_reference: String::new(),
            sent: grant_id.clone().into_bytes(),
            bought: false,
        };
        Verb::Grant {
            grant_id,
            request: Box::new(request),
        }
    }

    /// Another plan, as a call asks for it: with few open holds or any number, with caps or without.
    fn step(&mut self, at: usize) -> Vec<u8> {
        let (capped, rejects) = (self.dice.chance(25), self.dice.chance(30));
        let was = self.told[at].2;
        let mut limits = Writer::default();
        limits.int(4, was + 1).int(7, i64::MAX >> 10);
        let holds = u8::from(self.dice.chance(70));
        limits.byte(holds + 4 * u8::from(capped) + 8 * u8::from(rejects));
        limits.int(4, self.dice.pick(&[0, 5, 50])).int(7, 0);
        limits.byte(1).text("editor").byte(0);
        limits
            .byte(1)
            .text("storage")
            .int(7, self.dice.pick(&[0, 9]));
        if capped {
            limits.byte(1).text("project").int(7, -1);
            limits.int(7, 90 * SECOND).int(7, -1);
        }
        let mut step = Writer::default();
        step.int(4, was)
            .byte(3)
            .blob(&limits.0)
            .blob(b"{}")
            .blob(b"");
        step.int(7, self.now).byte(0);
        step.0
    }
}

/// As the shortest call makes it.
fn plain_reserve(hold_id: &str, whole: i64) -> Operation {
    let verb = Verb::Reserve {
        hold_id: hold_id.into(),
        request: HoldRequest {
            method: Method::Reserve,
            amount: credits(whole),
            usage: None,
            ttl: None,
            overage: None,
            max_commit: None,
            labels: Vec::new(),
        },
        ttl: HOUR,
        validate_only: false,
        in_force: NEVER_IN_FORCE,
    };
    operation("account-1", verb)
}

fn plain_commit(hold_id: &str, whole: i64) -> Operation {
    let verb = Verb::Commit {
        hold_id: hold_id.into(),
        amount: Some(credits(whole)),
        usage: None,
        last: true,
        commit_id: String::new(),
        in_force: NEVER_IN_FORCE,
    };
    operation("account-1", verb)
}

fn credits(whole: i64) -> Credits {
    Credits::parse(&whole.to_string()).expect("an amount")
}

fn from_env(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().filter(|text| !text.is_empty());
    set.map_or(default, |text| text.parse().expect(name))
}

fn same(short: &mut Side, full: &mut Side, after: &str) {
    let (short, full) = (short.everything(), full.everything());
    assert_eq!(short.len(), full.len(), "after {after}");
    for (short, full) in short.iter().zip(&full) {
        assert_eq!(short, full, "after {after}");
    }
}

/// `STEPS` batches, by `SEED`.
#[tokio::test(flavor = "multi_thread")]
async fn the_short_way_does_what_the_rules_in_full_do() {
    let (steps, seed) = (from_env("STEPS", 3000), from_env("SEED", 1));
    let counted = format!("{SHORT} if answered then redis.call('HINCRBY', 'hits', op.verb, 1) end");
    let (mut short, mut full) = (
        Side::open(&counted).await,
        Side::open("local answered").await,
    );
    let mut story = Story::new(seed);
    let mut next = Story::beginning();
    for step in 0..steps as usize {
        story.see(&mut short);
        let era = story.era();
        for side in [&mut short, &mut full] {
            side.set_back(&era);
        }
        let answers = (short.run(&next), full.run(&next));
        let batch = format!("batch {step} of seed {seed}: {next:#?}");
        assert!(
            texts(&answers.1).iter().any(|text| text == "OK"),
            "{:?} {batch}",
            answers.1
        );
        assert_eq!(answers.0, answers.1, "{batch}");
        assert_eq!(short.entry(), full.entry(), "{batch}");
        if step % LOOK_AFTER == 0 {
            same(&mut short, &mut full, &batch);
        }
        if story.moves_on() {
            for side in [&mut short, &mut full] {
                side.ask(&["HSET", "hb:{0.0}:meta", "clock", &story.now.to_string()]);
            }
        }
        next = story.batch();
    }
    same(&mut short, &mut full, "all of it");
    let hits = texts(&short.ask(&["HGETALL", "hits"]));
    for hits in hits.chunks(2) {
        let (verb, count): (u8, u64) = (
            hits[0].parse().expect("a number"),
            hits[1].parse().expect("a number"),
        );
        assert!(
            count * 500 > steps,
            "verb {verb} went the short way {count} times of {steps} batches"
        );
    }
    assert_eq!(hits.len(), 6, "{hits:?}");
    for mut side in [short, full] {
        side.redis.stop().await.expect("it stops");
    }
}

/// What random calls seldom come to: what comes back settles a debt; the grant of a pin was revoked.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_goes_where_the_rules_say() {
    let grant = |story: &mut Story| Operation {
        remembered: Some(Remembered {
            epoch: EPOCH,
            ..Remembered::default()
        }),
        ..operation("account-1", story.grant_of(1, credits(3)))
    };
    let revoke = Operation {
        remembered: Some(Remembered {
            epoch: EPOCH,
            grant: (1, false),
            ..Remembered::default()
        }),
        ..operation(
            "account-1",
            Verb::Revoke {
                grant_id: "grant-1".into(),
            },
        )
    };
    let release = operation(
        "account-1",
        Verb::Release {
            hold_id: "a".into(),
        },
    );
    let (reserve_a, reserve_b) = (plain_reserve("a", 2), plain_reserve("b", 1));
    let stories = [
        vec![
            reserve_a.clone(),
            reserve_b,
            plain_commit("b", 5),
            release.clone(),
        ],
        vec![reserve_a.clone(), revoke.clone(), release],
        vec![reserve_a, revoke, plain_commit("a", 1)],
    ];
    for told in stories {
        let (mut short, mut full) = (Side::open(SHORT).await, Side::open("local answered").await);
        let mut calls = vec![Story::beginning().remove(1), grant(&mut Story::new(1))];
        calls.extend(told);
        for call in calls {
            let call = [call];
            let (answer, same) = (short.run(&call), full.run(&call));
            assert_eq!(answer, same, "{call:#?}");
            assert!(texts(&answer).iter().any(|text| text == "OK"), "{answer:?}");
            assert_eq!(short.entry(), full.entry(), "{call:#?}");
        }
        same(&mut short, &mut full, "all of it");
        for mut side in [short, full] {
            side.redis.stop().await.expect("it stops");
        }
    }
}

/// Or the comparison would compare the same with the same. 10, 12 and 13 are the program's numbers of the three.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_takes_the_short_way() {
    for (number, name) in [(10, "reserve"), (12, "commit"), (13, "release")] {
        let fails = format!("{SHORT} if answered and op.verb == {number} then error('short') end");
        let mut side = Side::open(&fails).await;
        let mut story = Story::new(1);
        let mut run = |operation| {
            let answer = side.run(&[operation]);
            texts(&answer).concat().contains("short")
        };
        assert!(!run(Story::beginning().remove(1)));
        let mut granted = operation("account-1", story.grant_of(1, credits(3)));
        granted.remembered = Some(Remembered {
            epoch: EPOCH,
            ..Remembered::default()
        });
        assert!(!run(granted));
        assert_eq!(run(plain_reserve("a", 2)), name == "reserve");
        let end = match name {
            "release" => operation(
                "account-1",
                Verb::Release {
                    hold_id: "a".into(),
                },
            ),
            _ => plain_commit("a", 1),
        };
        assert_eq!(run(end), name == "commit" || name == "release");
        side.redis.stop().await.expect("it stops");
    }
}
