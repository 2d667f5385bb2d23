// Metadata, locals and headers that nothing was assigned to are zero, in each packet anew.
#include "include/begin.p4"

header report_t {
    bit<32> metadata;
    bit<16> local;
    bit<8> flag;
    bit<8> fresh;
    bit<32> again;
}

header marked_t {
    bit<32> value;
}

struct headers_t {
    ethernet_t ethernet;
    report_t report;
    marked_t marked;
    marked_t fresh;
}

struct metadata_t {
    bit<32> number;
    bool flag;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.marked);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        bit<16> local;
        std.egress_spec = 1;
        hdr.report.setValid();
        hdr.report.metadata = meta.number;
        hdr.report.local = local;
        hdr.report.flag = meta.flag ? 8w1 : 0;
        hdr.report.fresh = hdr.fresh.isValid() ? 8w1 : 0;
        if (hdr.ethernet.kind == 1) {  // made valid, and nothing written to
            hdr.fresh.setValid();
        }
        if (hdr.ethernet.kind == 2) {  // valid again
            hdr.marked.setInvalid();
            hdr.marked.setValid();
        }
        if (hdr.ethernet.kind == 3) {  // valid already
            hdr.marked.setValid();
        }
        // What the next packet must not see.
        meta.number = 0xdeadbeef;
        meta.flag = true;
        local = 0xffff;
        hdr.report.again = (bit<32>) local + meta.number;
    }
}

#include "include/end.p4"
