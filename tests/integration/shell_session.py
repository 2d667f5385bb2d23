"""What a user types into p4runtime-shell; run with its environment's Python.

Arguments: address, P4Info, device config. What the switch answers goes to standard output, as
JSON.
"""

# p4runtime-shell is in an environment of its own, which the type checker does not see.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import sys

import p4runtime_sh.shell as sh
from p4runtime_sh.p4runtime import P4RuntimeWriteException

HOST, CONTROLLER, SOURCE = "00:00:00:00:00:01", "00:00:00:00:00:02", "00:00:00:00:0a:0b"
_WAIT_S = 10.0


def entry(host: str, action: str, **arguments: str) -> sh.TableEntry:
    made = sh.TableEntry("hosts")(action=action)
    made.match["hdr.ethernet.dst"] = host
    for name, value in arguments.items():
        made.action[name] = value
    return made


def main(address: str, p4info: str, device_config: str) -> None:
    sh.setup(
        device_id=1,
        grpc_addr=address,
        election_id=(0, 1),
        config=sh.FwdPipeConfig(p4info, device_config),
        verbose=False,
    )
    try:
        json.dump(session(), sys.stdout)
    finally:
        sh.teardown()


def session() -> dict[str, object]:
    found: dict[str, object] = {}
    packets, digests = sh.PacketIn(), sh.DigestList()
    digest = sh.DigestEntry("learned_t")
    digest.max_timeout_ns, digest.max_list_size, digest.ack_timeout_ns = 0, 1, 10**12
    digest.insert()

    entry(HOST, "to_port", port="1").insert()
    trap = entry(CONTROLLER, "to_controller", reason="7")
    trap.insert()
    entry(HOST, "drop").modify()
    found["entries"] = sorted(
        (str(each.match["hdr.ethernet.dst"].exact.value.hex()), each.action.action_name)
        for each in sh.TableEntry("hosts").read()
    )

    frame = bytes.fromhex((CONTROLLER + SOURCE).replace(":", "")) + b"\x08\x00payload"
    sh.PacketOut(frame, as_if_from="5", pad="0").send()
    packet = packets.packet_in_queue.get(timeout=_WAIT_S).packet
    found["packet"] = [packet.payload.hex(), [each.value.hex() for each in packet.metadata]]
    (learned,) = digests.digest_list_queue.get(timeout=_WAIT_S).digest.data
    found["digest"] = [member.bitstring.hex() for member in learned.struct.members]

    counter = sh.DirectCounterEntry("hits")
    counter.table_entry.match["hdr.ethernet.dst"] = CONTROLLER
    found["counts"] = [[each.packet_count, each.byte_count] for each in counter.read()]

    try:
        trap.insert()
    except P4RuntimeWriteException as error:
        found["second insert"] = str(error)
    trap.delete()
    found["left"] = len(list(sh.TableEntry("hosts").read()))
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
