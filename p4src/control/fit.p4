// The flow information table (FIT): bytes, last packet and TCP end of each flow
// that is active.
//
// A hash table in registers with two ways. One slot is four cells, one a register,
// each of at most 63 bits (BMv2's register calls carry signed 64-bit values):
//
//   low    low address (32), low port (16), protocol (8)
//   high   high address (32), high port (16)
//   load   bytes of the flow's frames, both directions (48), instance (8)
//   seen   time of the last packet in microseconds (48), end flags (8)
//
// Who looks for elephants reads load and seen of all slots, and low and high of
// those that are some.
//
// Eviction needs no sweep: a slot whose last packet is older than the activity
// window is free. A flow that finds both its slots taken by live flows is not
// recorded, and the overflow counter says so.

#ifndef UHAUL_FIT_P4
#define UHAUL_FIT_P4

#include "../constants.p4"
#include "../headers.p4"

// One way. The same slot is read first and written after the choice between the
// ways has been made, so `apply` is called twice for a packet.
control FitWay(
    in bool write,
    in bit<32> slot,
    inout bit<56> low,
    inout bit<48> high,
    inout bit<56> load,
    inout bit<56> seen)
{
    register<bit<56>>(FIT_SLOTS) fit_low;
    register<bit<48>>(FIT_SLOTS) fit_high;
    register<bit<56>>(FIT_SLOTS) fit_load;
    register<bit<56>>(FIT_SLOTS) fit_seen;

    apply {
        if (write) {
            fit_low.write(slot, low);
            fit_high.write(slot, high);
            fit_load.write(slot, load);
            fit_seen.write(slot, seen);
        } else {
            fit_low.read(low, slot);
            fit_high.read(high, slot);
            fit_load.read(load, slot);
            fit_seen.read(seen, slot);
        }
    }
}

control FlowInformationTable(
    in headers_t hdr,
    in flow_t flow,
    in instance_t instance,   // none: not known while the flow is held
    in timestamp_t window,
    in timestamp_t now,
    in bit<32> packet_length)
{
    FitWay() way_0;
    FitWay() way_1;
    counter(1, CounterType.packets_and_bytes) fit_overflow;

    bit<56> low;
    bit<56> low_0;
    bit<56> low_1;
    bit<48> high;
    bit<48> high_0;
    bit<48> high_1;
    bit<56> load;
    bit<56> load_0;
    bit<56> load_1;
    bit<56> seen;
    bit<56> seen_0;
    bit<56> seen_1;
    bit<48> bytes;
    bit<8> ends;

    apply {
        bit<32> slot_0 = flow.hash & (FIT_SLOTS - 1);
        bit<32> slot_1 = (bit<32>)flow.alternate & (FIT_SLOTS - 1);
        low = flow.key.low_address ++ flow.key.low_port ++ flow.key.protocol;
        high = flow.key.high_address ++ flow.key.high_port;
        low_0 = 0; high_0 = 0; load_0 = 0; seen_0 = 0;
        low_1 = 0; high_1 = 0; load_1 = 0; seen_1 = 0;
        way_0.apply(false, slot_0, low_0, high_0, load_0, seen_0);
        way_1.apply(false, slot_1, low_1, high_1, load_1, seen_1);

        bool live_0 = seen_0 != 0 && now - seen_0[55:8] <= window;
        bool live_1 = seen_1 != 0 && now - seen_1[55:8] <= window;
        bool match_0 = live_0 && low_0 == low && high_0 == high;
        bool match_1 = live_1 && low_1 == low && high_1 == high;

        bool known = match_0 || match_1;
        bool recorded = known || !live_0 || !live_1;
        bool in_way_1 = match_1 || (!known && live_0);

        // What the flow's slot says so far; nothing for a new flow.
        bytes = 0;
        ends = 0;
        instance_t at = NO_INSTANCE;
        if (match_0) {
            bytes = load_0[55:8];
            ends = seen_0[7:0];
            at = load_0[7:0];
        } else if (match_1) {
            bytes = load_1[55:8];
            ends = seen_1[7:0];
            at = load_1[7:0];
        }

        if (hdr.tcp.isValid()) {
            if (hdr.tcp.syn == 1 && hdr.tcp.ack == 0 && ends != 0) {
                // The ports of an ended connection are used again.
                bytes = 0;
                ends = 0;
            }
            if (hdr.tcp.rst == 1) {
                ends = ends | FIT_END_RST;
            } else if (hdr.tcp.fin == 1) {
                ends = ends | (flow.from_low ? FIT_END_LOW_FIN : FIT_END_HIGH_FIN);
            }
        }
        bytes = bytes + (bit<48>)packet_length;
        if (instance != NO_INSTANCE) {
            at = instance;
        }
        load = bytes ++ at;
        seen = now ++ ends;

        if (!recorded) {
            fit_overflow.count(0);
        } else if (in_way_1) {
            way_1.apply(true, slot_1, low, high, load, seen);
        } else {
            way_0.apply(true, slot_0, low, high, load, seen);
        }
    }
}

#endif
