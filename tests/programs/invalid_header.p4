// Headers that are not valid: what reads of them, writes to them and copies of them do.
#include "include/begin.p4"

header value_t {
    bit<16> value;
}

header report_t {
    bit<16> one;
    bit<16> two;
    bit<8> is_valid;
}

struct headers_t {
    ethernet_t ethernet;
    report_t report;
    value_t one;
    value_t two;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.kind) {
            0 &&& 0xff00: one;
            default: accept;
        }
    }
    state one {
        packet.extract(hdr.one);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.report.setValid();
        if (hdr.ethernet.kind[7:0] == 1) {         // a copy of what is valid, or is not
            hdr.two = hdr.one;
        } else if (hdr.ethernet.kind[7:0] == 2) {  // a copy of what is invalid over what is valid
            hdr.one = hdr.two;
        } else if (hdr.ethernet.kind[7:0] == 3) {  // a write does not make it valid
            hdr.two.value = 0x2222;
        } else if (hdr.ethernet.kind[7:0] == 4) {  // and does not outlive setValid
            hdr.two.value = 0x2222;
            hdr.two.setValid();
        } else if (hdr.ethernet.kind[7:0] == 5) {
            hdr.one.setInvalid();
        }
        // What is read of an invalid header is nobody's promise; on request it is shown all the same.
        if (hdr.one.isValid() || hdr.ethernet.kind[7:0] == 6) {
            hdr.report.one = hdr.one.value;
        }
        if (hdr.two.isValid()) {
            hdr.report.two = hdr.two.value;
        }
        hdr.report.is_valid = (hdr.one.isValid() ? 8w0x10 : 0) | (hdr.two.isValid() ? 8w1 : 0);
    }
}

#include "include/end.p4"
