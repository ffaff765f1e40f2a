"""An account is the customer's workspace that owns credits: its limits, its states, its end."""

import json

import stubs
from api import Api, has, later
from stubs import account, grant, metering


def create(api: Api) -> None:
    """An account is created once, however often the call is sent"""
    account_id = api.new_account("create")
    # The same id with the same content is a repeat and answers what the first call did.
    request = account.CreateAccountRequest(account_id=account_id)
    answer = api.accounts.CreateAccount(request)
    has(answer, replayed=True, durability="LEDGER")
    has(answer.account, account_id=account_id, state="ACTIVE", overdraft_limit="0", credit_limit="0", max_open_holds=0)
    has(answer.account, open_holds=0, created_at=api.now())
    # Amounts are decimal strings. The creation is the account's first event.
    has(answer.balance, balance="0", available="0", free="0", held="0", debt="0", pending="0", promised="0", sequence=1)

    # With other content it is refused, and told what differs and what is recorded.
    request.overdraft_limit = "50"
    request.max_open_holds = 3
    refusal = api.refused(api.accounts.CreateAccount, request, "ID_REUSED", recorded=...)
    assert set(refusal.metadata["fields"].split(",")) == {"overdraft_limit", "max_open_holds"}, refusal.metadata
    json.loads(refusal.metadata["recorded"])

    got = api.accounts.GetAccount(account.GetAccountRequest(account_id=account_id))
    assert (got.account, got.balance.sequence) == (answer.account, 1)
    api.refused(api.accounts.GetAccount, account.GetAccountRequest(account_id="no-such-account"), "ACCOUNT_NOT_FOUND")
    api.refused(api.accounts.GetBalance, account.GetBalanceRequest(account_id="no-such-account"), "ACCOUNT_NOT_FOUND")

    # All violated fields are named at once, not only the first.
    bad = account.CreateAccountRequest(
        account_id="no spaces", overdraft_limit="-1", credit_limit="0.1234567", max_open_holds=1_000_001, durability=9
    )
    api.invalid(
        api.accounts.CreateAccount, bad, "account_id", "overdraft_limit", "credit_limit", "max_open_holds", "durability"
    )


def update(api: Api) -> None:
    """Limits change one by one, guarded by an etag if the caller wants"""
    account_id = api.new_account("update", overdraft_limit="10", max_open_holds=5)
    before = api.accounts.GetAccount(account.GetAccountRequest(account_id=account_id)).account

    request = account.UpdateAccountRequest(account_id=account_id, credit_limit="2.50", etag=before.etag)
    after = api.accounts.UpdateAccount(request)
    has(after, durability="LEDGER")
    # Fields that are absent stay; an amount comes back without trailing zeros.
    has(after.account, overdraft_limit="10", credit_limit="2.5", max_open_holds=5)
    assert after.account.etag != before.etag

    # Somebody who read the account before that change is told so.
    api.refused(api.accounts.UpdateAccount, request, "ETAG_MISMATCH", etag=after.account.etag)
    # Without an etag the same again changes nothing.
    request.etag = ""
    again = api.accounts.UpdateAccount(request)
    has(again.account, credit_limit="2.5", etag=after.account.etag)
    has(again.balance, sequence=after.balance.sequence)

    # A reserve may not go further beyond the credits than a commit may.
    too_far = account.UpdateAccountRequest(account_id=account_id, credit_limit="10.000001")
    api.invalid(api.accounts.UpdateAccount, too_far, "credit_limit")


def suspend(api: Api) -> None:
    """A suspended account takes no new work; what is in flight goes on"""
    account_id = api.new_account("suspend")
    api.top_up(account_id, "10")
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="before", amount="4"))

    suspended = api.accounts.UpdateAccount(
        account.UpdateAccountRequest(account_id=account_id, state="ACCOUNT_STATE_SUSPENDED")
    )
    has(suspended.account, state="SUSPENDED", open_holds=1)
    job = metering.ReserveRequest(account_id=account_id, hold_id="after", amount="1")
    api.refused(api.metering.Reserve, job, "ACCOUNT_SUSPENDED")
    work = metering.ChargeRequest(account_id=account_id, hold_id="after", amount="1")
    api.refused(api.metering.Charge, work, "ACCOUNT_SUSPENDED")
    has(api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="before", amount="4")), charged="4")
    has(api.top_up(account_id, "1", "top-up-2").balance, free="7")

    api.accounts.UpdateAccount(account.UpdateAccountRequest(account_id=account_id, state="ACCOUNT_STATE_ACTIVE"))
    has(api.metering.Reserve(job), replayed=False)

    # Frozen and closed are not set by callers.
    frozen = account.UpdateAccountRequest(account_id=account_id, state="ACCOUNT_STATE_FROZEN")
    api.invalid(api.accounts.UpdateAccount, frozen, "state")


def close(api: Api) -> None:
    """Closing is for ever: credits end, holds in flight still find theirs"""
    account_id = api.new_account("close")
    api.top_up(account_id, "10")
    pending = grant.GrantCreditsRequest(
        account_id=account_id, grant_id="next-month", kind="GRANT_KIND_ALLOWANCE", amount="5"
    )
    pending.starts_at.CopyFrom(later(api.now(), 86_400))
    api.grants.GrantCredits(pending)
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="in-flight", amount="3"))

    closed = api.accounts.CloseAccount(account.CloseAccountRequest(account_id=account_id))
    has(closed, breakage="7", lapsed="5", replayed=False, durability="LEDGER")
    has(closed.account, state="CLOSED", open_holds=1)
    has(closed.balance, balance="0", free="0", held="3", pending="0")
    has(
        api.accounts.CloseAccount(account.CloseAccountRequest(account_id=account_id)),
        breakage="7",
        lapsed="5",
        replayed=True,
    )

    job = metering.ReserveRequest(account_id=account_id, hold_id="too-late", amount="0")
    api.refused(api.metering.Reserve, job, "ACCOUNT_CLOSED")
    gift = grant.GrantCreditsRequest(account_id=account_id, grant_id="gift", kind="GRANT_KIND_PROMO", amount="1")
    api.refused(api.grants.GrantCredits, gift, "ACCOUNT_CLOSED")
    limit = account.UpdateAccountRequest(account_id=account_id, overdraft_limit="1")
    api.refused(api.accounts.UpdateAccount, limit, "ACCOUNT_CLOSED")

    # The job that was running pays one credit; the two that come back are breakage.
    last = api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="in-flight", amount="1"))
    has(last, charged="1", released="2")
    has(last.balance, free="0", held="0")
    # The id is never given out again.
    reborn = stubs.account.CreateAccountRequest(account_id=account_id)
    has(api.accounts.CreateAccount(reborn).account, state="CLOSED")
