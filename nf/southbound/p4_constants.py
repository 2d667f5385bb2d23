"""Constants shared with the P4 program.

Generated from `p4src/constants.p4` by `p4src/generate_constants.py`: change them there.
"""

MARKER_ETHERTYPE = 0x88B5  # IEEE 802 local experimental 1
BOUNCE_ADDRESS = 0x02B00CE00000  # destination of a packet handed back
DETOUR_ADDRESS = 0  # destination of a packet that comes by a detour
BUCKETS = 64  # hash buckets of one NF group
