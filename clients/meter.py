"""A render node that meters many frames over one stream.

    python -m grpc_tools.protoc -I proto --python_out=out --grpc_python_out=out proto/holdbook/v1/*.proto
    PYTHONPATH=out python clients/meter.py 127.0.0.1:7600 acme

Reserves before each frame and commits what it cost. What a broken stream leaves unanswered is unknown, and is sent again: the same call is
safe to repeat.
"""

import queue
import sys
import time
import uuid

import grpc
from holdbook.v1 import metering_pb2 as metering
from holdbook.v1.metering_pb2_grpc import MeteringServiceStub

FRAMES = 200


def reserve(account_id: str, shot: str, frame: int) -> metering.MeterRequest:
    request = metering.ReserveRequest(account_id=account_id, hold_id=f"{shot}:frame-{frame}", amount="0.05")
    return metering.MeterRequest(sequence=frame, reserve=request)


def commit(account_id: str, shot: str, frame: int) -> metering.MeterRequest:
    request = metering.CommitRequest(account_id=account_id, hold_id=f"{shot}:frame-{frame}", amount="0.04")
    return metering.MeterRequest(sequence=frame, commit=request)


def meter(stub: MeteringServiceStub, account_id: str, shot: str, left: set[int]) -> int:
    """Frames that were paid; the others leave `left` only when they were refused."""
    requests: queue.Queue = queue.Queue()
    asked = {frame: reserve(account_id, shot, frame) for frame in sorted(left)}
    for request in asked.values():
        requests.put(request)
    paid = 0
    for answer in stub.Meter(iter(requests.get, None)):
        frame, outcome = answer.sequence, answer.WhichOneof("outcome")
        if outcome == "failed" and answer.failed.code == grpc.StatusCode.UNAVAILABLE.value[0]:
            time.sleep(0.25)
            requests.put(asked[frame])  # Nothing was decided.
            continue
        if outcome == "reserve":  # Here the frame is rendered.
            asked[frame] = commit(account_id, shot, frame)
            requests.put(asked[frame])
            continue
        if outcome == "commit":
            paid += 1
        else:
            print(f"frame {frame}: {answer.failed.message}")
        left.discard(frame)
        if not left:
            requests.put(None)
    return paid


def main(address: str, account_id: str) -> None:
    shot, left, paid = str(uuid.uuid4()), set(range(FRAMES)), 0
    with grpc.insecure_channel(address) as channel:
        while left:
            try:
                paid += meter(MeteringServiceStub(channel), account_id, shot, left)
            except grpc.RpcError as failure:
                if failure.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                time.sleep(0.25)
    print(f"{paid} of {FRAMES} frames are paid")


if __name__ == "__main__":
    main(*sys.argv[1:])
