"""Loading programs: SetForwardingPipelineConfig and its counterpart.

Two pipelines can exist at a time: the *forwarding* one has the packets, the
*configured* one has the reads and writes. They differ between VERIFY_AND_SAVE and
COMMIT only (specification, section 14).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import (
    Code,
    P4RuntimeError,
    invalid,
    not_found,
)
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.reconcile import carry_over

_Set = p4r.SetForwardingPipelineConfigRequest
_Get = p4r.GetForwardingPipelineConfigRequest

Loader: TypeAlias = Callable[[bytes], Backend]
"""Makes a data plane of a device config, not started yet. Raises LoadError."""


class LoadError(Exception):
    """A device config cannot be realised. The message is one line."""


class PipelineConfigs:
    """The pipelines of one device."""

    def __init__(self, load: Loader, on_forwarding: Callable[[Pipeline | None], None]) -> None:
        """`on_forwarding` hears which pipeline has the packets, while that runs."""
        self._load = load
        self._on_forwarding = on_forwarding
        self._lock = asyncio.Lock()
        self._configured: Pipeline | None = None
        self._forwarding: Pipeline | None = None

    @property
    def forwarding(self) -> Pipeline | None:
        """The pipeline that has the packets."""
        return self._forwarding

    def configured(self) -> Pipeline:
        """The pipeline that reads and writes go to. Raises P4RuntimeError."""
        if self._configured is None:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION, "no forwarding pipeline config is set for this device"
            )
        return self._configured

    async def set(
        self,
        action: p4r.SetForwardingPipelineConfigRequest.Action.ValueType,
        config: p4r.ForwardingPipelineConfig | None,
        check_primary: Callable[[], None],
    ) -> None:
        """Does what a SetForwardingPipelineConfig asks for. Raises P4RuntimeError.

        `check_primary` raises it where who asks is not the primary, or not any more.
        """
        async with self._lock:
            check_primary()
            if action == _Set.COMMIT:
                if config is not None:
                    raise invalid("COMMIT takes the saved config, another one is given")
                if self._configured is self._forwarding:
                    raise not_found("no config is saved that is not committed")
                self._forward(self.configured())
                return
            if action not in (
                _Set.VERIFY,
                _Set.VERIFY_AND_SAVE,
                _Set.VERIFY_AND_COMMIT,
                _Set.RECONCILE_AND_COMMIT,
            ):
                raise invalid(f"pipeline config action {action}")
            if config is None:
                raise invalid("the config is missing")
            pipeline = await self._realise(config)
            check_primary()  # that took time
            if action == _Set.VERIFY:
                return
            if action == _Set.VERIFY_AND_SAVE:
                self._configured = pipeline
                return
            if action == _Set.RECONCILE_AND_COMMIT and self._forwarding is not None:
                carry_over(self._forwarding, pipeline)
            self._forward(pipeline)

    async def _realise(self, config: p4r.ForwardingPipelineConfig) -> Pipeline:
        schema = schema_of(config.p4info)
        if not config.p4_device_config:
            raise invalid("the device config is empty; it is the JSON that p4c makes for BMv2")
        try:
            # It runs a C compiler: packets of the controller must not wait for that.
            backend = await asyncio.to_thread(self._load, config.p4_device_config)
        except LoadError as error:
            raise invalid(str(error)) from error
        kept = p4r.ForwardingPipelineConfig()
        kept.CopyFrom(config)
        return Pipeline(kept, schema, backend)

    def _forward(self, pipeline: Pipeline) -> None:
        """Hands the packets over to another pipeline."""
        self.stop()
        try:
            pipeline.backend.start()
        except OSError as error:
            raise P4RuntimeError(
                Code.INTERNAL, f"the data plane does not start: {error}"
            ) from error
        self._configured = self._forwarding = pipeline
        self._on_forwarding(pipeline)

    def stop(self) -> None:
        """Stops forwarding. Stopping twice is no error."""
        if self._forwarding is not None:
            self._on_forwarding(None)
            self._forwarding.backend.stop()
        self._configured = self._forwarding = None

    def get(
        self, response_type: p4r.GetForwardingPipelineConfigRequest.ResponseType.ValueType
    ) -> p4r.ForwardingPipelineConfig | None:
        """What a GetForwardingPipelineConfig asks for; none where no config is set."""
        if self._configured is None:
            return None
        config = self._configured.config
        response = p4r.ForwardingPipelineConfig()
        if config.HasField("cookie"):
            response.cookie.CopyFrom(config.cookie)
        if response_type in (_Get.ALL, _Get.P4INFO_AND_COOKIE):
            response.p4info.CopyFrom(config.p4info)
        if response_type in (_Get.ALL, _Get.DEVICE_CONFIG_AND_COOKIE):
            response.p4_device_config = config.p4_device_config
        return response
