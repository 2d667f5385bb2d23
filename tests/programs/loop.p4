// Packets that go through the ingress again, resubmitted or recirculated: what they keep, and that
// tables and counters see them each time.
#include "include/begin.p4"

header round_t {
    bit<8> number;
    bit<8> instance_type;
    bit<8> kept;
    bit<8> lost;
    bit<16> length;
    bit<16> in_port;
}

header extra_t {
    bit<24> value;
}

struct headers_t {
    ethernet_t ethernet;
    round_t[4] rounds;
    extra_t extra;
}

struct metadata_t {
    @field_list(1)
    bit<8> kept;
    bit<8> lost;
    bit<8> count;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(packet.lookahead<bit<8>>()) {
            0: accept;
            default: round;
        }
    }
    state round {
        packet.extract(hdr.rounds.next);
        transition select(packet.lookahead<bit<8>>()) {
            0: accept;
            default: round;
        }
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    counter<bit<32>>(8, CounterType.packets_and_bytes) passes;
    direct_counter(CounterType.packets_and_bytes) hits;

    action note() {
        hdr.rounds.push_front(1);
        hdr.rounds[0].setValid();
        hdr.rounds[0] = { 0xf0 | meta.kept, (bit<8>) std.instance_type, meta.kept, meta.lost,
                          (bit<16>) std.packet_length, (bit<16>) std.ingress_port };
        hits.count();
    }
    table every {
        key = { hdr.ethernet.kind: exact; }
        actions = { note; }
        default_action = note();
        counters = hits;
    }

    apply {
        std.egress_spec = 1;
        passes.count(std.instance_type);
        every.apply();
        meta.lost = 0x99;
        if (hdr.ethernet.kind == 1 && std.instance_type == 0) {
            meta.kept = 7;
            resubmit_preserving_field_list(1);
        } else if (hdr.ethernet.kind == 2 && meta.kept < 2) {
            meta.kept = meta.kept + 1;
            resubmit_preserving_field_list(1);
        } else if (hdr.ethernet.kind == 3 && std.instance_type == 0) {
            resubmit_preserving_field_list(1);
            mark_to_drop(std);
        } else if (hdr.ethernet.kind == 7 && std.instance_type == 0) {
            std.egress_spec = 511;  // never comes to where it would be recirculated
        }
        meta.count = meta.kept;
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        if (hdr.ethernet.kind == 4 && meta.kept == 0) {
            meta.kept = 5;
            hdr.extra.setValid();
            recirculate_preserving_field_list(1);
        } else if (hdr.ethernet.kind == 5 && meta.kept < 2) {
            meta.kept = meta.kept + 1;
            recirculate_preserving_field_list(1);
        } else if (hdr.ethernet.kind == 6 && meta.kept == 0) {
            meta.kept = 1;
            mark_to_drop(std);
            recirculate_preserving_field_list(1);
        } else if (hdr.ethernet.kind == 7) {
            recirculate_preserving_field_list(1);
        } else if (hdr.ethernet.kind == 8 && meta.kept == 0) {
            meta.kept = 1;
            truncate(30);
            recirculate_preserving_field_list(1);
        }
    }
}

#include "include/end.p4"
