// Registers and indirect counters: narrow, signed and wide cells, and indices out of range.
#include "include/begin.p4"

header request_t {
    bit<8> operation;
    bit<32> index;
    bit<64> value;
}

struct headers_t {
    ethernet_t ethernet;
    request_t request;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.request);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    register<bit<12>, bit<32>>(8) narrow;
    register<int<16>, bit<32>>(4) signed;
    register<bit<63>, bit<32>>(5) large;
    register<bit<32>, bit<32>>(1) sum;
    counter<bit<32>>(6, CounterType.packets_and_bytes) seen;

    apply {
        std.egress_spec = 1;
        bit<12> small = 0xfff;
        int<16> number = -1;
        bit<63> big = 63w0x7edcba9876543210;
        bit<32> total = 0;
        seen.count(hdr.request.index);
        switch (hdr.request.operation) {
            0: {
                narrow.read(small, hdr.request.index);
                hdr.request.value = (bit<64>) small;
            }
            1: { narrow.write(hdr.request.index, (bit<12>) hdr.request.value); }
            2: {
                signed.read(number, hdr.request.index);
                hdr.request.value = (bit<64>) (int<64>) number;
            }
            3: { signed.write(hdr.request.index, (int<16>) (bit<16>) hdr.request.value); }
            4: {
                large.read(big, hdr.request.index);
                hdr.request.value = (bit<64>) big;
            }
            5: { large.write(hdr.request.index, (bit<63>) hdr.request.value); }
            6: {
                sum.read(total, 0);
                total = total + (bit<32>) hdr.request.value;
                sum.write(0, total);
                hdr.request.value = (bit<64>) total;
            }
        }
    }
}

#include "include/end.p4"
