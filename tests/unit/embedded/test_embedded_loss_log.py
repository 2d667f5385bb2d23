"""What the switch says of its losses: pytest tests/unit/embedded/test_embedded_loss_log.py"""

from __future__ import annotations

import pytest

from bmv2.embedded.library import FateCounts, PortCounts
from bmv2.embedded.loss_log import LossLog


def test_only_what_is_new_is_told(caplog: pytest.LogCaptureFixture) -> None:
    log, port, elsewhere = LossLog(), PortCounts(), FateCounts()
    log.tell({3: port}, elsewhere)
    assert not caplog.messages
    port.ring_full, elsewhere.to_cpu_full = 1200, 2
    log.tell({3: port}, elsewhere)
    log.tell({3: port}, elsewhere)
    ring, controller = caplog.messages
    assert ring.startswith("packets were lost at port 3, its ring was full")
    assert ring.endswith(": 1200")
    assert controller.startswith("packets for the controller were lost")
    assert controller.endswith(": 2")
    port.ring_full += 1
    log.tell({3: port}, elsewhere)
    assert caplog.messages[2].endswith(": 1")


def test_what_the_program_drops_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    LossLog().tell({3: PortCounts(ingress_drop=5, received=9)}, FateCounts(egress_drop=1))
    assert not caplog.messages
