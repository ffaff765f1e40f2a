"""Commit charges what a job really used. It is never refused for lack of credits: the work is done."""

import json

from api import Api, amounts, has
from stubs import metering


def _hold(api: Api, account_id: str, hold_id: str, amount: str, **more) -> None:
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id=hold_id, amount=amount, **more))


def commit(api: Api) -> None:
    """A commit below the hold gives the rest back, and ends the hold"""
    account_id = api.new_account("commit")
    api.top_up(account_id, "20", "bought")
    _hold(api, account_id, "job", "10")

    request = metering.CommitRequest(account_id=account_id, hold_id="job", amount="7.25")
    answer = api.metering.Commit(request)
    has(answer, charged="7.25", overdrawn="0", absorbed="0", released="2.75", late=False, replayed=False)
    assert amounts(answer.charged_by_grant) == [("bought", "7.25")]
    has(answer.hold, state="COMMITTED", amount="0", held="0", charged="7.25", released="2.75", ended_at=api.now())
    has(answer.balance, balance="12.75", free="12.75", held="0")

    again = api.metering.Commit(request)
    has(again, charged="7.25", released="2.75", replayed=True)
    assert (again.hold, again.balance) == (answer.hold, answer.balance)
    request.amount = "7"
    refusal = api.refused(api.metering.Commit, request, "ID_REUSED", fields="amount", recorded=...)
    json.loads(refusal.metadata["recorded"])

    # All that is held is a choice of its own; it is never what an absent amount means.
    _hold(api, account_id, "all", "4")
    has(
        api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="all", all_held=True)),
        charged="4",
        released="0",
    )
    # A job that cost nothing: 0 charges 0.
    _hold(api, account_id, "nothing", "4")
    has(
        api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="nothing", amount="0")),
        charged="0",
        released="4",
    )

    nothing_said = metering.CommitRequest(account_id=account_id, hold_id="all")
    refusal = api.refused(api.metering.Commit, nothing_said, "INVALID")
    assert len(refusal.fields()) == 1, refusal.fields()
    api.invalid(
        api.metering.Commit, metering.CommitRequest(account_id=account_id, hold_id="all", all_held=False), "all_held"
    )
    unknown = metering.CommitRequest(account_id=account_id, hold_id="no-such-job", amount="1")
    api.refused(api.metering.Commit, unknown, "HOLD_NOT_FOUND")


def per_frame(api: Api) -> None:
    """final=false captures a part and keeps the hold open"""
    account_id = api.new_account("per-frame")
    api.top_up(account_id, "10")
    _hold(api, account_id, "film", "5")

    frame = metering.CommitRequest(
        account_id=account_id, hold_id="film", amount="1.5", final=False, commit_id="frame-1"
    )
    answer = api.metering.Commit(frame)
    has(answer, charged="1.5", released="0", replayed=False)
    has(answer.hold, state="OPEN", amount="3.5", held="3.5", charged="1.5")
    has(answer.balance, free="5", held="3.5")
    has(api.metering.Commit(frame), charged="1.5", replayed=True)
    frame.amount = "2"
    api.refused(api.metering.Commit, frame, "ID_REUSED", fields="amount", recorded=...)
    frame.commit_id = ""
    api.invalid(api.metering.Commit, frame, "commit_id")

    # The last one says what it adds, and ends the hold.
    last = api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="film", amount="2"))
    has(last, charged="2", released="1.5")
    has(last.hold, state="COMMITTED", charged="3.5", released="1.5")
    frame.commit_id = "frame-3"
    refusal = api.refused(api.metering.Commit, frame, "HOLD_ENDED", state=...)
    assert "committed" in refusal.metadata["state"].lower(), refusal.metadata


def above_the_hold(api: Api) -> None:
    """Above the hold: free credits, then debt up to the limit, and the rest is absorbed"""
    account_id = api.new_account("above", overdraft_limit="5")
    api.top_up(account_id, "12", "bought")
    _hold(api, account_id, "job", "10")
    answer = api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="job", amount="20"))
    has(answer, charged="12", overdrawn="5", absorbed="3", released="0")
    has(answer.hold, charged="12", overdrawn="5", absorbed="3")
    has(answer.balance, balance="-5", available="0", free="0", debt="5")

    # While there is debt, nothing new; work in flight would still be charged.
    job = metering.ReserveRequest(account_id=account_id, hold_id="next", amount="1")
    api.refused(api.metering.Reserve, job, "IN_DEBT", available="0", held="0", debt="5", short_by=..., credit_limit="0")
    work = metering.ChargeRequest(account_id=account_id, hold_id="next", amount="0")
    api.refused(api.metering.Charge, work, "IN_DEBT", debt="5", credit_limit="0")

    # The next grants settle it first.
    part = api.top_up(account_id, "2", "less-than-owed")
    has(part, settled="2")
    has(part.grant, amount="2", free="0")
    has(part.balance, balance="-3", debt="3", free="0")
    rest = api.top_up(account_id, "10", "more-than-owed")
    has(rest, settled="3")
    has(rest.balance, balance="7", debt="0", free="7")
    has(api.metering.Reserve(job), replayed=False)


def bounds(api: Api) -> None:
    """A caller who wants a bound sets one; a refused commit leaves the hold open"""
    account_id = api.new_account("bounds")
    api.top_up(account_id, "100")
    _hold(api, account_id, "strict", "5", overage="OVERAGE_REJECT")
    commit_of_6 = metering.CommitRequest(account_id=account_id, hold_id="strict", amount="6")
    api.refused(api.metering.Commit, commit_of_6, "ABOVE_HOLD", amount="6", limit="5")

    _hold(api, account_id, "capped", "5", max_commit="8")
    frame = metering.CommitRequest(
        account_id=account_id, hold_id="capped", amount="6", final=False, commit_id="frame-1"
    )
    has(api.metering.Commit(frame), charged="6")
    # The bound is on the sum of all commits of the hold.
    more = metering.CommitRequest(account_id=account_id, hold_id="capped", amount="2.5")
    api.refused(api.metering.Commit, more, "ABOVE_MAX_COMMIT", amount="8.5", limit="8")

    for hold_id in ["strict", "capped"]:
        has(api.metering.GetHold(metering.GetHoldRequest(account_id=account_id, hold_id=hold_id)).hold, state="OPEN")
    has(api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="strict", amount="5")), charged="5")
    has(api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="capped", amount="2")), charged="2")
