"""Release gives a hold back: for jobs that failed or never ran."""

from api import Api, has
from stubs import metering


def release(api: Api) -> None:
    """`finally { release }` is safe: it never undoes a commit and may be repeated"""
    account_id = api.new_account("release")
    api.top_up(account_id, "10")
    for hold_id in ["failed", "done"]:
        api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id=hold_id, amount="3"))

    request = metering.ReleaseRequest(account_id=account_id, hold_id="failed")
    answer = api.metering.Release(request)
    has(answer, released="3", replayed=False)
    has(answer.hold, state="RELEASED", amount="0", held="0", released="3", ended_at=api.now())
    has(answer.balance, free="7", held="3")
    has(api.metering.Release(request), released="3", replayed=True)

    api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="done", amount="3"))
    after_commit = api.metering.Release(metering.ReleaseRequest(account_id=account_id, hold_id="done"))
    has(after_commit, released="0", replayed=False)
    has(after_commit.hold, state="COMMITTED", charged="3")
    has(after_commit.balance, free="7", held="0")

    # Credits that were given back are not there to be charged.
    too_late = metering.CommitRequest(account_id=account_id, hold_id="failed", amount="1")
    refusal = api.refused(api.metering.Commit, too_late, "HOLD_ENDED", state=...)
    assert "released" in refusal.metadata["state"].lower(), refusal.metadata
    api.refused(
        api.metering.Release, metering.ReleaseRequest(account_id=account_id, hold_id="no-such-job"), "HOLD_NOT_FOUND"
    )
    api.invalid(api.metering.Release, metering.ReleaseRequest(account_id=account_id), "hold_id")
