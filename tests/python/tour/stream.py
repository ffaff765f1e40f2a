"""Meter is one stream for many operations: each is answered by itself, in any order, under the sequence that it came with."""

import queue

from api import STATUS, Api, has
from google.rpc import error_details_pb2
from stubs import metering


def meter(api: Api) -> None:
    """Operations over one stream; a refusal is one answer, with the code and details of a call, and the stream goes on"""
    account_id = api.new_account("stream")
    api.top_up(account_id, "10", "bought")
    waiting: queue.Queue = queue.Queue()
    answers = api.metering.Meter(iter(waiting.get, None))

    for n in range(4):
        request = metering.ReserveRequest(account_id=account_id, hold_id=f"frame-{n}", amount="3")
        waiting.put(metering.MeterRequest(sequence=n, reserve=request))
    found = {answer.sequence: answer for answer in (next(answers) for _ in range(4))}
    assert sorted(found) == [0, 1, 2, 3], f"not each once: {sorted(found)}"
    reserved = [n for n, answer in found.items() if answer.WhichOneof("outcome") == "reserve"]
    assert len(reserved) == 3, f"10 credits are 3 holds of 3: {found}"
    [refused] = [answer.failed for answer in found.values() if answer.WhichOneof("outcome") == "failed"]
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in refused.details), refused
    assert info.reason == "INSUFFICIENT_CREDITS" and info.metadata["short_by"] == "2", info
    assert refused.code == STATUS[info.reason][0].value[0], refused

    # What depends on an answer is sent after it.
    commit = metering.CommitRequest(account_id=account_id, hold_id=f"frame-{reserved[0]}", amount="2.5")
    release = metering.ReleaseRequest(account_id=account_id, hold_id=f"frame-{reserved[1]}")
    waiting.put(metering.MeterRequest(sequence=10, commit=commit))
    waiting.put(metering.MeterRequest(sequence=11, release=release))
    found = {answer.sequence: answer for answer in (next(answers) for _ in range(2))}
    has(found[10].commit, charged="2.5", released="0.5", replayed=False)
    has(found[11].release, released="3")
    waiting.put(None)
    assert list(answers) == [], "an answer to nothing"
