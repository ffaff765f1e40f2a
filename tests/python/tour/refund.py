"""Refund returns what a hold was charged: a complaint, a broken render."""

import json

from api import Api, amounts, has
from stubs import account, metering


def refund(api: Api) -> None:
    """The overdrawn part first, against debt still owed, then the grants that paid"""
    account_id = api.new_account("refund", overdraft_limit="3")
    api.top_up(account_id, "10", "bought")
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="job", amount="10"))
    # 10 from the grant, 3 overdrawn, 1 absorbed.
    api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="job", amount="14"))

    request = metering.RefundRequest(account_id=account_id, hold_id="job", refund_id="ticket-1", amount="4")
    answer = api.metering.Refund(request)
    has(answer, debt_reduced="3", replayed=False, durability="LEDGER")
    assert amounts(answer.refunded_to) == [("bought", "1")]
    has(answer.hold, charged="10", overdrawn="3", absorbed="1", refunded="4")
    has(answer.balance, balance="1", free="1", debt="0")

    has(api.metering.Refund(request), debt_reduced="3", replayed=True)
    request.amount = "5"
    refusal = api.refused(api.metering.Refund, request, "ID_REUSED", fields="amount", recorded=...)
    json.loads(refusal.metadata["recorded"])

    # What was absorbed is not the customer's to get back: 9 are left.
    too_much = metering.RefundRequest(account_id=account_id, hold_id="job", refund_id="ticket-2", amount="10")
    api.refused(api.metering.Refund, too_much, "ABOVE_HOLD", amount="10", limit="9")
    too_much.amount = "0"
    api.invalid(api.metering.Refund, too_much, "amount")
    unknown = metering.RefundRequest(account_id=account_id, hold_id="no-such-job", refund_id="ticket-1", amount="1")
    api.refused(api.metering.Refund, unknown, "HOLD_NOT_FOUND")

    api.accounts.CloseAccount(account.CloseAccountRequest(account_id=account_id))
    too_much.amount = "1"
    api.refused(api.metering.Refund, too_much, "ACCOUNT_CLOSED")
