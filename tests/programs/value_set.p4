// Parser value sets, of one field and of several.
#include "include/begin.p4"

header tag_t {
    bit<16> value;
    bit<16> result;
}

struct headers_t {
    ethernet_t ethernet;
    tag_t tag;
}

struct metadata_t { }

struct pair_t {
    bit<16> kind;
    bit<8> last;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    value_set<bit<16>>(4) kinds;
    value_set<pair_t>(4) pairs;

    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.kind) {
            kinds: by_kind;
            0xffff: accept;
            default: more;
        }
    }
    state more {
        transition select(hdr.ethernet.kind, hdr.ethernet.src[7:0]) {
            pairs: by_pair;
            default: accept;
        }
    }
    state by_kind {
        packet.extract(hdr.tag);
        hdr.tag.result = 1;
        transition accept;
    }
    state by_pair {
        packet.extract(hdr.tag);
        hdr.tag.result = 2;
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = hdr.tag.isValid() ? 9w1 : 2;
    }
}

#include "include/end.p4"
