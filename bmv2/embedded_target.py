"""The embedded switch as a process."""

from __future__ import annotations

import contextlib
import sys
import time

from bmv2.readiness import P4RuntimeProbe
from bmv2.switch_process import SwitchProcess, check_addresses, check_interfaces
from bmv2.target import SwitchOptions, TargetError


class EmbeddedTarget:
    """`python -m bmv2 run` as a process; the program is loaded when `start()` returns."""

    name = "embedded"
    thrift_address = None

    def __init__(self, options: SwitchOptions) -> None:
        self._options = options
        self._process: SwitchProcess | None = None

    @property
    def pid(self) -> int:
        """The process of the running switch. Raises TargetError when there is none."""
        if self._process is None:
            raise TargetError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Starts the switch with its program. Raises TargetError."""
        options = self._options
        check_addresses(options.grpc_address)
        check_interfaces(options.ports)
        deadline = time.monotonic() + options.start_timeout_s
        process = self._process = SwitchProcess(self.name, self._command(), options.log_file)
        try:
            probe = P4RuntimeProbe(options.grpc_address, options.device_id)
            with contextlib.closing(probe):
                process.wait_until(probe.answers, deadline, "no P4Runtime answer")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops the switch and waits for its end. Stopping twice is no error."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _command(self) -> list[str]:
        options = self._options
        ports = [
            part for number, name in options.ports.items() for part in ("-i", f"{number}@{name}")
        ]
        return [
            *(sys.executable, "-m", "bmv2", "run"),
            str(options.program),
            *("--p4info", str(options.p4info)),
            *("--device-id", str(options.device_id)),
            *("--cpu-port", str(options.cpu_port)),
            *("--grpc-server-addr", options.grpc_address),
            *ports,
            *options.extra_args,
        ]
