// Numbers as wide as their type: assignments truncate, signed ones extend their sign, sums wrap,
// saturating ones stop.
#include "include/begin.p4"

header operands_t {
    bit<8> operation;
    bit<8> a;
    bit<8> b;
}

header result_t {
    bit<32> value;
}

struct headers_t {
    ethernet_t ethernet;
    operands_t in_;
    result_t result;
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
    bit<8> a = 0;
    bit<8> b = 0;
    int<8> sa = 0;
    int<8> sb = 0;

    action put(bit<32> value) { hdr.result.value = value; }
    action put_signed(int<32> value) { hdr.result.value = (bit<32>) value; }

    apply {
        std.egress_spec = 1;
        a = hdr.in_.a;
        b = hdr.in_.b;
        sa = (int<8>) a;
        sb = (int<8>) b;
        hdr.result.setValid();
        switch (hdr.in_.operation) {
            0: { put((bit<32>) (a + b)); }
            1: { put((bit<32>) (a - b)); }
            2: { put((bit<32>) (a * b)); }
            3: { put((bit<32>) (a |+| b)); }
            4: { put((bit<32>) (a |-| b)); }
            5: { put_signed((int<32>) (sa + sb)); }
            6: { put_signed((int<32>) (sa - sb)); }
            7: { put_signed((int<32>) (sa * sb)); }
            8: { put_signed((int<32>) (sa |+| sb)); }
            9: { put_signed((int<32>) (sa |-| sb)); }
            10: { put_signed((int<32>) sa); }
            11: { put((bit<32>) (bit<4>) a); }
            12: { put_signed((int<32>) (int<4>) sa); }
            13: { put((bit<32>) ~a); }
            14: { put((bit<32>) -a); }
            15: { put((bit<32>) (a ++ b)); }
            16: { put((bit<32>) a[6:2]); }
            17: { put(sa < sb ? 32w1 : 0); }
            18: { put(a < b ? 32w1 : 0); }
            19: { hdr.result.value[11:4] = a; }
            20: { put(8w0 ++ (a & b) ++ (a | b) ++ (a ^ b)); }
            21: { put_signed((int<32>) -sa); }
            22: { put((bit<32>) (bit<1>) (a > 0x7f)); }
        }
    }
}

#include "include/end.p4"
