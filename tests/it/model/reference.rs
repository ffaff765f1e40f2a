//! The reference model: what Holdbook must answer, in plain Rust.
//!
//! It owns the meaning of the rules: every branch cites the rule that asks for it. It knows nothing of Redis, Lua or
//! Postgres, imports only the generated client types and std, and keeps everything for ever in plain lists that it scans.
//! It is one file, and long, so that it can be read from top to bottom against the rules.
//!
//! Reading order: the calls (`impl Model`), an account's steps (`impl Account`), validation, conversion.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use holdbook::proto::{
    self, ErrorReason, GrantAmount, GrantKind, GrantState, HoldState, LedgerAccount, Overage,
    Transfer,
};
use prost_types::{Duration, Timestamp};

/// Micro-credits. // A1
type Credits = i64;
/// Microseconds: since 1970 for an instant.
type Micros = i64;

/// A2: what an account may have free, held and pending, and the largest amount that can be written.
pub const MOST_CREDITS: Credits = 9_000_000_000_000_000;
/// G1: live grants per account; H14: spent grants that are known.
pub const MOST_GRANTS: usize = 64;
const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;

/// What the server was configured with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub default_ttl: Micros,
    pub max_ttl: Micros,
    pub max_lifetime: Micros,
    pub repeat_window: Micros,
    pub late_window: Micros,
    pub refund_ttl: Micros,
    /// What a started second of the meter `job` costs by each version of the catalog, and when it takes effect: so long after the start.
    pub prices: [(Micros, Credits); 6],
}

/// Why a call was refused, as far as the contract fixes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refusal {
    /// The first is the status.
    pub reasons: Vec<ErrorReason>,
    /// Metadata of the first reason.
    pub metadata: BTreeMap<String, String>,
    /// Violated fields of INVALID.
    pub fields: BTreeSet<String>,
}

type Answer<T> = Result<T, Refusal>;

fn refuse(reason: ErrorReason, metadata: &[(&str, String)]) -> Refusal {
    let metadata = metadata
        .iter()
        .map(|(k, v)| (k.to_string(), v.clone()))
        .collect();
    Refusal {
        reasons: vec![reason],
        metadata,
        fields: BTreeSet::new(),
    }
}

fn invalid(field: &str) -> Refusal {
    Refusal {
        fields: BTreeSet::from([field.to_string()]),
        ..refuse(ErrorReason::Invalid, &[])
    }
}

/// I3: the fields that differ, or nothing.
fn same_content(differences: &[(&str, bool)]) -> Answer<()> {
    let fields: Vec<&str> = differences.iter().filter(|d| d.1).map(|d| d.0).collect();
    if fields.is_empty() {
        return Ok(());
    }
    Err(refuse(
        ErrorReason::IdReused,
        &[("fields", fields.join(","))],
    ))
}

/// Where a grant stands; G7 pending, G2 expired, G6 revoked, C2 closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    Pending,
    Started,
    Expired,
    Revoked,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub id: String,
    pub kind: GrantKind,
    pub standing: Standing,
    pub amount: Credits,
    /// Spendable now.
    pub free: Credits,
    pub priority: u32,
    pub starts_at: Micros,
    pub expires_at: Option<Micros>,
    /// Duration and cap of what becomes of the rest.
    pub rollover: Option<(Micros, Option<Credits>)>,
    /// Of a rollover grant: what may still join it.
    pub room: Option<Credits>,
    pub request: Option<proto::GrantCreditsRequest>,
    pub made: Option<proto::GrantCreditsResponse>,
    pub revoke: Option<proto::RevokeGrantResponse>,
    /// H14: spent, and 64 others were spent later.
    pub forgotten: bool,
}

#[derive(Clone, Debug)]
pub enum Made {
    Reserve(proto::ReserveRequest, proto::ReserveResponse),
    Charge(proto::ChargeRequest, proto::ChargeResponse),
}

#[derive(Clone, Debug)]
pub struct Hold {
    pub id: String,
    pub made: Made,
    pub state: HoldState,
    /// Grant and amount; a grant appears once.
    pub pins: Vec<(usize, Credits)>,
    pub promise: Credits,
    pub requested: Credits,
    pub charged: Credits,
    pub overdrawn: Credits,
    pub absorbed: Credits,
    pub released: Credits,
    pub refunded: Credits,
    pub late: bool,
    pub created_at: Micros,
    pub expires_at: Option<Micros>,
    pub ended_at: Option<Micros>,
    pub overage: Overage,
    pub max_commit: Option<Credits>,
    pub labels: HashMap<String, String>,
    /// Of the catalog, if it was reserved by usage: its commits are priced by it, too.
    pub version: Option<u64>,
    /// What it set aside when it expired. H11
    pub amount_at_expiry: Credits,
    pub extends: Vec<(proto::ExtendRequest, proto::ExtendResponse)>,
    pub commits: Vec<(proto::CommitRequest, proto::CommitResponse)>,
    pub release: Option<proto::ReleaseResponse>,
    pub refunds: Vec<(proto::RefundRequest, proto::RefundResponse)>,
    /// What grants paid, in the order of burning.
    pub burns: Vec<(usize, Credits)>,
    /// What refunds gave back of each grant's part, and of the overdrawn part. H14
    pub returned: BTreeMap<usize, Credits>,
    pub overdrawn_returned: Credits,
}

impl Hold {
    pub fn held(&self) -> Credits {
        self.pins.iter().map(|p| p.1).sum()
    }
    /// A hold's amount = its pins + its promise (D2).
    pub fn amount(&self) -> Credits {
        self.held() + self.promise
    }
    pub fn committed(&self) -> Credits {
        self.charged + self.overdrawn + self.absorbed
    }
    fn pin_of(&self, grant: usize) -> Credits {
        self.pins.iter().filter(|p| p.0 == grant).map(|p| p.1).sum()
    }
    fn unpin(&mut self, grant: usize, amount: Credits) {
        for pin in &mut self.pins {
            if pin.0 == grant {
                pin.1 -= amount;
            }
        }
        self.pins.retain(|p| p.1 > 0);
    }
    fn add_pin(&mut self, grant: usize, amount: Credits) {
        match self.pins.iter_mut().find(|p| p.0 == grant) {
            Some(pin) => pin.1 += amount,
            None => self.pins.push((grant, amount)),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Account {
    pub created: proto::CreateAccountRequest,
    pub created_at: Micros,
    pub overdraft_limit: Credits,
    pub credit_limit: Credits,
    pub max_open_holds: u32,
    pub suspended: bool,
    pub frozen: bool,
    pub closed: Option<proto::CloseAccountResponse>,
    pub etag: u64,
    pub sequence: u64,
    pub debt: Credits,
    pub grants: Vec<Grant>,
    pub holds: Vec<Hold>,
    pub rows: Vec<Transfer>,
    /// Grants that are spent, the longest ago first. H14
    spent: Vec<usize>,
    now: Micros,
    /// The event that rows are being posted for.
    event: Transfer,
    /// The rows added up: by side, and each grant's free and held. For conservation.
    sides: [Credits; 8],
    by_grant: BTreeMap<String, (Credits, Credits)>,
    rows_checked: usize,
}

pub struct Model {
    opened_at: Micros,
    now: Micros,
    settings: Settings,
    accounts: Vec<Account>,
    /// When Redis was last lost.
    lost_at: Option<Micros>,
}

// ---------------------------------------------------------------------------------------------------------------------
// The calls.

impl Model {
    pub fn new(now: Micros, settings: Settings) -> Self {
        Self {
            now,
            opened_at: now,
            settings,
            accounts: Vec::new(),
            lost_at: None,
        }
    }

    /// Redis has lost all that it had: holds that were acknowledged may be among it.
    pub fn lose(&mut self) {
        self.lost_at = Some(self.now);
    }

    /// Section 7: a hold that nobody knows may be one that was lost, for as long as one of that time could still be committed.
    fn may_be_lost(&self) -> bool {
        let longest = self.settings.max_lifetime + self.settings.late_window;
        self.lost_at.is_some_and(|at| self.now - at <= longest)
    }

    /// The version of the catalog that is in force.
    fn version(&self) -> u64 {
        let begun = |price: &&(Micros, Credits)| self.opened_at + price.0 <= self.now;
        self.settings.prices.iter().filter(begun).count() as u64
    }

    /// What a usage costs by a version: each item for itself, a started second counts.
    fn price(&self, usage: &proto::Usage, version: u64) -> Credits {
        let (_, price) = self.settings.prices[version as usize - 1];
        let seconds = |item: &proto::UsageItem| {
            parse(&item.quantity).map_or(0, |q| (q + 999_999) / 1_000_000)
        };
        usage.items.iter().map(|item| seconds(item) * price).sum()
    }

    pub fn now(&self) -> Micros {
        self.now
    }

    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// T3: time moves only here; what becomes due is applied when its account is next looked at.
    pub fn advance(&mut self, by: Micros) {
        self.now += by;
    }

    /// Drops an account that will not be asked about again.
    pub fn forget(&mut self, account_id: &str) {
        self.accounts.retain(|a| a.created.account_id != account_id);
    }

    /// The account with what is due applied, to look at.
    pub fn look(&mut self, account_id: &str) -> Option<&Account> {
        self.account(account_id).ok().map(|a| &*a)
    }

    fn account(&mut self, account_id: &str) -> Answer<&mut Account> {
        let (now, refused) = (self.now, refuse(ErrorReason::AccountNotFound, &[]));
        let account = self
            .accounts
            .iter_mut()
            .find(|a| a.created.account_id == account_id)
            .ok_or(refused)?;
        account.apply_due(now); // T2
        Ok(account)
    }

    /// C1: an event of the account is in quarantine.
    pub fn freeze(&mut self, account_id: &str) {
        self.set_frozen(account_id, true);
    }

    /// C1: its quarantine is empty.
    pub fn unfreeze(&mut self, account_id: &str) {
        self.set_frozen(account_id, false);
    }

    fn set_frozen(&mut self, account_id: &str, frozen: bool) {
        let Ok(account) = self.account(account_id) else {
            return;
        };
        if account.frozen != frozen {
            account.begin(
                if frozen {
                    "account_frozen"
                } else {
                    "account_unfrozen"
                },
                "",
            );
            account.frozen = frozen;
            account.etag += 1; // C3
            account.check();
        }
    }

    pub fn create_account(
        &mut self,
        r: &proto::CreateAccountRequest,
    ) -> Answer<proto::CreateAccountResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        let overdraft = fields
            .optional_amount(&r.overdraft_limit, 0, "overdraft_limit")
            .unwrap_or(0);
        let credit = fields
            .optional_amount(&r.credit_limit, 0, "credit_limit")
            .unwrap_or(0);
        fields.check(
            credit <= overdraft || fields.has("overdraft_limit"),
            "credit_limit",
        ); // D2
        fields.check(r.max_open_holds <= 1_000_000, "max_open_holds");
        fields.durability(r.durability);
        fields.done()?;
        let now = self.now;
        if let Ok(account) = self.account(&r.account_id) {
            let first = &account.created; // I1, C2: the id is never reused
            same_content(&[
                (
                    "overdraft_limit",
                    first.overdraft_limit.as_deref().map(parse)
                        != r.overdraft_limit.as_deref().map(parse),
                ),
                (
                    "credit_limit",
                    first.credit_limit.as_deref().map(parse)
                        != r.credit_limit.as_deref().map(parse),
                ),
                ("max_open_holds", first.max_open_holds != r.max_open_holds),
            ])?;
            let (balance, account) = (Some(account.balance()), Some(account.shown()));
            return Ok(proto::CreateAccountResponse {
                account,
                balance,
                replayed: true,
                durability: 0,
            }); // I2
        }
        let mut account = Account::new(r, overdraft, credit, now);
        account.begin("account_created", "");
        account.check();
        let answer = proto::CreateAccountResponse {
            account: Some(account.shown()),
            balance: Some(account.balance()),
            replayed: false,
            durability: 0,
        };
        self.accounts.push(account);
        Ok(answer)
    }

    pub fn get_account(
        &mut self,
        r: &proto::GetAccountRequest,
    ) -> Answer<proto::GetAccountResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.done()?;
        let account = self.account(&r.account_id)?;
        Ok(proto::GetAccountResponse {
            account: Some(account.shown()),
            balance: Some(account.balance()),
        })
    }

    pub fn get_balance(
        &mut self,
        r: &proto::GetBalanceRequest,
    ) -> Answer<proto::GetBalanceResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.done()?;
        let account = self.account(&r.account_id)?;
        Ok(proto::GetBalanceResponse {
            balance: Some(account.balance()),
            kinds: account.kinds(),
            levels: Vec::new(),
        })
    }

    pub fn update_account(
        &mut self,
        r: &proto::UpdateAccountRequest,
    ) -> Answer<proto::UpdateAccountResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        let overdraft = fields.optional_amount(&r.overdraft_limit, 0, "overdraft_limit");
        let credit = fields.optional_amount(&r.credit_limit, 0, "credit_limit");
        fields.check(
            r.max_open_holds.is_none_or(|n| n <= 1_000_000),
            "max_open_holds",
        );
        fields.check((0..=2).contains(&r.state), "state"); // C1: a caller sets active or suspended only
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        if a.closed.is_some() {
            return Err(refuse(ErrorReason::AccountClosed, &[])); // C2, C3: first
        }
        if !r.etag.is_empty() && r.etag != a.etag.to_string() {
            return Err(refuse(
                ErrorReason::EtagMismatch,
                &[("etag", a.etag.to_string())],
            )); // C3
        }
        let before = (
            a.overdraft_limit,
            a.credit_limit,
            a.max_open_holds,
            a.suspended,
        );
        let suspended = match r.state {
            0 => a.suspended,
            state => state == proto::AccountState::Suspended as i32, // C1: survives a freeze
        };
        let after = (
            overdraft.unwrap_or(before.0),
            credit.unwrap_or(before.1),
            r.max_open_holds.unwrap_or(before.2),
            suspended,
        );
        if after.1 > after.0 {
            return Err(invalid("credit_limit")); // D2, C3: last
        }
        if after != before {
            a.begin("account_updated", ""); // C3: an event; one that changes nothing makes none
            (
                a.overdraft_limit,
                a.credit_limit,
                a.max_open_holds,
                a.suspended,
            ) = after; // D1: debt stays as it is
            a.etag += 1;
            a.check();
        }
        Ok(proto::UpdateAccountResponse {
            account: Some(a.shown()),
            balance: Some(a.balance()),
            durability: 0,
        })
    }

    pub fn close_account(
        &mut self,
        r: &proto::CloseAccountRequest,
    ) -> Answer<proto::CloseAccountResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        if let Some(first) = a.closed.clone() {
            let (account, balance) = (Some(a.shown()), Some(a.balance()));
            return Ok(proto::CloseAccountResponse {
                account,
                balance,
                replayed: true,
                ..first
            }); // I1, I2
        }
        a.begin("account_closed", "");
        let (mut breakage, mut lapsed) = (0, 0);
        for g in a.burn_order() {
            match a.grants[g].standing {
                Standing::Pending => lapsed += a.grants[g].amount, // C2: pending ones lapse, no transfer
                Standing::Started => {
                    let free = std::mem::take(&mut a.grants[g].free);
                    a.post(
                        LedgerAccount::Free,
                        LedgerAccount::Breakage,
                        free,
                        Some(g),
                        None,
                    ); // C2
                    breakage += free;
                }
                Standing::Expired | Standing::Revoked | Standing::Closed => continue,
            }
            a.grants[g].standing = Standing::Closed;
        }
        a.etag += 1; // C3
        let mut answer = proto::CloseAccountResponse {
            breakage: show(breakage),
            lapsed: show(lapsed),
            ..Default::default()
        };
        a.closed = Some(answer.clone()); // C2: open holds go on, debt stays
        a.check();
        (answer.account, answer.balance) = (Some(a.shown()), Some(a.balance()));
        Ok(answer)
    }

    pub fn grant_credits(
        &mut self,
        r: &proto::GrantCreditsRequest,
    ) -> Answer<proto::GrantCreditsResponse> {
        let asked = check_grant(r)?;
        let a = self.account(&r.account_id)?;
        if let Some(grant) = a.grants.iter().find(|g| g.id == r.grant_id) {
            // G5: unique per account and remembered for ever.
            let first = grant
                .request
                .as_ref()
                .expect("a caller's grant id has no tilde");
            same_grant(first, r)?;
            let made = grant.made.clone().expect("set when it was made");
            return Ok(proto::GrantCreditsResponse {
                balance: Some(a.balance()),
                replayed: true,
                ..made
            }); // I2
        }
        let starts_at = asked.starts_at.unwrap_or(a.now).max(a.now); // G2: a start in the past means now
        let (field, expires_at) = match asked.expiry {
            GrantExpiry::Never => ("", None),
            GrantExpiry::At(instant) => ("expires_at", Some(instant)),
            GrantExpiry::In(duration) => ("expires_in", Some(a.now + duration)), // G2: from the call
        };
        if expires_at.is_some_and(|e| e <= a.now || e <= starts_at) {
            return Err(invalid(field)); // G2
        }
        match a.state() {
            proto::AccountState::Closed => return Err(refuse(ErrorReason::AccountClosed, &[])), // C2
            proto::AccountState::Frozen => return Err(refuse(ErrorReason::AccountFrozen, &[])), // C1
            _ => {}
        }
        a.check_capacity(1, asked.amount)?;
        a.begin("grant", "");
        a.grants.push(Grant {
            id: r.grant_id.clone(),
            kind: r.kind(),
            standing: Standing::Pending,
            amount: asked.amount,
            free: 0,
            priority: r.priority.unwrap_or(default_priority(r.kind())), // G1
            starts_at,
            expires_at,
            rollover: asked.rollover,
            room: None,
            request: Some(r.clone()),
            made: None,
            revoke: None,
            forgotten: false,
        });
        let g = a.grants.len() - 1;
        let settled = if starts_at <= a.now {
            a.start_grant(g)
        } else {
            0
        }; // G7: pending is not posted
        let made = proto::GrantCreditsResponse {
            grant: Some(a.shown_grant(g)),
            settled: show(settled),
            ..Default::default()
        };
        a.grants[g].made = Some(made.clone());
        a.check();
        Ok(proto::GrantCreditsResponse {
            balance: Some(a.balance()),
            ..made
        })
    }

    pub fn revoke_grant(
        &mut self,
        r: &proto::RevokeGrantRequest,
    ) -> Answer<proto::RevokeGrantResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_grant_id(&r.grant_id), "grant_id");
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let found = a.grants.iter().position(|g| g.id == r.grant_id);
        let g = found.ok_or_else(|| refuse(ErrorReason::GrantNotFound, &[]))?;
        if let Some(first) = a.grants[g].revoke.clone() {
            let balance = Some(a.balance());
            return Ok(proto::RevokeGrantResponse {
                balance,
                replayed: true,
                ..first
            }); // G6: once per grant; I1, I2
        }
        if a.grants[g]
            .request
            .as_ref()
            .is_some_and(|r| r.non_refundable)
        {
            return Err(refuse(ErrorReason::NonRefundable, &[])); // G6
        }
        a.begin("revoke", ""); // also when it takes nothing
        let revoked = match a.grants[g].standing {
            Standing::Pending => a.grants[g].amount, // G6: lapses, no transfer
            Standing::Started => {
                let free = std::mem::take(&mut a.grants[g].free);
                a.post(
                    LedgerAccount::Free,
                    LedgerAccount::Issued,
                    free,
                    Some(g),
                    None,
                ); // G6: the unpinned part at once
                free
            }
            Standing::Expired | Standing::Revoked | Standing::Closed => 0,
        };
        a.grants[g].standing = Standing::Revoked; // G6: the pins when they come back
        let (revoked, outstanding) = (show(revoked), show(a.pinned(g)));
        let first = proto::RevokeGrantResponse {
            revoked,
            outstanding,
            ..Default::default()
        };
        a.grants[g].revoke = Some(first.clone());
        a.check();
        Ok(proto::RevokeGrantResponse {
            balance: Some(a.balance()),
            ..first
        })
    }

    pub fn reserve(&mut self, r: &proto::ReserveRequest) -> Answer<proto::ReserveResponse> {
        let set = self.settings;
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id"); // H2
        let amount = match &r.usage {
            Some(usage) => {
                fields.check(r.amount.is_empty(), "usage");
                self.price(usage, self.version()) // by the prices of now, which stay the hold's
            }
            None => fields.amount(&r.amount, 0, "amount"), // A4: may be 0
        };
        let version = r.usage.as_ref().map(|_| self.version());
        let ttl = fields
            .ttl(r.ttl.as_ref(), set.max_ttl)
            .unwrap_or(set.default_ttl); // H4
        fields.check((0..=2).contains(&r.overage), "overage");
        let max_commit = fields.optional_amount(&r.max_commit, 0, "max_commit");
        fields.check(are_labels(&r.labels), "labels");
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        if let Some(h) = a.remembered(&r.hold_id, set.repeat_window) {
            let Made::Reserve(first, made) = a.holds[h].made.clone() else {
                return Err(refuse(
                    ErrorReason::IdReused,
                    &[("fields", "method".into())],
                )); // I3
            };
            same_content(&[
                ("amount", parse(&first.amount) != parse(&r.amount)),
                ("usage", first.usage != r.usage), // I2: whatever it costs by now
                ("ttl", first.ttl != r.ttl),       // I2: durations as sent
                ("overage", first.overage != r.overage), // I2: the plan may say what it is
                (
                    "max_commit",
                    first.max_commit.as_deref().map(parse) != r.max_commit.as_deref().map(parse),
                ),
                ("labels", first.labels != r.labels),
            ])?;
            let (hold, balance) = (Some(a.shown_hold(h)), Some(a.balance()));
            return Ok(proto::ReserveResponse {
                hold,
                balance,
                replayed: true,
                ..made
            }); // I2
        }
        a.check_limits(amount, true)?; // H3: refused, and nothing remembers it
        let wanted = a.take_in_burn_order(amount); // H1
        let promise = amount - wanted.iter().map(|p| p.1).sum::<Credits>(); // D2
        let mut hold = Hold::open(&r.hold_id, r, a.now);
        (hold.pins, hold.promise, hold.requested) = (wanted.clone(), promise, amount);
        (hold.expires_at, hold.max_commit) = (Some(a.now + ttl), max_commit);
        hold.version = version;
        let (pinned, promised) = (a.amounts(&wanted), show(promise));
        let mut answer = proto::ReserveResponse {
            pinned,
            promised,
            ..Default::default()
        };
        hold.made = Made::Reserve(
            proto::ReserveRequest {
                validate_only: false,
                ..r.clone()
            },
            answer.clone(),
        );
        if r.validate_only {
            // Checks and answers as if, and does nothing.
            (answer.hold, answer.balance) =
                (Some(show_hold(&r.account_id, &hold)), Some(a.balance()));
            return Ok(answer);
        }
        a.begin("reserve", &r.hold_id);
        a.holds.push(hold);
        a.pin(&wanted);
        a.check();
        (answer.hold, answer.balance) = (Some(a.shown_hold(a.holds.len() - 1)), Some(a.balance()));
        Ok(answer)
    }

    pub fn extend(&mut self, r: &proto::ExtendRequest) -> Answer<proto::ExtendResponse> {
        let set = self.settings;
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id");
        fields.check(is_hold_id(&r.extend_id), "extend_id");
        fields.check(r.ttl.is_some(), "ttl");
        let ttl = fields.ttl(r.ttl.as_ref(), set.max_ttl).unwrap_or(0); // H4
        let amount = fields.optional_amount(&r.amount, 1, "amount"); // A4: added credits may not be 0
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let h = a.newest(&r.hold_id)?;
        if let Some((first, made)) = a.holds[h]
            .extends
            .iter()
            .find(|e| e.0.extend_id == r.extend_id)
            .cloned()
        {
            same_content(&[
                ("ttl", first.ttl != r.ttl),
                (
                    "amount",
                    first.amount.as_deref().map(parse) != r.amount.as_deref().map(parse),
                ),
            ])?;
            let (hold, balance) = (Some(a.shown_hold(h)), Some(a.balance()));
            return Ok(proto::ExtendResponse {
                hold,
                balance,
                replayed: true,
                ..made
            }); // I1, I2
        }
        if a.holds[h].state != HoldState::Open {
            return Err(a.hold_ended(h)); // H4: an ended hold cannot be extended
        }
        if a.now + ttl - a.holds[h].created_at > set.max_lifetime {
            return Err(invalid("ttl")); // H4: refused, never clamped
        }
        if a.holds[h].amount() + amount.unwrap_or(0) > MOST_CREDITS {
            let numbers = [
                ("resource", "credits".into()),
                ("limit", show(MOST_CREDITS)),
            ];
            return Err(refuse(ErrorReason::CapacityLimit, &numbers)); // A2, H4: a hold's amount stays exact
        }
        if let Some(amount) = amount {
            a.check_limits(amount, false)?; // H4: a reserve's checks except slots; without an amount none
        }
        let wanted = a.take_in_burn_order(amount.unwrap_or(0));
        let promise = amount.unwrap_or(0) - wanted.iter().map(|p| p.1).sum::<Credits>();
        a.begin("extend", &r.hold_id);
        for (g, amount) in &wanted {
            a.holds[h].add_pin(*g, *amount);
        }
        a.holds[h].promise += promise;
        a.holds[h].expires_at = Some(a.now + ttl); // H4: counts from now
        a.pin(&wanted);
        let made = proto::ExtendResponse {
            pinned: a.amounts(&wanted),
            promised: show(promise),
            expires_at: Some(timestamp(a.now + ttl)),
            ..Default::default()
        };
        a.holds[h].extends.push((r.clone(), made.clone()));
        a.check();
        Ok(proto::ExtendResponse {
            hold: Some(a.shown_hold(h)),
            balance: Some(a.balance()),
            ..made
        })
    }

    pub fn commit(&mut self, r: &proto::CommitRequest) -> Answer<proto::CommitResponse> {
        let set = self.settings;
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id");
        let amount = match &r.what {
            Some(What::Amount(amount)) => Some(fields.amount(amount, 0, "amount")), // A4, H7: 0 charges 0
            Some(What::Usage(_)) => Some(0), // priced below, by its hold
            Some(What::AllHeld(all)) => {
                fields.check(*all, "all_held"); // H7: an explicit choice
                None
            }
            None => {
                fields.check(false, "amount");
                None
            }
        };
        let last = r.r#final.unwrap_or(true);
        fields.check(
            if r.commit_id.is_empty() {
                last
            } else {
                is_hold_id(&r.commit_id)
            },
            "commit_id",
        );
        fields.durability(r.durability);
        fields.done()?;
        let may_be_lost = self.may_be_lost() && amount.is_some(); // what it held nobody knows
        let a = self.account(&r.account_id)?;
        let h = a.newest_or_lost(&r.hold_id, may_be_lost)?;
        let version = a.holds[h].version;
        let amount = match &r.what {
            // By the prices that its hold was made by; else by those of now.
            Some(What::Usage(usage)) => Some(self.price(usage, version.unwrap_or(self.version()))),
            _ => amount,
        };
        let a = self.account(&r.account_id)?;
        if let Some(made) = a.repeated_commit(h, r)? {
            let (hold, balance) = (Some(a.shown_hold(h)), Some(a.balance()));
            return Ok(proto::CommitResponse {
                hold,
                balance,
                replayed: true,
                ..made
            }); // I1, I2
        }
        let late = a.holds[h].state == HoldState::Expired;
        if late {
            let expired_at = a.holds[h].ended_at.expect("an expired hold has ended");
            if a.now - expired_at > set.late_window {
                let window = (set.late_window / SECOND).to_string();
                let numbers = [
                    ("expired_at", show_instant(expired_at)),
                    ("window_seconds", window),
                ];
                return Err(refuse(ErrorReason::LateWindowPassed, &numbers)); // H11
            }
        } else if a.holds[h].state != HoldState::Open {
            return Err(a.hold_ended(h)); // H12: released; H5: committed; and a charge
        }
        let set_aside = if late {
            a.holds[h].amount_at_expiry
        } else {
            a.holds[h].amount()
        }; // H11
        let amount = amount.unwrap_or(set_aside); // H7: everything held
        if a.holds[h].overage == Overage::Reject && amount > set_aside {
            let numbers = [("amount", show(amount)), ("limit", show(set_aside))];
            return Err(refuse(ErrorReason::AboveHold, &numbers)); // H8: late commits included
        }
        let sum = a.holds[h].committed() + amount;
        // A2, H8: without one of its own a hold has the greatest amount as its maximum.
        let limit = a.holds[h].max_commit.unwrap_or(MOST_CREDITS);
        if sum > limit {
            let numbers = [("amount", show(sum)), ("limit", show(limit))];
            return Err(refuse(ErrorReason::AboveMaxCommit, &numbers)); // H8: the sum of all commits
        }
        let made = a.commit(h, amount, last || late, late); // H10: never refused from here
        a.holds[h].commits.push((r.clone(), made.clone()));
        a.check();
        Ok(proto::CommitResponse {
            hold: Some(a.shown_hold(h)),
            balance: Some(a.balance()),
            ..made
        })
    }

    pub fn release(&mut self, r: &proto::ReleaseRequest) -> Answer<proto::ReleaseResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id");
        fields.durability(r.durability);
        fields.done()?;
        let may_be_lost = self.may_be_lost();
        let a = self.account(&r.account_id)?;
        let h = match a.newest(&r.hold_id) {
            // Recorded as its end.
            Err(_) if may_be_lost => {
                let h = a.lost(&r.hold_id);
                let first = proto::ReleaseResponse {
                    released: "0".into(),
                    ..Default::default()
                };
                a.holds[h].state = HoldState::Released;
                a.holds[h].release = Some(first.clone());
                a.begin("release", &r.hold_id);
                a.check();
                return Ok(proto::ReleaseResponse {
                    hold: Some(a.shown_hold(h)),
                    balance: Some(a.balance()),
                    ..first
                });
            }
            found => found?, // H12: an unknown one is NOT_FOUND
        };
        let mut answer = match a.holds[h].state {
            HoldState::Released => {
                let first = a.holds[h].release.clone().expect("set by the release");
                proto::ReleaseResponse {
                    replayed: true,
                    ..first
                } // H12, I1: the first answer again
            }
            HoldState::Open => {
                a.begin("release", &r.hold_id);
                let released = show(a.end_hold(h, HoldState::Released));
                let first = proto::ReleaseResponse {
                    released,
                    ..Default::default()
                };
                a.holds[h].release = Some(first.clone());
                a.check();
                first
            }
            // H12: OK, never undoes a commit, not a repeat.
            _ => proto::ReleaseResponse {
                released: "0".into(),
                ..Default::default()
            },
        };
        (answer.hold, answer.balance) = (Some(a.shown_hold(h)), Some(a.balance()));
        Ok(answer)
    }

    pub fn charge(&mut self, r: &proto::ChargeRequest) -> Answer<proto::ChargeResponse> {
        let set = self.settings;
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id"); // H13: its id is a hold id
        let amount = fields.amount(&r.amount, 0, "amount"); // A4
        fields.check(are_labels(&r.labels), "labels");
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        if let Some(h) = a.remembered(&r.hold_id, set.repeat_window) {
            let Made::Charge(first, made) = a.holds[h].made.clone() else {
                return Err(refuse(
                    ErrorReason::IdReused,
                    &[("fields", "method".into())],
                )); // I3
            };
            let amount = ("amount", parse(&first.amount) != parse(&r.amount));
            same_content(&[amount, ("labels", first.labels != r.labels)])?;
            let (hold, balance) = (Some(a.shown_hold(h)), Some(a.balance()));
            return Ok(proto::ChargeResponse {
                hold,
                balance,
                replayed: true,
                ..made
            }); // I2
        }
        a.check_limits(amount, false)?; // H13: needs available credits, takes no slot
        a.begin("charge", &r.hold_id);
        let as_reserve = proto::ReserveRequest {
            labels: r.labels.clone(),
            ..Default::default()
        };
        let mut hold = Hold::open(&r.hold_id, &as_reserve, a.now);
        (hold.state, hold.ended_at, hold.requested) = (HoldState::Committed, Some(a.now), amount);
        a.holds.push(hold);
        let h = a.holds.len() - 1;
        let burned = a.burn(h, amount);
        let overdrawn = amount - burned.iter().map(|b| b.1).sum::<Credits>(); // H13, D2: within the credit limit
        a.debt += overdrawn;
        a.post(
            LedgerAccount::Debt,
            LedgerAccount::Spent,
            overdrawn,
            None,
            None,
        );
        (a.holds[h].charged, a.holds[h].overdrawn) = (amount - overdrawn, overdrawn);
        let made = proto::ChargeResponse {
            charged: show(amount - overdrawn),
            charged_by_grant: a.amounts(&burned),
            overdrawn: show(overdrawn),
            ..Default::default()
        };
        a.holds[h].made = Made::Charge(r.clone(), made.clone());
        a.check();
        Ok(proto::ChargeResponse {
            hold: Some(a.shown_hold(h)),
            balance: Some(a.balance()),
            ..made
        })
    }

    pub fn refund(&mut self, r: &proto::RefundRequest) -> Answer<proto::RefundResponse> {
        let ttl = self.settings.refund_ttl;
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id");
        fields.check(is_hold_id(&r.refund_id), "refund_id");
        let amount = fields.amount(&r.amount, 1, "amount"); // A4: may not be 0
        fields.durability(r.durability);
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let h = a.newest(&r.hold_id)?;
        if let Some((first, made)) = a.holds[h]
            .refunds
            .iter()
            .find(|e| e.0.refund_id == r.refund_id)
            .cloned()
        {
            same_content(&[("amount", parse(&first.amount) != parse(&r.amount))])?;
            let (hold, balance) = (Some(a.shown_hold(h)), Some(a.balance()));
            return Ok(proto::RefundResponse {
                hold,
                balance,
                replayed: true,
                ..made
            }); // I1, I2
        }
        let left = a.holds[h].charged + a.holds[h].overdrawn - a.holds[h].refunded; // H14: never what was absorbed
        if amount > left {
            return Err(refuse(
                ErrorReason::AboveHold,
                &[("amount", show(amount)), ("limit", show(left))],
            ));
        }
        if a.closed.is_some() {
            return Err(refuse(ErrorReason::AccountClosed, &[])); // C2
        }
        let plan = a.plan_refund(h, amount);
        let revived = plan.targets.iter().filter(|t| !a.is_live(t.0)).count()
            + usize::from(plan.homeless > 0);
        a.check_capacity(revived, amount)?;
        let made = a.refund(h, &r.hold_id, &plan, amount, ttl);
        a.holds[h].refunds.push((r.clone(), made.clone()));
        a.check();
        Ok(proto::RefundResponse {
            hold: Some(a.shown_hold(h)),
            balance: Some(a.balance()),
            ..made
        })
    }

    pub fn get_hold(&mut self, r: &proto::GetHoldRequest) -> Answer<proto::GetHoldResponse> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(is_hold_id(&r.hold_id), "hold_id");
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let h = a.newest(&r.hold_id)?;
        let pinned = a.amounts(&a.pins_in_burn_order(h));
        Ok(proto::GetHoldResponse {
            hold: Some(a.shown_hold(h)),
            pinned,
            balance: Some(a.balance()),
        })
    }

    /// All pages of ListHolds.
    pub fn list_holds(&mut self, r: &proto::ListHoldsRequest) -> Answer<Vec<proto::Hold>> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check((0..=4).contains(&r.state), "state");
        let from = fields.instant(r.created_from.as_ref(), "created_from");
        let before = fields.instant(r.created_before.as_ref(), "created_before");
        fields.check(r.page_size <= 1000, "page_size");
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let newest_first = (0..a.holds.len()).rev();
        let wanted = newest_first.filter(|h| {
            let hold = &a.holds[*h];
            (r.state == 0 || r.state == hold.state as i32)
                && from.is_none_or(|from| hold.created_at >= from)
                && before.is_none_or(|before| hold.created_at < before)
        });
        Ok(wanted.map(|h| a.shown_hold(h)).collect())
    }

    /// All pages of ListGrants.
    pub fn list_grants(&mut self, r: &proto::ListGrantsRequest) -> Answer<Vec<proto::Grant>> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check((0..=5).contains(&r.state), "state");
        fields.check(r.page_size <= 1000, "page_size");
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let newest_first = (0..a.grants.len()).rev().map(|g| a.shown_grant(g));
        Ok(newest_first
            .filter(|g| r.state == 0 || r.state == g.state)
            .collect())
    }

    /// All pages of ListTransfers.
    pub fn list_transfers(&mut self, r: &proto::ListTransfersRequest) -> Answer<Vec<Transfer>> {
        let mut fields = Fields::default();
        fields.check(is_account_id(&r.account_id), "account_id");
        fields.check(r.hold_id.is_empty() || is_hold_id(&r.hold_id), "hold_id");
        fields.check(
            r.grant_id.is_empty() || is_grant_id(&r.grant_id),
            "grant_id",
        );
        let from = fields.instant(r.occurred_from.as_ref(), "occurred_from");
        let before = fields.instant(r.occurred_before.as_ref(), "occurred_before");
        fields.check(r.page_size <= 1000, "page_size");
        fields.done()?;
        let a = self.account(&r.account_id)?;
        let wanted = a.rows.iter().filter(|row| {
            let at = row.occurred_at.as_ref().map_or(0, micros);
            (r.hold_id.is_empty() || row.hold_id == r.hold_id)
                && (r.grant_id.is_empty()
                    || row.grant_id == r.grant_id
                    || row.to_grant_id == r.grant_id)
                && from.is_none_or(|from| at >= from)
                && before.is_none_or(|before| at < before)
        });
        Ok(wanted.cloned().collect())
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// An account's steps.

/// What time has made due, in the order at one instant: grants end, then start, then holds end. T2
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    GrantEnds(usize),
    GrantStarts(usize),
    HoldEnds(usize),
}

/// Where a refund goes. H14
struct RefundPlan {
    debt_reduced: Credits,
    overdrawn: Credits,
    targets: Vec<(usize, Credits)>,
    taken_from: Vec<(usize, Credits)>,
    homeless: Credits,
}

impl Hold {
    fn open(id: &str, r: &proto::ReserveRequest, now: Micros) -> Self {
        Self {
            id: id.into(),
            made: Made::Reserve(r.clone(), proto::ReserveResponse::default()),
            state: HoldState::Open,
            pins: Vec::new(),
            promise: 0,
            requested: 0,
            charged: 0,
            overdrawn: 0,
            absorbed: 0,
            released: 0,
            refunded: 0,
            late: false,
            created_at: now,
            expires_at: None,
            ended_at: None,
            overage: overage(r.overage),
            max_commit: None,
            labels: r.labels.clone(),
            version: None,
            amount_at_expiry: 0,
            extends: Vec::new(),
            commits: Vec::new(),
            release: None,
            refunds: Vec::new(),
            burns: Vec::new(),
            returned: BTreeMap::new(),
            overdrawn_returned: 0,
        }
    }
}

impl Account {
    fn new(
        r: &proto::CreateAccountRequest,
        overdraft_limit: Credits,
        credit_limit: Credits,
        now: Micros,
    ) -> Self {
        Self {
            created: r.clone(),
            created_at: now,
            overdraft_limit,
            credit_limit,
            max_open_holds: r.max_open_holds,
            suspended: false,
            frozen: false,
            closed: None,
            etag: 1,
            sequence: 0,
            debt: 0,
            grants: Vec::new(),
            holds: Vec::new(),
            rows: Vec::new(),
            spent: Vec::new(),
            now,
            event: Transfer::default(),
            sides: [0; 8],
            by_grant: BTreeMap::new(),
            rows_checked: 0,
        }
    }

    pub fn free(&self) -> Credits {
        self.grants.iter().map(|g| g.free).sum()
    }

    fn open_holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(|h| h.state == HoldState::Open)
    }

    pub fn open_count(&self) -> usize {
        self.open_holds().count()
    }

    pub fn held(&self) -> Credits {
        self.open_holds().map(Hold::held).sum()
    }

    pub fn promised(&self) -> Credits {
        self.open_holds().map(|h| h.promise).sum()
    }

    pub fn pending(&self) -> Credits {
        self.grants
            .iter()
            .filter(|g| g.standing == Standing::Pending)
            .map(|g| g.amount)
            .sum()
    }

    pub fn available(&self) -> Credits {
        if self.debt > self.credit_limit {
            return 0; // D3
        }
        self.free() + (self.credit_limit - self.debt - self.promised()).max(0) // D2
    }

    fn pinned(&self, grant: usize) -> Credits {
        self.open_holds().map(|h| h.pin_of(grant)).sum()
    }

    /// G1: pending, or started and not ended with something free or pinned.
    pub fn is_live(&self, g: usize) -> bool {
        let grant = &self.grants[g];
        match grant.standing {
            Standing::Pending => true,
            Standing::Started => grant.free > 0 || self.pinned(g) > 0,
            Standing::Expired | Standing::Revoked | Standing::Closed => false,
        }
    }

    pub fn live_grants(&self) -> usize {
        (0..self.grants.len()).filter(|g| self.is_live(*g)).count()
    }

    /// C1: closed, else frozen, else suspended, else active.
    pub fn state(&self) -> proto::AccountState {
        if self.closed.is_some() {
            proto::AccountState::Closed
        } else if self.frozen {
            proto::AccountState::Frozen
        } else if self.suspended {
            proto::AccountState::Suspended
        } else {
            proto::AccountState::Active
        }
    }

    /// G1: priority, then soonest expiry (never = last), then earliest start, then id by bytes.
    fn burn_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.grants.len()).collect();
        order.sort_by_key(|g| {
            let grant = &self.grants[*g];
            (
                grant.priority,
                grant.expires_at.unwrap_or(Micros::MAX),
                grant.starts_at,
                grant.id.as_bytes(),
            )
        });
        order
    }

    fn pins_in_burn_order(&self, h: usize) -> Vec<(usize, Credits)> {
        let pins = self
            .burn_order()
            .into_iter()
            .map(|g| (g, self.holds[h].pin_of(g)));
        pins.filter(|p| p.1 > 0).collect()
    }

    /// The order in which a commit of this hold takes from grants: ended ones first. H6
    fn commit_order(&self, h: usize) -> Vec<usize> {
        let ended = |g: &usize| {
            !matches!(
                self.grants[*g].standing,
                Standing::Pending | Standing::Started
            )
        };
        let (mut first, rest): (Vec<usize>, Vec<usize>) =
            self.burn_order().into_iter().partition(ended);
        first.retain(|g| self.holds[h].pin_of(*g) > 0);
        first.extend(rest);
        first
    }

    /// What a reserve of this amount would pin; less than the amount when credits do not cover it. H1
    fn take_in_burn_order(&self, amount: Credits) -> Vec<(usize, Credits)> {
        let mut rest = amount;
        let mut taken = Vec::new();
        for g in self.burn_order() {
            let part = self.grants[g].free.min(rest);
            if part > 0 {
                taken.push((g, part));
                rest -= part;
            }
        }
        taken
    }

    fn pin(&mut self, wanted: &[(usize, Credits)]) {
        for (g, amount) in wanted {
            self.grants[*g].free -= amount;
            self.post(
                LedgerAccount::Free,
                LedgerAccount::Held,
                *amount,
                Some(*g),
                None,
            );
        }
    }

    /// I4: the newest hold of this id while the id is remembered.
    pub fn remembered(&self, hold_id: &str, window: Micros) -> Option<usize> {
        let h = self.holds.iter().rposition(|h| h.id == hold_id)?;
        let forgotten = self.holds[h]
            .ended_at
            .is_some_and(|ended| self.now - ended > window);
        (!forgotten).then_some(h)
    }

    /// I4: every verb but reserve and charge means the newest hold of the id.
    fn newest(&self, hold_id: &str) -> Answer<usize> {
        let newest = self.holds.iter().rposition(|h| h.id == hold_id);
        newest.ok_or_else(|| refuse(ErrorReason::HoldNotFound, &[]))
    }

    /// The same, or one that was lost.
    fn newest_or_lost(&mut self, hold_id: &str, may_be_lost: bool) -> Answer<usize> {
        match self.newest(hold_id) {
            Err(_) if may_be_lost => Ok(self.lost(hold_id)),
            found => found,
        }
    }

    /// A hold of which nobody knows anything: it has ended now, and held nothing.
    fn lost(&mut self, hold_id: &str) -> usize {
        let asked = proto::ReserveRequest {
            hold_id: hold_id.into(),
            amount: "0".into(),
            ..Default::default()
        };
        let mut hold = Hold::open(hold_id, &asked, self.now);
        let answered = proto::ReserveResponse {
            promised: "0".into(),
            ..Default::default()
        };
        hold.made = Made::Reserve(asked, answered);
        hold.state = HoldState::Expired;
        (hold.expires_at, hold.ended_at) = (Some(self.now), Some(self.now));
        self.holds.push(hold);
        self.holds.len() - 1
    }

    fn hold_ended(&self, h: usize) -> Refusal {
        let state = self.holds[h]
            .state
            .as_str_name()
            .trim_start_matches("HOLD_STATE_");
        refuse(ErrorReason::HoldEnded, &[("state", state.into())])
    }

    /// The limits at reserve: all failures are reported, the first is the status. `slots`: a reserve takes one.
    fn check_limits(&self, amount: Credits, slots: bool) -> Answer<()> {
        let mut found: Vec<Refusal> = Vec::new();
        match self.state() {
            proto::AccountState::Closed => found.push(refuse(ErrorReason::AccountClosed, &[])), // C2
            proto::AccountState::Frozen => found.push(refuse(ErrorReason::AccountFrozen, &[])), // C1
            proto::AccountState::Suspended => {
                found.push(refuse(ErrorReason::AccountSuspended, &[]))
            } // C1
            proto::AccountState::Active | proto::AccountState::Unspecified => {}
        }
        let (open, most) = (self.open_count(), self.max_open_holds);
        if slots && most > 0 && open >= most as usize {
            let numbers = [
                ("open_holds", open.to_string()),
                ("max_open_holds", most.to_string()),
            ];
            found.push(refuse(ErrorReason::ConcurrencyLimit, &numbers));
        }
        let available = self.available();
        let mut numbers = vec![
            ("available", show(available)),
            ("held", show(self.held())),
            ("debt", show(self.debt)),
            ("short_by", show(amount - available)),
        ];
        if let Some(next) = self.open_holds().filter_map(|h| h.expires_at).min() {
            numbers.push(("next_expiry", show_instant(next)));
        }
        if self.debt > self.credit_limit {
            numbers.push(("credit_limit", show(self.credit_limit)));
            found.push(refuse(ErrorReason::InDebt, &numbers)); // D3: also for an amount of 0
        } else if amount > available {
            found.push(refuse(ErrorReason::InsufficientCredits, &numbers)); // H1: all or nothing
        }
        let reasons: Vec<ErrorReason> = found.iter().flat_map(|r| r.reasons.clone()).collect();
        match found.into_iter().next() {
            Some(first) => Err(Refusal { reasons, ..first }),
            None => Ok(()),
        }
    }

    /// Before credits come in: at most 64 live grants (G1), and A2's bound, counted before settling.
    fn check_capacity(&self, grants: usize, amount: Credits) -> Answer<()> {
        let limit = |resource: &str, limit: String| {
            Err(refuse(
                ErrorReason::CapacityLimit,
                &[("resource", resource.into()), ("limit", limit)],
            ))
        };
        if grants > 0 && self.live_grants() + grants > MOST_GRANTS {
            return limit("grants", MOST_GRANTS.to_string()); // G1
        }
        if self.free() + self.held() + self.pending() + amount > MOST_CREDITS {
            return limit("credits", show(MOST_CREDITS)); // A2
        }
        Ok(())
    }

    /// T2: in order of instants; at one instant grants end, then start, then holds end; then by creation.
    fn apply_due(&mut self, now: Micros) {
        let mut came_due = false;
        loop {
            let ends = self
                .grants
                .iter()
                .enumerate()
                .filter(|(_, g)| g.standing == Standing::Started);
            let ends = ends.filter_map(|(i, g)| Some((g.expires_at?, Due::GrantEnds(i))));
            let starts = self
                .grants
                .iter()
                .enumerate()
                .filter(|(_, g)| g.standing == Standing::Pending);
            let starts = starts.map(|(i, g)| (g.starts_at, Due::GrantStarts(i)));
            let holds = self
                .holds
                .iter()
                .enumerate()
                .filter(|(_, h)| h.state == HoldState::Open);
            let holds = holds.filter_map(|(i, h)| Some((h.expires_at?, Due::HoldEnds(i))));
            let next = ends
                .chain(starts)
                .chain(holds)
                .filter(|(at, _)| *at <= now)
                .min();
            let Some((at, due)) = next else { break };
            self.now = at; // T1: it happened at its instant, not when somebody looked
            match due {
                Due::GrantEnds(g) => self.expire_grant(g),
                Due::GrantStarts(g) => {
                    self.begin("grant_started", "");
                    self.start_grant(g);
                }
                Due::HoldEnds(h) => {
                    self.begin("hold_expired", &self.holds[h].id.clone());
                    self.holds[h].amount_at_expiry = self.holds[h].amount(); // H11
                    self.end_hold(h, HoldState::Expired);
                }
            }
            self.check_rows();
            came_due = true;
        }
        self.now = now;
        if came_due {
            self.remember_spent();
        }
    }

    /// G4, G7: a grant is posted and settles debt when it starts; only the rest is spendable.
    fn start_grant(&mut self, g: usize) -> Credits {
        self.grants[g].standing = Standing::Started;
        self.grants[g].free = self.grants[g].amount;
        self.post(
            LedgerAccount::Issued,
            LedgerAccount::Free,
            self.grants[g].amount,
            Some(g),
            None,
        );
        self.settle()
    }

    /// G2: the unpinned rest becomes breakage, or a rollover and breakage.
    fn expire_grant(&mut self, g: usize) {
        if !self.is_live(g) {
            self.grants[g].standing = Standing::Expired; // spent: nothing is due, so no event
            return;
        }
        self.begin("grant_expired", "");
        let at = self.now;
        let free = std::mem::take(&mut self.grants[g].free);
        self.grants[g].standing = Standing::Expired;
        let mut rolled = 0;
        if let Some((duration, cap)) = self.grants[g].rollover {
            rolled = cap.unwrap_or(free).min(free);
            self.grants.push(Grant {
                id: format!("~rollover:{}", self.grants[g].id),
                kind: GrantKind::Rollover,
                standing: Standing::Started,
                amount: rolled,
                free: rolled,
                priority: default_priority(GrantKind::Rollover),
                starts_at: at,
                expires_at: Some(at + duration),
                rollover: None,
                room: cap.map(|cap| cap - rolled),
                request: None,
                made: None,
                revoke: None,
                forgotten: false,
            });
            let to = self.grants.len() - 1;
            self.post(
                LedgerAccount::Free,
                LedgerAccount::Free,
                rolled,
                Some(g),
                Some(to),
            );
        }
        self.post(
            LedgerAccount::Free,
            LedgerAccount::Breakage,
            free - rolled,
            Some(g),
            None,
        );
    }

    /// D4, G4: free credits settle debt at once, in burn order.
    fn settle(&mut self) -> Credits {
        let before = self.debt;
        for g in self.burn_order() {
            let part = self.grants[g].free.min(self.debt);
            self.grants[g].free -= part;
            self.debt -= part;
            self.post(
                LedgerAccount::Free,
                LedgerAccount::Debt,
                part,
                Some(g),
                None,
            );
        }
        before - self.debt
    }

    /// G3, G6, C2: where a pin goes that comes back.
    fn return_pin(&mut self, h: usize, g: usize, amount: Credits) {
        self.holds[h].unpin(g, amount);
        self.holds[h].released += amount; // H9: whatever becomes of it
        match self.grants[g].standing {
            Standing::Started => {
                self.grants[g].free += amount;
                self.post(
                    LedgerAccount::Held,
                    LedgerAccount::Free,
                    amount,
                    Some(g),
                    None,
                );
            }
            Standing::Revoked => self.post(
                LedgerAccount::Held,
                LedgerAccount::Issued,
                amount,
                Some(g),
                None,
            ), // G6
            Standing::Closed => self.post(
                LedgerAccount::Held,
                LedgerAccount::Breakage,
                amount,
                Some(g),
                None,
            ), // C2
            Standing::Expired => {
                // G3: joins the rollover while that lives, else it is breakage.
                let rollover = format!("~rollover:{}", self.grants[g].id);
                let to = self
                    .grants
                    .iter()
                    .position(|r| r.id == rollover && r.standing == Standing::Started);
                let joins = to.map_or(0, |to| self.grants[to].room.unwrap_or(amount).min(amount));
                if let Some(to) = to {
                    self.grants[to].free += joins;
                    self.grants[to].room = self.grants[to].room.map(|room| room - joins);
                    self.post(
                        LedgerAccount::Held,
                        LedgerAccount::Free,
                        joins,
                        Some(g),
                        Some(to),
                    );
                }
                self.post(
                    LedgerAccount::Held,
                    LedgerAccount::Breakage,
                    amount - joins,
                    Some(g),
                    None,
                );
            }
            Standing::Pending => panic!("a pending grant is not pinned"),
        }
    }

    /// Ends an open hold: its promise goes, its pins come back in burn order and settle debt (D4). Returns what came back.
    fn end_hold(&mut self, h: usize, state: HoldState) -> Credits {
        let pins = self.pins_in_burn_order(h);
        for (g, amount) in &pins {
            self.return_pin(h, *g, *amount);
        }
        self.holds[h].promise = 0;
        (self.holds[h].state, self.holds[h].ended_at) = (state, Some(self.now));
        self.settle();
        pins.iter().map(|p| p.1).sum()
    }

    /// Pays from grants, as far as they go: own pins and free credits together. H6
    fn burn(&mut self, h: usize, amount: Credits) -> Vec<(usize, Credits)> {
        let mut rest = amount;
        let mut burned = Vec::new();
        for g in self.commit_order(h) {
            let from_pin = self.holds[h].pin_of(g).min(rest); // H6: within one grant the own pin goes first
            self.holds[h].unpin(g, from_pin);
            self.post(
                LedgerAccount::Held,
                LedgerAccount::Spent,
                from_pin,
                Some(g),
                None,
            );
            rest -= from_pin;
            let from_free = self.grants[g].free.min(rest);
            self.grants[g].free -= from_free;
            self.post(
                LedgerAccount::Free,
                LedgerAccount::Spent,
                from_free,
                Some(g),
                None,
            );
            rest -= from_free;
            if from_pin + from_free > 0 {
                burned.push((g, from_pin + from_free));
            }
        }
        self.holds[h].burns.extend(burned.iter().copied());
        burned
    }

    /// The repeat of a commit, if this is one. I1, I3
    fn repeated_commit(
        &self,
        h: usize,
        r: &proto::CommitRequest,
    ) -> Answer<Option<proto::CommitResponse>> {
        let hold = &self.holds[h];
        let partial = r.r#final == Some(false);
        let is_partial = |c: &proto::CommitRequest| c.r#final == Some(false);
        let known = hold
            .commits
            .iter()
            .find(|c| partial && is_partial(&c.0) && c.0.commit_id == r.commit_id);
        // The final commit of a committed hold, or the late one of an expired hold, is the last.
        let late_or_final = hold.commits.iter().rfind(|c| c.1.late || !is_partial(&c.0));
        let first = match (known, late_or_final) {
            (Some(known), _) => known, // I1: a partial commit by its id, whatever the hold's state
            (None, None) => return Ok(None),
            (None, Some(last)) if partial => {
                // H12: a new partial commit of a committed hold; H11: a second late one under another id.
                if !last.1.late || last.0.commit_id != r.commit_id {
                    return Err(self.hold_ended(h));
                }
                last
            }
            (None, Some(last)) => last, // I1: a final commit by its hold
        };
        let (amount, all_held) = (
            |r: &proto::CommitRequest| amount_of(r),
            |r: &proto::CommitRequest| all_held(r),
        );
        let usage = |r: &proto::CommitRequest| match &r.what {
            Some(What::Usage(usage)) => Some(usage.clone()),
            _ => None,
        };
        same_content(&[
            ("amount", amount(&first.0) != amount(r)),
            ("usage", usage(&first.0) != usage(r)), // I2: whatever it costs by now
            ("all_held", all_held(&first.0) != all_held(r)),
            (
                "final",
                first.0.r#final.unwrap_or(true) != r.r#final.unwrap_or(true),
            ),
            ("commit_id", first.0.commit_id != r.commit_id),
        ])?;
        Ok(Some(first.1.clone()))
    }

    /// H6, H8, H9: what a commit does, once nothing refuses it.
    fn commit(
        &mut self,
        h: usize,
        amount: Credits,
        last: bool,
        late: bool,
    ) -> proto::CommitResponse {
        self.begin("commit", &self.holds[h].id.clone());
        let (held, set_aside) = (self.holds[h].held(), self.holds[h].amount());
        let burned = self.burn(h, amount);
        let charged: Credits = burned.iter().map(|b| b.1).sum();
        let rest = amount - charged;
        let overdrawn = rest.min((self.overdraft_limit - self.debt).max(0)); // D1, H8
        let absorbed = rest - overdrawn; // H8
        self.debt += overdrawn; // D2: only commits make debt
        self.post(
            LedgerAccount::Debt,
            LedgerAccount::Spent,
            overdrawn,
            None,
            None,
        );
        self.post(
            LedgerAccount::Absorbed,
            LedgerAccount::Spent,
            absorbed,
            None,
            None,
        );
        let from_pins = held - self.holds[h].held();
        let mut released = 0;
        if late {
            self.holds[h].late = true; // H11: final, the hold stays expired
        } else if last {
            released = self.end_hold(h, HoldState::Committed); // H5
        } else {
            // H6: the hold is smaller by x; what own pins did not pay of that comes off the promise, then off the pins
            // that would burn last.
            let mut shrink = amount.min(set_aside) - from_pins;
            let promise = self.holds[h].promise.min(shrink);
            self.holds[h].promise -= promise;
            shrink -= promise;
            for g in self.commit_order(h).into_iter().rev() {
                let part = self.holds[h].pin_of(g).min(shrink);
                if part > 0 {
                    self.return_pin(h, g, part);
                    shrink -= part;
                    released += part;
                }
            }
            self.settle(); // D4
        }
        let hold = &mut self.holds[h];
        (hold.charged, hold.overdrawn, hold.absorbed) = (
            hold.charged + charged,
            hold.overdrawn + overdrawn,
            hold.absorbed + absorbed,
        );
        proto::CommitResponse {
            charged: show(charged), // H9
            charged_by_grant: self.amounts(&burned),
            overdrawn: show(overdrawn),
            absorbed: show(absorbed),
            released: show(released),
            late,
            ..Default::default()
        }
    }

    /// H14: the overdrawn part first, against debt still owed, then the grants, last burned first.
    fn plan_refund(&self, h: usize, amount: Credits) -> RefundPlan {
        let hold = &self.holds[h];
        let overdrawn = amount.min(hold.overdrawn - hold.overdrawn_returned);
        let debt_reduced = overdrawn.min(self.debt);
        let mut plan = RefundPlan {
            debt_reduced,
            overdrawn,
            targets: Vec::new(),
            taken_from: Vec::new(),
            homeless: overdrawn - debt_reduced, // finds no debt
        };
        let mut rest = amount - overdrawn;
        for (i, (g, _)) in hold.burns.iter().enumerate().rev() {
            if hold.burns[i + 1..].iter().any(|later| later.0 == *g) {
                continue; // by its latest burn
            }
            let burned: Credits = hold.burns.iter().filter(|b| b.0 == *g).map(|b| b.1).sum();
            let part = rest.min(burned - hold.returned.get(g).copied().unwrap_or(0));
            if part == 0 {
                continue;
            }
            rest -= part;
            plan.taken_from.push((*g, part));
            // A live source: started, not ended, not revoked; of spent ones the 64 most recently spent are known.
            if self.grants[*g].standing == Standing::Started && !self.grants[*g].forgotten {
                plan.targets.push((*g, part));
            } else {
                plan.homeless += part;
            }
        }
        plan
    }

    fn refund(
        &mut self,
        h: usize,
        hold_id: &str,
        plan: &RefundPlan,
        amount: Credits,
        ttl: Micros,
    ) -> proto::RefundResponse {
        self.begin("refund", hold_id);
        self.holds[h].refunded += amount;
        self.holds[h].overdrawn_returned += plan.overdrawn;
        for (g, part) in &plan.taken_from {
            *self.holds[h].returned.entry(*g).or_default() += part;
        }
        self.debt -= plan.debt_reduced;
        self.post(
            LedgerAccount::Spent,
            LedgerAccount::Free,
            plan.debt_reduced,
            None,
            None,
        );
        self.post(
            LedgerAccount::Free,
            LedgerAccount::Debt,
            plan.debt_reduced,
            None,
            None,
        );
        let mut targets = plan.targets.clone();
        if plan.homeless > 0 {
            targets.push((self.grants.len(), plan.homeless)); // H14: one refund grant, last
            self.grants.push(Grant {
                id: format!("~refund:{}", self.sequence),
                kind: GrantKind::Refund,
                standing: Standing::Started,
                amount: plan.homeless,
                free: 0,
                priority: default_priority(GrantKind::Refund),
                starts_at: self.now,
                expires_at: Some(self.now + ttl),
                rollover: None,
                room: None,
                request: None,
                made: None,
                revoke: None,
                forgotten: false,
            });
        }
        for (g, part) in &targets {
            // Spent once more within this call, it is the latest that was.
            self.spent.retain(|spent| spent != g);
            self.grants[*g].free += part;
            self.post(
                LedgerAccount::Spent,
                LedgerAccount::Free,
                *part,
                Some(*g),
                None,
            );
        }
        self.settle(); // D4: what is free settles further debt
        let (debt_reduced, refunded_to) = (show(plan.debt_reduced), self.amounts(&targets));
        proto::RefundResponse {
            debt_reduced,
            refunded_to,
            ..Default::default()
        }
    }

    /// Every event takes the next sequence number, without a gap. O1
    fn begin(&mut self, event: &str, hold_id: &str) {
        self.sequence += 1;
        let by_clock = matches!(event, "grant_started" | "grant_expired" | "hold_expired");
        self.event = Transfer {
            sequence: self.sequence,
            event: event.into(),
            hold_id: hold_id.into(),
            actor: if by_clock {
                "clock".into()
            } else {
                String::new()
            },
            occurred_at: Some(timestamp(self.now)),
            ..Default::default()
        };
    }

    fn post(
        &mut self,
        debit: LedgerAccount,
        credit: LedgerAccount,
        amount: Credits,
        grant: Option<usize>,
        to: Option<usize>,
    ) {
        assert!(amount >= 0, "a transfer is never negative");
        if amount == 0 {
            return;
        }
        let mut row = self.event.clone();
        (row.debit, row.credit, row.amount) = (debit as i32, credit as i32, show(amount));
        if let Some(g) = grant {
            (row.grant_id, row.grant_kind) =
                (self.grants[g].id.clone(), self.grants[g].kind as i32);
        }
        if let Some(to) = to {
            row.to_grant_id = self.grants[to].id.clone();
        }
        self.event.index += 1;
        self.rows.push(row);
    }

    /// H14: as things stand when all that was due is done, and again when the call is.
    fn remember_spent(&mut self) {
        let pinned = self.pins_by_grant();
        // A rollover that pins of its ended source may still join is not spent. G3
        let awaits = |rollover: &str| {
            self.grants.iter().zip(&pinned).any(|(g, pins)| {
                let joins = rollover.strip_prefix("~rollover:") == Some(g.id.as_str());
                joins && g.standing == Standing::Expired && *pins > 0
            })
        };
        let grants = self.grants.iter().zip(&pinned);
        let is_spent: Vec<bool> = grants
            .map(|(g, pins)| {
                g.standing == Standing::Started && g.free + pins == 0 && !awaits(&g.id)
            })
            .collect();
        self.spent.retain(|g| is_spent[*g]);
        for g in self.burn_order() {
            if !is_spent[g] {
                self.grants[g].forgotten = false; // in use, awaited, or over
            } else if !self.grants[g].forgotten && !self.spent.contains(&g) {
                self.spent.push(g);
            }
        }
        while self.spent.len() > MOST_GRANTS {
            let oldest = self.spent.remove(0);
            self.grants[oldest].forgotten = true; // H14
        }
    }

    /// Conservation, from the rows and from the state alike. Called after every event.
    fn check(&mut self) {
        self.remember_spent();
        self.check_rows();
    }

    /// What open holds have pinned, by grant.
    /// The started grants of each kind, of spent ones those that are known.
    fn kinds(&self) -> Vec<proto::KindBalance> {
        let mut kinds: BTreeMap<i32, (Credits, Credits, Credits)> = BTreeMap::new();
        for (g, pins) in self.grants.iter().zip(self.pins_by_grant()) {
            if g.standing == Standing::Started && !g.forgotten {
                let kind = kinds.entry(g.kind.into()).or_default();
                (kind.0, kind.1, kind.2) = (kind.0 + g.amount, kind.1 + g.free, kind.2 + pins);
            }
        }
        let shown = |(kind, of): (i32, (Credits, Credits, Credits))| proto::KindBalance {
            kind,
            granted: show(of.0),
            free: show(of.1),
            held: show(of.2),
        };
        kinds.into_iter().map(shown).collect()
    }

    fn pins_by_grant(&self) -> Vec<Credits> {
        let mut pinned = vec![0; self.grants.len()];
        self.open_holds()
            .flat_map(|h| &h.pins)
            .for_each(|pin| pinned[pin.0] += pin.1);
        pinned
    }

    fn check_rows(&mut self) {
        let pinned = self.pins_by_grant();
        for row in &self.rows[self.rows_checked..] {
            let amount = parse(&row.amount).expect("the model writes amounts");
            self.sides[row.debit as usize] -= amount;
            self.sides[row.credit as usize] += amount;
            let to = if row.to_grant_id.is_empty() {
                &row.grant_id
            } else {
                &row.to_grant_id
            };
            for (side, grant, amount) in [
                (row.debit, &row.grant_id, -amount),
                (row.credit, to, amount),
            ] {
                let (free, held) = self.by_grant.entry(grant.clone()).or_default();
                *free += if side == LedgerAccount::Free as i32 {
                    amount
                } else {
                    0
                };
                *held += if side == LedgerAccount::Held as i32 {
                    amount
                } else {
                    0
                };
            }
        }
        self.rows_checked = self.rows.len();
        let side = |side: LedgerAccount| self.sides[side as usize];
        let absorbed: Credits = self.holds.iter().map(|h| h.absorbed).sum();
        let spent: Credits = self.holds.iter().map(|h| h.committed() - h.refunded).sum();
        assert_eq!(
            side(LedgerAccount::Free),
            self.free(),
            "free of the rows and of the state"
        );
        assert_eq!(
            side(LedgerAccount::Held),
            self.held(),
            "held is the sum of the pins of open holds"
        );
        assert_eq!(
            -side(LedgerAccount::Debt),
            self.debt,
            "debt of the rows and of the state"
        );
        assert_eq!(
            -side(LedgerAccount::Absorbed),
            absorbed,
            "absorbed of the rows and of the holds"
        );
        assert_eq!(
            side(LedgerAccount::Spent),
            spent,
            "spent of the rows and of the holds"
        );
        let given = -side(LedgerAccount::Issued); // granted - revoked
        let kept = self.free() + self.held() + spent + side(LedgerAccount::Breakage);
        assert_eq!(given + self.debt + absorbed, kept, "conservation");
        for (g, grant) in self.grants.iter().enumerate() {
            let of_rows = self.by_grant.get(&grant.id).copied().unwrap_or_default();
            assert_eq!(
                of_rows,
                (grant.free, pinned[g]),
                "free and held of grant {}",
                grant.id
            );
        }
        assert!(
            self.free() == 0 || self.debt == 0,
            "free and debt are never both positive"
        ); // D4
        assert!(
            self.debt >= 0 && self.grants.iter().all(|g| g.free >= 0),
            "nothing is negative"
        );
        assert!(
            self.free() + self.held() + self.pending() <= MOST_CREDITS,
            "A2"
        );
    }

    // Shown to the caller.

    pub fn balance(&self) -> proto::Balance {
        proto::Balance {
            balance: show(self.free() - self.debt),
            available: show(self.available()),
            free: show(self.free()),
            held: show(self.held()),
            debt: show(self.debt),
            pending: show(self.pending()),
            promised: show(self.promised()),
            as_of: Some(timestamp(self.now)),
            sequence: self.sequence,
        }
    }

    fn shown(&self) -> proto::Account {
        proto::Account {
            account_id: self.created.account_id.clone(),
            state: self.state() as i32,
            overdraft_limit: show(self.overdraft_limit),
            credit_limit: show(self.credit_limit),
            max_open_holds: self.max_open_holds,
            open_holds: self.open_count() as u32,
            etag: self.etag.to_string(),
            created_at: Some(timestamp(self.created_at)),
        }
    }

    fn shown_grant(&self, g: usize) -> proto::Grant {
        let grant = &self.grants[g];
        let r = grant.request.clone().unwrap_or_default();
        let state = match grant.standing {
            Standing::Pending => GrantState::Pending, // G7: visible
            Standing::Started => GrantState::Active,
            Standing::Expired => GrantState::Expired,
            Standing::Revoked => GrantState::Revoked,
            Standing::Closed => GrantState::Closed,
        };
        let free = if grant.standing == Standing::Pending {
            grant.amount
        } else {
            grant.free
        };
        proto::Grant {
            account_id: self.created.account_id.clone(),
            grant_id: grant.id.clone(),
            kind: grant.kind as i32,
            state: state as i32,
            amount: show(grant.amount),
            free: show(free),
            held: show(self.pinned(g)),
            priority: grant.priority,
            starts_at: Some(timestamp(grant.starts_at)),
            expires_at: grant.expires_at.map(timestamp),
            rollover: r.rollover.map(|r| proto::Rollover {
                cap: r.cap.map(|cap| show(parse(&cap).unwrap_or(0))),
                ..r
            }),
            non_refundable: r.non_refundable,
            provider: r.provider,
            external_reference: r.external_reference,
        }
    }

    fn shown_hold(&self, h: usize) -> proto::Hold {
        show_hold(&self.created.account_id, &self.holds[h])
    }

    fn amounts(&self, parts: &[(usize, Credits)]) -> Vec<GrantAmount> {
        let shown = parts.iter().map(|(g, amount)| GrantAmount {
            grant_id: self.grants[*g].id.clone(),
            kind: self.grants[*g].kind as i32,
            amount: show(*amount),
        });
        shown.collect()
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Validation: a request's own fields, all of them.

#[derive(Default)]
struct Fields(BTreeSet<String>);

impl Fields {
    fn check(&mut self, holds: bool, field: &str) {
        if !holds {
            self.0.insert(field.into());
        }
    }

    fn has(&self, field: &str) -> bool {
        self.0.contains(field)
    }

    fn amount(&mut self, text: &str, least: Credits, field: &str) -> Credits {
        let amount = parse(text).filter(|amount| *amount >= least); // A4
        self.check(amount.is_some(), field);
        amount.unwrap_or(0)
    }

    fn optional_amount(
        &mut self,
        text: &Option<String>,
        least: Credits,
        field: &str,
    ) -> Option<Credits> {
        text.as_ref().map(|text| self.amount(text, least, field))
    }

    fn ttl(&mut self, ttl: Option<&Duration>, most: Micros) -> Option<Micros> {
        self.duration(ttl, (1000, most), "ttl") // H4: 1 ms to the maximum; more is refused, never clamped
    }

    fn duration(
        &mut self,
        duration: Option<&Duration>,
        bounds: (Micros, Micros),
        field: &str,
    ) -> Option<Micros> {
        let length = span(duration?).filter(|length| (bounds.0..=bounds.1).contains(length));
        self.check(length.is_some(), field);
        length
    }

    fn instant(&mut self, at: Option<&Timestamp>, field: &str) -> Option<Micros> {
        let instant = instant(at?);
        self.check(instant.is_some(), field);
        instant
    }

    fn text(&mut self, text: &str, most: usize, field: &str) {
        self.check(
            text.len() <= most && !text.chars().any(char::is_control),
            field,
        );
    }

    fn durability(&mut self, durability: i32) {
        self.check((0..=2).contains(&durability), "durability");
    }

    fn done(self) -> Answer<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Refusal {
            fields: self.0,
            ..refuse(ErrorReason::Invalid, &[])
        })
    }
}

enum GrantExpiry {
    Never,
    At(Micros),
    In(Micros),
}

struct AskedGrant {
    amount: Credits,
    starts_at: Option<Micros>,
    expiry: GrantExpiry,
    rollover: Option<(Micros, Option<Credits>)>,
}

fn check_grant(r: &proto::GrantCreditsRequest) -> Answer<AskedGrant> {
    let mut fields = Fields::default();
    fields.check(is_account_id(&r.account_id), "account_id");
    fields.check(is_hold_id(&r.grant_id), "grant_id");
    let given = [GrantKind::Promo, GrantKind::Allowance, GrantKind::TopUp]; // G1: the others are made by Holdbook
    fields.check(given.iter().any(|kind| *kind as i32 == r.kind), "kind");
    let amount = fields.amount(&r.amount, 1, "amount"); // A4: may not be 0
    fields.check(
        r.priority.is_none_or(|priority| priority <= 1000),
        "priority",
    );
    let starts_at = fields.instant(r.starts_at.as_ref(), "starts_at");
    let expiry = match &r.expiry {
        None => GrantExpiry::Never,
        Some(Expiry::ExpiresAt(at)) => {
            GrantExpiry::At(fields.instant(Some(at), "expires_at").unwrap_or(0))
        }
        Some(Expiry::ExpiresIn(length)) => {
            let bounds = (SECOND, 36_600 * DAY);
            GrantExpiry::In(
                fields
                    .duration(Some(length), bounds, "expires_in")
                    .unwrap_or(0),
            )
        }
    };
    let rollover = r.rollover.as_ref().map(|rollover| {
        fields.check(r.expiry.is_some(), "rollover"); // G2: needs an expiry
        fields.check(rollover.duration.is_some(), "rollover.duration");
        let length = fields.duration(
            rollover.duration.as_ref(),
            (SECOND, 3_660 * DAY),
            "rollover.duration",
        );
        (
            length.unwrap_or(0),
            fields.optional_amount(&rollover.cap, 1, "rollover.cap"),
        )
    });
    fields.text(&r.provider, 64, "provider");
    fields.text(&r.external_reference, 128, "external_reference");
    fields.durability(r.durability);
    fields.done()?;
    Ok(AskedGrant {
        amount,
        starts_at,
        expiry,
        rollover,
    })
}

/// I3: everything sent but the durability.
fn same_grant(first: &proto::GrantCreditsRequest, r: &proto::GrantCreditsRequest) -> Answer<()> {
    let at = |r: &proto::GrantCreditsRequest| match &r.expiry {
        Some(Expiry::ExpiresAt(at)) => Some(*at),
        _ => None,
    };
    let within = |r: &proto::GrantCreditsRequest| match &r.expiry {
        Some(Expiry::ExpiresIn(length)) => Some(*length),
        _ => None,
    };
    let rollover = |r: &proto::GrantCreditsRequest| {
        r.rollover
            .as_ref()
            .map(|rollover| (rollover.duration, rollover.cap.as_deref().map(parse)))
    };
    same_content(&[
        ("kind", first.kind != r.kind),
        ("amount", parse(&first.amount) != parse(&r.amount)),
        ("priority", first.priority != r.priority),
        ("starts_at", first.starts_at != r.starts_at),
        ("expires_at", at(first) != at(r)),
        ("expires_in", within(first) != within(r)), // I2: durations as sent
        ("rollover", rollover(first) != rollover(r)),
        ("non_refundable", first.non_refundable != r.non_refundable),
        ("provider", first.provider != r.provider),
        (
            "external_reference",
            first.external_reference != r.external_reference,
        ),
    ])
}

fn is_account_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_hold_id(id: &str) -> bool {
    let tail = |b: u8| b.is_ascii_alphanumeric() || b"._:/@+=#-".contains(&b);
    (1..=128).contains(&id.len())
        && id.as_bytes()[0].is_ascii_alphanumeric()
        && id.bytes().all(tail)
}

fn is_grant_id(id: &str) -> bool {
    let made_here = id
        .strip_prefix("~rollover:")
        .or(id.strip_prefix("~refund:"));
    is_hold_id(made_here.unwrap_or(id))
}

fn are_labels(labels: &HashMap<String, String>) -> bool {
    let size: usize = labels.iter().map(|(k, v)| k.len() + v.len()).sum();
    let fine = |(k, v): (&String, &String)| {
        (1..=63).contains(&k.len())
            && v.len() <= 255
            && !k.chars().chain(v.chars()).any(char::is_control)
    };
    labels.len() <= 16 && size <= 1024 && labels.iter().all(fine)
}

fn amount_of(r: &proto::CommitRequest) -> Option<Option<Credits>> {
    match &r.what {
        Some(What::Amount(amount)) => Some(parse(amount)),
        _ => None,
    }
}

fn all_held(r: &proto::CommitRequest) -> bool {
    matches!(r.what, Some(What::AllHeld(true)))
}

// ---------------------------------------------------------------------------------------------------------------------
// Conversion.

/// A1: `[0-9]{1,10}(\.[0-9]{1,6})?`; A3: a seventh decimal is refused, never rounded.
pub fn parse(text: &str) -> Option<Credits> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, decimals)) => (whole, decimals),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 10
        || decimals.len() > 6
        || !digits(whole)
        || !digits(decimals)
    {
        return None;
    }
    let amount: Credits = format!("{whole}{decimals:0<6}").parse().ok()?;
    (amount <= MOST_CREDITS).then_some(amount) // A2
}

/// A1: no trailing zeros, `-` only on balances.
pub fn show(amount: Credits) -> String {
    let text = format!("{:07}", amount.unsigned_abs());
    let (whole, decimals) = text.split_at(text.len() - 6);
    let decimals = decimals.trim_end_matches('0');
    let sign = if amount < 0 { "-" } else { "" };
    if decimals.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{decimals}")
    }
}

fn show_hold(account_id: &str, hold: &Hold) -> proto::Hold {
    proto::Hold {
        account_id: account_id.into(),
        hold_id: hold.id.clone(),
        state: hold.state as i32,
        amount: show(hold.amount()),
        held: show(hold.held()),
        promised: show(hold.promise),
        requested: show(hold.requested),
        charged: show(hold.charged),
        overdrawn: show(hold.overdrawn),
        absorbed: show(hold.absorbed),
        released: show(hold.released),
        refunded: show(hold.refunded),
        late: hold.late,
        created_at: Some(timestamp(hold.created_at)),
        expires_at: hold.expires_at.map(timestamp),
        ended_at: hold.ended_at.map(timestamp),
        overage: hold.overage as i32,
        max_commit: hold.max_commit.map(show),
        labels: hold.labels.clone(),
        catalog_version: hold.version,
    }
}

fn overage(sent: i32) -> Overage {
    if sent == Overage::Reject as i32 {
        Overage::Reject
    } else {
        Overage::Allow
    } // H8: the default
}

fn default_priority(kind: GrantKind) -> u32 {
    match kind {
        GrantKind::Promo => 5, // G1
        GrantKind::Rollover => 9,
        GrantKind::Allowance => 10,
        GrantKind::TopUp | GrantKind::Refund | GrantKind::Unspecified => 100,
    }
}

pub fn timestamp(at: Micros) -> Timestamp {
    Timestamp {
        seconds: at.div_euclid(SECOND),
        nanos: (at.rem_euclid(SECOND) * 1000) as i32,
    }
}

pub fn micros(at: &Timestamp) -> Micros {
    at.seconds * SECOND + i64::from(at.nanos) / 1000
}

/// An instant between 1970 and 2200, to the microsecond.
fn instant(at: &Timestamp) -> Option<Micros> {
    const YEAR_2200: i64 = 7_258_118_400;
    let fine = (0..=999_999_999).contains(&at.nanos) && at.nanos % 1000 == 0;
    (fine && (0..=YEAR_2200).contains(&at.seconds))
        .then(|| micros(at))
        .filter(|at| *at <= YEAR_2200 * SECOND)
}

/// A positive duration, to the microsecond.
fn span(length: &Duration) -> Option<Micros> {
    let fine = length.seconds >= 0
        && (0..=999_999_999).contains(&length.nanos)
        && length.nanos % 1000 == 0;
    let micros = length
        .seconds
        .checked_mul(SECOND)?
        .checked_add(i64::from(length.nanos) / 1000)?;
    (fine && micros > 0).then_some(micros)
}

/// For metadata: `seconds.micros` since 1970, which the runner compares with whatever form is sent.
fn show_instant(at: Micros) -> String {
    format!("{}.{:06}", at.div_euclid(SECOND), at.rem_euclid(SECOND))
}
