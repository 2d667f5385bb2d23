"""The depth of simple_switch's egress queues, which only its Thrift server sets.

A queue holds 64 packets by default and drops what comes on top. A burst to one port,
such as the packets that were held for a flow, must fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thriftpy2.parser import load_fp
from thriftpy2.protocol import TBinaryProtocol, TMultiplexedProtocol
from thriftpy2.thrift import TClient, TException
from thriftpy2.transport import TBufferedTransport, TSocket

_SERVICE = "simple_switch"
_IDL = Path(__file__).with_name("simple_switch.thrift")


def set_depth(port: int, packets: int, timeout_s: float) -> bool:
    """Sets the depth of all egress queues, of ports to come as well.

    False when the Thrift server on the loopback does not answer.
    """
    with _IDL.open() as file:
        idl: Any = load_fp(file, "simple_switch_thrift")
    connection = TSocket("127.0.0.1", port)
    connection.set_timeout(timeout_s * 1000)
    transport = TBufferedTransport(connection)
    try:
        transport.open()
        protocol: Any = TMultiplexedProtocol(TBinaryProtocol(transport), _SERVICE)
        client: Any = TClient(idl.SimpleSwitch, protocol)
        client.set_all_egress_queue_depths(packets)
    except (TException, OSError, EOFError):
        return False
    finally:
        transport.close()
    return True
