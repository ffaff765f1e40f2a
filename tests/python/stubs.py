"""The generated client: `proto/` compiled with grpcio-tools when this module is imported, as any caller would do it.

It goes to a folder of this process alone, so that nothing old is ever tested. Each file of `proto/holdbook/v1` is here
under its name: `stubs.metering.ReserveRequest`, `stubs.metering_rpc.MeteringServiceStub`.
"""

import atexit
import importlib
import pathlib
import shutil
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

WELL_KNOWN_TYPES = pathlib.Path(grpc_tools.__file__).parent / "_proto"
ROOT = pathlib.Path(__file__).resolve().parents[2] / "proto"
FILES = sorted(ROOT.glob("holdbook/v1/*.proto"))


def _generate() -> None:
    folder = tempfile.mkdtemp(prefix="holdbook-python-client-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    inputs = [f"--proto_path={ROOT}", f"--proto_path={WELL_KNOWN_TYPES}"]
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    # protoc itself names the line at fault on stderr.
    if protoc.main(["protoc", *inputs, *outputs, *map(str, FILES)]) != 0:
        sys.exit(f"protoc could not compile {ROOT}")
    sys.path.insert(0, folder)


_generate()
_messages = {file.stem: importlib.import_module(f"holdbook.v1.{file.stem}_pb2") for file in FILES}

types = _messages["types"]
error = _messages["error"]
metering = _messages["metering"]
account = _messages["account"]
grant = _messages["grant"]
pricing = _messages["pricing"]
subscription = _messages["subscription"]
test_clock = _messages["test_clock"]
bench = _messages["bench"]

metering_rpc = importlib.import_module("holdbook.v1.metering_pb2_grpc")
account_rpc = importlib.import_module("holdbook.v1.account_pb2_grpc")
grant_rpc = importlib.import_module("holdbook.v1.grant_pb2_grpc")
pricing_rpc = importlib.import_module("holdbook.v1.pricing_pb2_grpc")
subscription_rpc = importlib.import_module("holdbook.v1.subscription_pb2_grpc")
test_clock_rpc = importlib.import_module("holdbook.v1.test_clock_pb2_grpc")
bench_rpc = importlib.import_module("holdbook.v1.bench_pb2_grpc")

_services = [service for module in _messages.values() for service in module.DESCRIPTOR.services_by_name.values()]
SERVICES = {service.full_name: service for service in _services}

# Every RPC of every file, by the path it has on the wire.
RPCS = {f"/{name}/{method.name}" for name, service in SERVICES.items() for method in service.methods}

# Every reason of the closed list, without its prefix, as ErrorInfo carries it.
REASONS = {name.removeprefix("ERROR_REASON_") for name in error.ErrorReason.keys()} - {"UNSPECIFIED"}
