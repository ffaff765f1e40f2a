"""Reserve sets credits aside before a job, all or nothing."""

import json

from google.protobuf import duration_pb2, timestamp_pb2

from api import Api, amounts, has, later, seconds
from stubs import grant, metering


def reserve(api: Api) -> None:
    """A reserve pins grants in burn order and is safe to send again"""
    account_id = api.new_account("reserve")
    api.top_up(account_id, "100", "bought")
    allowance = grant.GrantCreditsRequest(
        account_id=account_id, grant_id="plan", kind="GRANT_KIND_ALLOWANCE", amount="10"
    )
    api.grants.GrantCredits(allowance)

    request = metering.ReserveRequest(account_id=account_id, hold_id="render/42", amount="15", ttl=seconds(600))
    request.labels.update({"project": "trailer", "node": "gpu-7"})

    # First as if: the answer of the real one, and nothing done.
    request.validate_only = True
    trial = api.metering.Reserve(request)
    has(trial.hold, state="OPEN", held="15")
    has(trial.balance, free="110", held="0")
    missing = metering.GetHoldRequest(account_id=account_id, hold_id="render/42")
    api.refused(api.metering.GetHold, missing, "HOLD_NOT_FOUND")
    request.validate_only = False

    answer = api.metering.Reserve(request)
    has(answer, promised="0", replayed=False)
    # The plan's credits go first, then the bought ones.
    assert amounts(answer.pinned) == [("plan", "10"), ("bought", "5")]
    has(answer.hold, state="OPEN", amount="15", held="15", promised="0", requested="15", charged="0", overage="ALLOW")
    has(
        answer.hold,
        created_at=api.now(),
        expires_at=later(api.now(), 600),
        labels={"project": "trailer", "node": "gpu-7"},
    )
    assert not answer.hold.HasField("ended_at") and not answer.hold.HasField("max_commit")
    has(answer.balance, balance="95", available="95", free="95", held="15")

    # A lost answer: the same call again is the same hold.
    again = api.metering.Reserve(request)
    has(again, replayed=True)
    assert (again.hold, again.pinned, again.balance) == (answer.hold, answer.pinned, answer.balance)
    # It may ask for more durability than before; that is not compared.
    request.durability = "DURABILITY_LEDGER"
    has(api.metering.Reserve(request), replayed=True, durability="LEDGER")
    # Other content under the id is refused.
    request.amount, request.labels["node"] = "16", "gpu-8"
    refusal = api.refused(api.metering.Reserve, request, "ID_REUSED", recorded=...)
    assert set(refusal.metadata["fields"].split(",")) == {"amount", "labels"}, refusal.metadata
    json.loads(refusal.metadata["recorded"])

    got = api.metering.GetHold(metering.GetHoldRequest(account_id=account_id, hold_id="render/42"))
    assert (got.hold, got.pinned, got.balance) == (answer.hold, answer.pinned, answer.balance)


def limits(api: Api) -> None:
    """A refused reserve says every limit in its way and leaves no trace"""
    account_id = api.new_account("limits", max_open_holds=2)
    api.top_up(account_id, "10")
    for hold_id, ttl in [("one", 60), ("two", 600)]:
        api.metering.Reserve(
            metering.ReserveRequest(account_id=account_id, hold_id=hold_id, amount="3", ttl=seconds(ttl))
        )
    before = api.balance(account_id)

    request = metering.ReserveRequest(account_id=account_id, hold_id="three", amount="1")
    api.refused(api.metering.Reserve, request, "CONCURRENCY_LIMIT", open_holds="2", max_open_holds="2")
    request.amount = "4.5"
    both = api.refused(api.metering.Reserve, request, "CONCURRENCY_LIMIT", open_holds="2", reasons=...)
    assert both.metadata["reasons"].split(",") == ["CONCURRENCY_LIMIT", "INSUFFICIENT_CREDITS"], both.metadata

    # A charge takes no slot, so only credits can stop it.
    work = metering.ChargeRequest(account_id=account_id, hold_id="work", amount="4.5")
    short = api.refused(
        api.metering.Charge,
        work,
        "INSUFFICIENT_CREDITS",
        available="4",
        held="6",
        debt="0",
        short_by="0.5",
        next_expiry=...,
    )
    # No open hold ends before this instant: until then, waiting alone does not help.
    instant = timestamp_pb2.Timestamp()
    instant.FromJsonString(short.metadata["next_expiry"])
    assert api.now().seconds < instant.seconds <= api.now().seconds + 60, instant
    assert api.balance(account_id) == before, "a refusal changed the balance"

    # The refused id is free: after a release the same call succeeds.
    api.metering.Release(metering.ReleaseRequest(account_id=account_id, hold_id="one"))
    has(api.metering.Reserve(request), replayed=False)


def on_credit(api: Api) -> None:
    """With a credit limit a reserve may go beyond the credits: a promise, not a debt"""
    account_id = api.new_account("on-credit", overdraft_limit="8", credit_limit="5")
    api.top_up(account_id, "10")
    answer = api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="job", amount="12"))
    has(answer, promised="2")
    has(answer.hold, amount="12", held="10", promised="2")
    has(answer.balance, free="0", held="10", debt="0", promised="2", available="3")

    done = api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="job", amount="12"))
    has(done, charged="10", overdrawn="2", absorbed="0", released="0")
    has(done.balance, balance="-2", debt="2", promised="0", available="3")


def invalid(api: Api) -> None:
    """Bad input: every violated field is named, nothing is written"""
    bad = metering.ReserveRequest(
        account_id="no spaces",
        hold_id="-starts-with-a-dash",
        amount="1.1234567",
        ttl=duration_pb2.Duration(seconds=-1),
        overage=7,
        max_commit="1e3",
        labels={f"key-{number}": "" for number in range(17)},
        durability=9,
    )
    fields = ["account_id", "hold_id", "amount", "ttl", "overage", "max_commit", "labels", "durability"]
    api.invalid(api.metering.Reserve, bad, *fields)
    api.invalid(api.metering.Reserve, metering.ReserveRequest(), "account_id", "hold_id", "amount")

    account_id = api.new_account("invalid")
    # A life beyond the maximum is refused, never shortened.
    for_ever = metering.ReserveRequest(
        account_id=account_id, hold_id="for-ever", amount="0", ttl=seconds(3660 * 86_400)
    )
    api.invalid(api.metering.Reserve, for_ever, "ttl")
    has(api.balance(account_id), sequence=1)
    nobody = metering.ReserveRequest(account_id="no-such-account", hold_id="job", amount="1")
    api.refused(api.metering.Reserve, nobody, "ACCOUNT_NOT_FOUND")
