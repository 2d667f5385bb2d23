// Everything that the P4 program shares with Python.
//
// This file is the one place where these numbers stand: `generate_constants.py`
// writes them out for the controller and for the network functions, and a test
// fails when what it wrote is stale. Keep each line in the form
//     const <type> NAME = <literal>;

#ifndef UHAUL_CONSTANTS_P4
#define UHAUL_CONSTANTS_P4

// --- ports -------------------------------------------------------------------
const bit<9> CPU_PORT = 510;

// --- packet_in: why a packet came to the controller --------------------------
const bit<8> PACKET_IN_HOLD = 1;     // a flow rule holds the packet's flow
const bit<8> PACKET_IN_BARRIER = 2;  // a barrier has come back through the switch
const bit<8> PACKET_IN_BOUNCE = 3;   // the owner of a flow's bucket refused it

// --- packet_out: what the controller wants done with a packet ----------------
const bit<8> PACKET_OUT_PORT = 0;     // send it out of a port, as it is
const bit<8> PACKET_OUT_RELEASE = 1;  // a held packet, to an instance
const bit<8> PACKET_OUT_MARKER = 2;   // a marker, to an instance
const bit<8> PACKET_OUT_BARRIER = 3;  // back to the controller as a packet_in

// --- frames between the controller, the switch and an instance ---------------
const bit<16> MARKER_ETHERTYPE = 0x88B5;           // IEEE 802 local experimental 1
const bit<48> BOUNCE_ADDRESS = 0x02b00ce00000;     // destination of a packet handed back
const bit<48> DETOUR_ADDRESS = 0;                  // destination of a packet that comes by a detour
const bit<48> STEERED_ADDRESS = 0x020000000000;    // destination of a bounce steered like any packet

// --- groups and buckets ------------------------------------------------------
const bit<16> BUCKETS = 64;  // hash buckets of one NF group

// --- flow information table --------------------------------------------------
const bit<32> FIT_SLOTS = 8192;       // slots of one way; there are two ways
const bit<8> FIT_END_LOW_FIN = 0x1;   // the low endpoint has sent a FIN
const bit<8> FIT_END_HIGH_FIN = 0x2;  // the high endpoint has sent a FIN
const bit<8> FIT_END_RST = 0x4;       // either endpoint has sent a RST

// --- affinity ----------------------------------------------------------------
const bit<32> AFFINITY_CELLS = 65536;  // cells of one hash of the Bloom filter

// --- drops: index into the counter `drops` -----------------------------------
const bit<32> DROP_MALFORMED = 0;    // a header is truncated or contradicts itself
const bit<32> DROP_CHECKSUM = 1;     // the IPv4 header checksum is wrong
const bit<32> DROP_NOT_IPV4 = 2;     // neither IPv4 nor an ARP request for a gateway
const bit<32> DROP_TTL = 3;          // the time to live has run out
const bit<32> DROP_NO_ROUTE = 4;     // no route to the destination
const bit<32> DROP_NO_OWNER = 5;     // the flow's bucket has no owner
const bit<32> DROP_NO_INSTANCE = 6;  // the instance has no port
const bit<32> DROP_REASONS = 7;

#endif
