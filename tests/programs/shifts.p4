// Shifts by less than the width, by the width, and by more.
#include "include/begin.p4"

header operands_t {
    bit<8> operation;
    bit<8> a;
    bit<32> wide;
    bit<8> by;
}

struct headers_t {
    ethernet_t ethernet;
    operands_t in_;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.in_);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        bit<8> by = hdr.in_.by;
        switch (hdr.in_.operation) {
            0: { hdr.in_.a = hdr.in_.a << by; hdr.in_.wide = hdr.in_.wide << by; }
            1: { hdr.in_.a = hdr.in_.a >> by; hdr.in_.wide = hdr.in_.wide >> by; }
            2: {
                hdr.in_.a = (bit<8>) ((int<8>) hdr.in_.a << by);
                hdr.in_.wide = (bit<32>) ((int<32>) hdr.in_.wide << by);
            }
            3: {
                hdr.in_.a = (bit<8>) ((int<8>) hdr.in_.a >> by);
                hdr.in_.wide = (bit<32>) ((int<32>) hdr.in_.wide >> by);
            }
            4: { hdr.in_.a = hdr.in_.a << 7; hdr.in_.wide = hdr.in_.wide << 31; }
            5: { hdr.in_.a = hdr.in_.a << 9; hdr.in_.wide = hdr.in_.wide >> 33; }
            6: { hdr.in_.wide = 32w1 << hdr.in_.a; }
            7: { hdr.in_.wide = (bit<32>) ((bit<64>) hdr.in_.wide << by >> 32); }
        }
    }
}

#include "include/end.p4"
