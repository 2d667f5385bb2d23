// Fields, keys and action data that are wider than 64 and 128 bits.
#include "include/begin.p4"

header operands_t {
    bit<8> operation;
    bit<128> a;
    bit<128> b;
}

header very_wide_t {
    bit<320> value;
}

struct headers_t {
    ethernet_t ethernet;
    operands_t in_;
    very_wide_t very_wide;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.in_);
        transition select(hdr.ethernet.kind) {
            2: very_wide;
            default: accept;
        }
    }
    state very_wide {
        packet.extract(hdr.very_wide);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    action give(bit<128> a, bit<72> b) {
        hdr.in_.a = a;
        hdr.in_.b = (bit<128>) b;
        std.egress_spec = 2;
    }
    action give_very_wide(bit<320> value) {
        hdr.very_wide.value = value;
        std.egress_spec = 3;
    }
    table by_address {
        key = { hdr.in_.a: exact; }
        actions = { give; give_very_wide; NoAction; }
        const default_action = NoAction();
    }
    table by_prefix {
        key = { hdr.in_.a: lpm; }
        actions = { give; NoAction; }
        const default_action = NoAction();
    }
    table by_mask {
        key = { hdr.in_.a: ternary; hdr.in_.b: ternary; }
        actions = { give; NoAction; }
        const default_action = NoAction();
    }
    table by_very_wide {
        key = { hdr.very_wide.value: exact; }
        actions = { give_very_wide; NoAction; }
        const default_action = NoAction();
    }

    apply {
        std.egress_spec = 1;
        switch (hdr.in_.operation) {
            0: { hdr.in_.a = hdr.in_.a + hdr.in_.b; }
            1: { hdr.in_.a = hdr.in_.a - hdr.in_.b; }
            2: { hdr.in_.a = hdr.in_.a * hdr.in_.b; }
            3: { hdr.in_.a = hdr.in_.a & ~hdr.in_.b; }
            4: { hdr.in_.a = hdr.in_.a << (bit<8>) hdr.in_.b; }
            5: { hdr.in_.a = hdr.in_.a >> (bit<8>) hdr.in_.b; }
            6: { hdr.in_.a = hdr.in_.a < hdr.in_.b ? hdr.in_.a : hdr.in_.b; }
            7: { hdr.in_.a = (bit<128>) ((int<128>) hdr.in_.a >> (bit<8>) hdr.in_.b); }
            8: { hdr.in_.a = hdr.in_.b[63:0] ++ hdr.in_.b[127:64]; }
            9: { hdr.in_.a = hdr.in_.a |+| hdr.in_.b; }
            10: { by_address.apply(); }
            11: { by_prefix.apply(); }
            12: { by_mask.apply(); }
            13: { by_very_wide.apply(); }
            14: { hdr.very_wide.value = hdr.very_wide.value + (bit<320>) hdr.in_.b; }
            15: { hdr.very_wide.value = hdr.very_wide.value << 65; }
            16: { hdr.very_wide.value[200:73] = hdr.in_.a; }
        }
    }
}

#include "include/end.p4"
