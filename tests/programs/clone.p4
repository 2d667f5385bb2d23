// Clones from ingress and egress: to one port or several, what metadata and headers they have.
#include "include/begin.p4"

header note_t {
    bit<8> instance_type;
    bit<8> kept;
    bit<8> lost;
    bit<8> port;
    bit<16> rid;
    bit<16> length;
}

struct headers_t {
    ethernet_t ethernet;
    note_t note;
}

struct metadata_t {
    @field_list(1)
    bit<8> kept;
    @field_list(2)
    bit<8> lost;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.note);
        meta.lost = 0x10;
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        meta.kept = 0xaa;
        meta.lost = 0xbb;
        switch (hdr.ethernet.kind) {
            1: { clone_preserving_field_list(CloneType.I2E, 5, 1); }
            2: { clone(CloneType.I2E, 5); }
            3: { clone_preserving_field_list(CloneType.I2E, 6, 1); }
            4: { clone(CloneType.I2E, 99); }  // no such session
            5: { clone_preserving_field_list(CloneType.I2E, 5, 1); mark_to_drop(std); }
            6: { clone(CloneType.I2E, 6); clone_preserving_field_list(CloneType.I2E, 5, 2); }
        }
        meta.kept = 0xcc;  // the field list is read at the end of the ingress
        hdr.ethernet.src = 0x111111111111;  // in the packet, not in its clone
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        if (std.instance_type == 0) {
            switch (hdr.ethernet.kind) {
                11: { clone_preserving_field_list(CloneType.E2E, 5, 1); }
                12: { clone(CloneType.E2E, 6); }
                13: { clone(CloneType.E2E, 5); mark_to_drop(std); }
            }
        }
        hdr.note.instance_type = (bit<8>) std.instance_type;
        hdr.note.kept = meta.kept;
        hdr.note.lost = meta.lost;
        hdr.note.port = (bit<8>) std.egress_port;
        hdr.note.rid = std.egress_rid;
        hdr.note.length = (bit<16>) std.packet_length;
    }
}

#include "include/end.p4"
