// Hashes: each algorithm, base and max, and a max of zero.
#include "include/begin.p4"

header input_t {
    bit<8> which;
    bit<32> a;
    bit<16> b;
    bit<16> base;
    bit<32> max;
}

header result_t {
    bit<32> value;
}

struct headers_t {
    ethernet_t ethernet;
    input_t in_;
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

#define FIELDS { hdr.in_.a, hdr.in_.b }

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        bit<32> all = 0;
        bit<16> half = 0;
        bit<16> base = hdr.in_.base;
        bit<32> max = hdr.in_.max;
        hdr.result.setValid();
        switch (hdr.in_.which) {
            0: { hash(all, HashAlgorithm.crc32, base, FIELDS, max); }
            1: { hash(all, HashAlgorithm.crc16, base, FIELDS, max); }
            2: { hash(all, HashAlgorithm.csum16, base, FIELDS, max); }
            3: { hash(all, HashAlgorithm.xor16, base, FIELDS, max); }
            4: { hash(all, HashAlgorithm.identity, base, FIELDS, max); }
            5: { hash(all, HashAlgorithm.crc32, 16w0, FIELDS, 32w0x80000000); }
            6: { hash(half, HashAlgorithm.crc32, 16w0, FIELDS, 32w0xffffffff); all = (bit<32>) half; }
            7: { hash(all, HashAlgorithm.crc16, 16w100, FIELDS, 32w10); }
            8: { hash(all, HashAlgorithm.crc16, 16w7, FIELDS, 32w0); }
            9: { hash(all, HashAlgorithm.crc32, 16w0, { hdr.in_.a[3:0], hdr.in_.b[11:0] }, 33w0x100000000); }
            10: { hash(all, HashAlgorithm.identity, 16w0, { hdr.in_.b }, 32w0x10000); }
            11: { hash(half, HashAlgorithm.crc16, 16w0xfff0, FIELDS, 32w0x10000); all = (bit<32>) half; }
            12: { hash(all, HashAlgorithm.csum16, 16w0, { hdr.in_.a[7:0] }, 32w0x10000); }
            13: { hash(all, HashAlgorithm.crc32, 16w0, { hdr.ethernet }, 64w0x100000000); }
        }
        hdr.result.value = all;
    }
}

#include "include/end.p4"
