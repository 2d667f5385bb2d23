"""Whether a P4Runtime server answers."""

from __future__ import annotations

import grpc
from finsy.proto import p4r, p4r_grpc

_ANSWER_TIMEOUT_S = 0.5
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


class P4RuntimeProbe:
    """Asks a P4Runtime server for its capabilities and for its program."""

    def __init__(self, address: str, device_id: int) -> None:
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._stub = p4r_grpc.P4RuntimeStub(self._channel)
        self._device_id = device_id

    def answers(self) -> bool:
        """Whether the server is up."""
        try:
            self._stub.Capabilities(
                p4r.CapabilitiesRequest(), timeout=_ANSWER_TIMEOUT_S, wait_for_ready=True
            )
        except grpc.RpcError:
            return False
        return True

    def set_pipeline(self, config: p4r.ForwardingPipelineConfig, timeout_s: float) -> str | None:
        """Loads a program while no controller is there; what the server says against it."""
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=self._device_id,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=config,
        )
        try:
            self._stub.SetForwardingPipelineConfig(request, timeout=timeout_s)
        except grpc.RpcError as error:
            return str(error.details())
        return None

    def close(self) -> None:
        """Hangs up."""
        self._channel.close()
