// Dropping: the drop port, what undoes mark_to_drop, and what a drop leaves of multicast.
#include "include/begin.p4"

struct headers_t {
    ethernet_t ethernet;
}

struct metadata_t { }

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
        switch (hdr.ethernet.kind) {
            1: { mark_to_drop(std); }
            2: { mark_to_drop(std); std.egress_spec = 2; }
            3: { std.egress_spec = 511; }
            4: { std.mcast_grp = 1; mark_to_drop(std); }
            5: { mark_to_drop(std); std.mcast_grp = 1; }
            6: { std.mcast_grp = 1; std.egress_spec = 511; }
            7: { std.mcast_grp = 9; }     // no such group
            8: { std.egress_spec = 77; }  // no such port
            9: { std.egress_spec = 510; std.egress_spec = std.egress_spec + 3; }  // wraps to 1
            10: { mark_to_drop(std); hdr.ethernet.src = (bit<48>) std.egress_spec; std.egress_spec = 3; }
            16: { std.mcast_grp = 1; }
        }
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        switch (hdr.ethernet.kind) {
            11: { mark_to_drop(std); }
            12: { std.egress_spec = 2; }  // too late
            13: { std.egress_spec = 511; }
            14: { mark_to_drop(std); std.egress_spec = 2; }
            15: { hdr.ethernet.src = (bit<48>) std.egress_spec; }
            16: { if (std.egress_rid == 1) { mark_to_drop(std); } }
            17: { std.egress_port = 2; }
        }
    }
}

#include "include/end.p4"
