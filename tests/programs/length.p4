// packet_length, while headers come and go; truncate, and what copies keep of it.
#include "include/begin.p4"

header report_t {
    bit<16> before;
    bit<16> after;
    bit<16> egress;
    bit<16> cut;
}

header extra_t {
    bit<40> value;
}

struct headers_t {
    ethernet_t ethernet;
    report_t report;
    extra_t[3] extra;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.report);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.report.before = (bit<16>) std.packet_length;
        if (hdr.ethernet.kind[0:0] == 1) {
            hdr.extra[0].setValid();
            hdr.extra[0].setValid();
        }
        if (hdr.ethernet.kind[1:1] == 1) {
            hdr.extra.push_front(1);
            hdr.extra[0].setValid();
        }
        if (hdr.ethernet.kind[2:2] == 1) {
            hdr.extra[0].setInvalid();
        }
        if (hdr.ethernet.kind[3:3] == 1) {
            hdr.extra[2] = hdr.extra[0];
        }
        if (hdr.ethernet.kind[4:4] == 1) {
            truncate((bit<32>) hdr.report.cut);
        }
        if (hdr.ethernet.kind[7:7] == 1) {
            std.mcast_grp = 1;
        }
        if (hdr.ethernet.kind[8:8] == 1) {
            clone(CloneType.I2E, 1);
        }
        hdr.report.after = (bit<16>) std.packet_length;
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        hdr.report.egress = (bit<16>) std.packet_length;
        if (hdr.ethernet.kind[5:5] == 1) {
            truncate((bit<32>) hdr.report.cut);
        }
        if (hdr.ethernet.kind[6:6] == 1) {
            truncate(1000);
        }
        if (hdr.ethernet.kind[9:9] == 1 && std.instance_type == 0) {
            clone(CloneType.E2E, 1);
        }
    }
}

#include "include/end.p4"
