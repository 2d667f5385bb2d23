// Hashes and checksums over what is no whole bytes: a varbit, a header and the payload behind
// a field of four bits.
#include "include/begin.p4"

header odd_t {
    bit<8> which;
    bit<8> bits;
    bit<4> first;
    bit<4> second;
    varbit<64> rest;
}

header result_t {
    bit<32> value;
    bit<16> sum;
}

struct headers_t {
    ethernet_t ethernet;
    result_t result;
    odd_t odd;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.result);
        packet.extract(hdr.odd, (bit<32>) packet.lookahead<bit<16>>()[7:0]);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        bit<32> all = 0;
        if (hdr.odd.isValid()) {
            switch (hdr.odd.which) {
                0: { hash(all, HashAlgorithm.crc32, 16w0, { hdr.odd.first, hdr.odd.rest }, 64w0x100000000); }
                1: { hash(all, HashAlgorithm.crc32, 16w0, { hdr.odd.rest }, 64w0x100000000); }
                2: { hash(all, HashAlgorithm.crc16, 16w0, { hdr.odd.first, hdr.odd.rest, hdr.odd.bits }, 32w0x10000); }
                3: { hash(all, HashAlgorithm.csum16, 16w0, { hdr.odd.rest, hdr.odd.first }, 32w0x10000); }
                4: { hash(all, HashAlgorithm.crc32, 16w0, { hdr.odd.first }, 64w0x100000000); }
            }
        }
        hdr.result.value = all;
    }
}

#define OWN_COMPUTE
control Compute(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum_with_payload(hdr.odd.which >= 8, { hdr.odd.first },
                                     hdr.result.sum, HashAlgorithm.csum16);
    }
}

#include "include/end.p4"
