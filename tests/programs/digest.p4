// Digests of two kinds, of which a packet has one: the last that it asks for.
#include "include/begin.p4"

struct headers_t {
    ethernet_t ethernet;
}

struct metadata_t { }

struct learned_t {
    bit<48> src;
    bit<9> port;
}

struct odd_t {
    bit<16> kind;
    bit<3> low;
    bit<48> dst;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        if (hdr.ethernet.kind[0:0] == 1) {
            digest<learned_t>(1, { hdr.ethernet.src, std.ingress_port });
        }
        if (hdr.ethernet.kind[1:1] == 1) {
            digest<odd_t>(1, { hdr.ethernet.kind, hdr.ethernet.dst[2:0], hdr.ethernet.dst });
        }
        if (hdr.ethernet.kind[2:2] == 1) {
            mark_to_drop(std);
        }
        hdr.ethernet.src = 0;  // a digest has the values of its moment
    }
}

#include "include/end.p4"
