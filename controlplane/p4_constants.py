"""Constants shared with the P4 program.

Generated from `p4src/constants.p4` by `p4src/generate_constants.py`: change them there.
"""

CPU_PORT = 510
PACKET_IN_HOLD = 1  # a flow rule holds the packet's flow
PACKET_IN_BARRIER = 2  # a barrier has come back through the switch
PACKET_IN_BOUNCE = 3  # the owner of a flow's bucket refused it
PACKET_OUT_PORT = 0  # send it out of a port, as it is
PACKET_OUT_RELEASE = 1  # a held packet, to an instance
PACKET_OUT_MARKER = 2  # a marker, to an instance
PACKET_OUT_BARRIER = 3  # back to the controller as a packet_in
MARKER_ETHERTYPE = 0x88B5  # IEEE 802 local experimental 1
BOUNCE_ADDRESS = 0x02B00CE00000  # destination of a packet handed back
DETOUR_ADDRESS = 0  # destination of a packet that comes by a detour
STEERED_ADDRESS = 0x020000000000  # destination of a bounce steered like any packet
BUCKETS = 64  # hash buckets of one NF group
FIT_SLOTS = 8192  # slots of one way; there are two ways
FIT_END_LOW_FIN = 0x1  # the low endpoint has sent a FIN
FIT_END_HIGH_FIN = 0x2  # the high endpoint has sent a FIN
FIT_END_RST = 0x4  # either endpoint has sent a RST
AFFINITY_CELLS = 65536  # cells of one hash of the Bloom filter
DROP_MALFORMED = 0  # a header is truncated or contradicts itself
DROP_CHECKSUM = 1  # the IPv4 header checksum is wrong
DROP_NOT_IPV4 = 2  # neither IPv4 nor an ARP request for a gateway
DROP_TTL = 3  # the time to live has run out
DROP_NO_ROUTE = 4  # no route to the destination
DROP_NO_OWNER = 5  # the flow's bucket has no owner
DROP_NO_INSTANCE = 6  # the instance has no port
DROP_REASONS = 7
