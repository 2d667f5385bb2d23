// A stack of header unions: parsed, indexed, pushed and popped.
#include "include/begin.p4"

header count_t {
    bit<8> operation;
    bit<8> index;
}

header short_t {
    bit<8> kind;
    bit<8> value;
}

header long_t {
    bit<8> kind;
    bit<24> value;
}

header_union item_t {
    short_t small;
    long_t big;
}

struct headers_t {
    ethernet_t ethernet;
    count_t count;
    item_t[3] items;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.count);
        transition item;
    }
    state item {
        transition select(packet.lookahead<bit<8>>()) {
            1: small;
            2: big;
            default: accept;
        }
    }
    state small {
        packet.extract(hdr.items.next.small);
        transition item;
    }
    state big {
        packet.extract(hdr.items.next.big);
        transition item;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        if (hdr.count.operation == 1) {
            hdr.items.push_front(1);
        } else if (hdr.count.operation == 2) {
            hdr.items.pop_front(1);
        } else if (hdr.count.operation == 3) {
            hdr.items.push_front(2);
            hdr.items[0].small.setValid();
            hdr.items[0].small = { 1, 0xaa };
        } else if (hdr.count.operation == 4) {
            hdr.items[0].big.setValid();
            hdr.items[0].big.value = 0x123456;
        } else if (hdr.count.operation == 5) {
            hdr.items[2] = hdr.items[0];
        }
    }
}

#include "include/end.p4"
