// Header unions: at most one member is valid.
#include "include/begin.p4"

header small_t {
    bit<8> value;
}

header large_t {
    bit<32> value;
}

header_union either_t {
    small_t small;
    large_t large;
}

header report_t {
    bit<8> valid;
    bit<8> pad;
}

struct headers_t {
    ethernet_t ethernet;
    report_t report;
    either_t one;
    either_t two;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.kind[7:0]) {
            1: small;
            2: large;
            3: both;
            default: accept;
        }
    }
    state small {
        packet.extract(hdr.one.small);
        transition accept;
    }
    state large {
        packet.extract(hdr.one.large);
        transition accept;
    }
    state both {
        packet.extract(hdr.one.small);
        transition large;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        switch (hdr.ethernet.kind[15:8]) {
            1: { hdr.one.large.setValid(); hdr.one.large.value = 0x11111111; }
            2: { hdr.one.small.setValid(); hdr.one.small.value = 0x22; }
            3: { hdr.one.small.setInvalid(); }
            4: { hdr.two.small.setValid(); hdr.two.small.value = 0x33; hdr.two.large = hdr.one.large; }
            5: { hdr.two.small = hdr.one.small; }
            6: { hdr.one.large.setInvalid(); hdr.one.small.setInvalid(); }
        }
        hdr.report.setValid();
        hdr.report.valid = (hdr.one.isValid() ? 8w0x80 : 0)
            | (hdr.one.small.isValid() ? 8w0x40 : 0)
            | (hdr.one.large.isValid() ? 8w0x20 : 0)
            | (hdr.two.isValid() ? 8w8 : 0)
            | (hdr.two.small.isValid() ? 8w4 : 0)
            | (hdr.two.large.isValid() ? 8w2 : 0);
    }
}

#include "include/end.p4"
