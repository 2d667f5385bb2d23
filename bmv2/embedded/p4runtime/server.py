"""The P4Runtime service on a listening socket."""

from __future__ import annotations

from typing import TypeAlias

import grpc
from finsy.proto import p4r
from google.protobuf.message import Message

from bmv2.embedded.p4runtime.batch import Batch
from bmv2.embedded.p4runtime.service import P4RuntimeService
from bmv2.listening import ListenError, check_free

_SERVICE = "p4.v1.P4Runtime"
_MAX_REQUEST_BYTES = 256 << 20

_Server: TypeAlias = "grpc.aio.Server"


def _serialise(response: Message | bytes) -> bytes:
    """Register cells come from the data plane in serialised form, everything else does not."""
    return response if isinstance(response, bytes) else response.SerializeToString()


def _handlers(service: P4RuntimeService) -> grpc.GenericRpcHandler:
    unary, out, both = (
        grpc.unary_unary_rpc_method_handler,
        grpc.unary_stream_rpc_method_handler,
        grpc.stream_stream_rpc_method_handler,
    )
    methods = {
        "Capabilities": (unary, service.capabilities, p4r.CapabilitiesRequest.FromString),
        "Write": (unary, service.write, Batch.parse),
        "Read": (out, service.read, p4r.ReadRequest.FromString),
        "SetForwardingPipelineConfig": (
            unary,
            service.set_forwarding_pipeline_config,
            p4r.SetForwardingPipelineConfigRequest.FromString,
        ),
        "GetForwardingPipelineConfig": (
            unary,
            service.get_forwarding_pipeline_config,
            p4r.GetForwardingPipelineConfigRequest.FromString,
        ),
        "StreamChannel": (both, service.stream_channel, p4r.StreamMessageRequest.FromString),
    }
    return grpc.method_handlers_generic_handler(
        _SERVICE,
        {
            name: make(
                method,
                request_deserializer=parse,
                response_serializer=_serialise,
            )
            for name, (make, method, parse) in methods.items()
        },
    )


async def listen(
    service: P4RuntimeService, address: str, credentials: grpc.ServerCredentials | None = None
) -> _Server:
    """Starts to serve on `host:port` or `unix:/path`, with TLS where there are credentials.

    Raises ListenError.
    """
    check_free(address)
    server = grpc.aio.server(
        options=[
            # Otherwise a second switch on the same port would get half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
        ]
    )
    server.add_generic_rpc_handlers((_handlers(service),))
    try:
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise ListenError(f"cannot listen on {address}")
    await server.start()
    return server
