"""The real switch: BMv2's simple_switch_grpc."""

from __future__ import annotations

import contextlib
import shutil
import time

from finsy.proto import p4i, p4r
from google.protobuf import text_format

from bmv2 import egress_queues
from bmv2.listening import socket_path
from bmv2.readiness import P4RuntimeProbe
from bmv2.switch_process import SwitchProcess, check_addresses, check_interfaces
from bmv2.target import SwitchOptions, TargetError

_BINARY = "simple_switch_grpc"
_QUEUE_DEPTH = 100_000


def is_installed() -> bool:
    """Whether the switch is on PATH."""
    return shutil.which(_BINARY) is not None


def check_installed() -> None:
    """Raises TargetError when the switch is not on PATH."""
    if not is_installed():
        raise TargetError(f"no {_BINARY} on PATH: install BMv2, or choose the embedded switch")


class SimpleSwitchTarget:
    """`simple_switch_grpc` as a process; the program is loaded when `start()` returns."""

    name = "simple_switch"

    def __init__(self, options: SwitchOptions) -> None:
        self._options = options
        self._process: SwitchProcess | None = None

    @property
    def thrift_address(self) -> str:
        """Where its Thrift server listens."""
        return f"127.0.0.1:{self._options.thrift_port}"

    @property
    def pid(self) -> int:
        """The process of the running switch. Raises TargetError when there is none."""
        if self._process is None:
            raise TargetError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Starts the switch with its program. Raises TargetError."""
        check_installed()
        options = self._options
        config = _pipeline_config(options)
        # It would go on without a Thrift server, or with half of the gRPC calls.
        check_addresses(self.thrift_address, options.grpc_address)
        check_interfaces(options.ports)
        deadline = time.monotonic() + options.start_timeout_s
        self._process = SwitchProcess(self.name, self._command(), options.log_file)
        try:
            self._make_ready(self._process, config, deadline)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops the switch and waits for its end. Stopping twice is no error."""
        if self._process is not None:
            self._process.stop()
            self._process = None
            path = socket_path(self._options.grpc_address)
            if path is not None:
                path.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        options = self._options
        ports = [
            part for number, name in options.ports.items() for part in ("-i", f"{number}@{name}")
        ]
        return [
            _BINARY,
            *("--device-id", str(options.device_id)),
            *ports,
            *("--thrift-port", str(options.thrift_port)),
            *("--log-console", "-L", "warn"),
            *options.extra_args,
            # The program comes over P4Runtime: given here, it would be loaded twice.
            "--no-p4",
            "--",
            *("--grpc-server-addr", options.grpc_address),
            *("--cpu-port", str(options.cpu_port)),
        ]

    def _make_ready(
        self, process: SwitchProcess, config: p4r.ForwardingPipelineConfig, deadline: float
    ) -> None:
        options = self._options
        with contextlib.closing(P4RuntimeProbe(options.grpc_address, options.device_id)) as probe:
            process.wait_until(probe.answers, deadline, "no P4Runtime answer")
            process.wait_until(
                lambda: egress_queues.set_depth(options.thrift_port, _QUEUE_DEPTH, 1.0),
                deadline,
                "no Thrift answer (a switch built without Thrift cannot be used)",
            )
            refusal = probe.set_pipeline(config, max(1.0, deadline - time.monotonic()))
            process.check()
            if refusal is not None:
                raise TargetError(f"{self.name} refuses {options.program}: {refusal}")


def _pipeline_config(options: SwitchOptions) -> p4r.ForwardingPipelineConfig:
    try:
        p4info = text_format.Parse(options.p4info.read_text(), p4i.P4Info())
        return p4r.ForwardingPipelineConfig(
            p4info=p4info, p4_device_config=options.program.read_bytes()
        )
    except OSError as error:
        raise TargetError(f"{error.filename}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise TargetError(f"{options.p4info} is no P4Info: {error}") from error
