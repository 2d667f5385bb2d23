// Multicast: copies per replica, their metadata and that they are independent.
#include "include/begin.p4"

header note_t {
    bit<16> rid;
    bit<16> port;
    bit<8> instance_type;
    bit<8> from_ingress;
    bit<16> length;
    bit<16> group;
}

header extra_t {
    bit<16> value;
}

struct headers_t {
    ethernet_t ethernet;
    note_t note;
    extra_t extra;
}

struct metadata_t {
    bit<8> from_ingress;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.note);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        meta.from_ingress = 0x55;
        std.egress_spec = 1;
        std.mcast_grp = hdr.ethernet.kind;
        if (hdr.ethernet.dst == 1) {
            hdr.extra.setValid();
        }
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        hdr.note = { std.egress_rid, (bit<16>) std.egress_port, (bit<8>) std.instance_type,
                     meta.from_ingress, (bit<16>) std.packet_length, std.mcast_grp };
        if (std.egress_rid == 2) {
            hdr.extra.setValid();
            hdr.extra.value = 0x2222;
        }
        meta.from_ingress = 0x66;
    }
}

#include "include/end.p4"
