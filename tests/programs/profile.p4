// Tables whose entries name members of an action profile, or groups of a selector's.
#include "include/begin.p4"

header key_t {
    bit<8> which;
    bit<8> flow;
    bit<16> result;
}

struct headers_t {
    ethernet_t ethernet;
    key_t key_;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.key_);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    action_profile(16) members;
    action_selector(HashAlgorithm.crc16, 32, 16) groups;

    action answer(bit<16> number) {
        hdr.key_.result = number;
    }
    action drop() {
        mark_to_drop(std);
    }
    table with_members {
        key = { hdr.ethernet.src: exact; }
        actions = { answer; drop; NoAction; }
        implementation = members;
    }
    table with_groups {
        key = { hdr.ethernet.src: exact; hdr.ethernet.dst: selector; hdr.key_.flow: selector; }
        actions = { answer; drop; NoAction; }
        implementation = groups;
    }

    apply {
        std.egress_spec = 1;
        if (hdr.key_.which == 0) {
            with_members.apply();
        } else {
            with_groups.apply();
        }
    }
}

#include "include/end.p4"
