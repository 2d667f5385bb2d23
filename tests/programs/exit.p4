// exit ends a whole ingress or egress from wherever it is; return ends a control only.
#include "include/begin.p4"

header steps_t {
    bit<8> first;
    bit<8> table_hit;
    bit<8> inner;
    bit<8> after_inner;
    bit<8> last;
    bit<8> egress;
    bit<8> egress_last;
}

struct headers_t {
    ethernet_t ethernet;
    steps_t steps;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.steps);
        transition accept;
    }
}

control Innermost(inout headers_t hdr) {
    apply {
        if (hdr.ethernet.kind == 3) {
            exit;
        }
        if (hdr.ethernet.kind == 4) {
            return;
        }
        hdr.steps.inner = 1;
    }
}

control Inner(inout headers_t hdr) {
    Innermost() innermost;

    apply {
        innermost.apply(hdr);
        hdr.steps.after_inner = 1;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    Inner() inner;

    action leave() {
        exit;
    }
    action go(bit<8> value) {
        hdr.steps.table_hit = value;
        if (value == 9) {
            leave();
        }
        hdr.steps.table_hit = value + 1;
    }
    table rules {
        key = { hdr.ethernet.kind: exact; }
        actions = { leave; go; }
        default_action = go(5);
    }

    apply {
        std.egress_spec = 1;
        hdr.steps.first = 1;
        if (rules.apply().hit) {
            hdr.steps.table_hit[7:7] = 1;
        }
        inner.apply(hdr);
        hdr.steps.last = 1;
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        hdr.steps.egress = 1;
        if (hdr.ethernet.dst == 1) {
            exit;
        }
        hdr.steps.egress_last = 1;
    }
}

#include "include/end.p4"
