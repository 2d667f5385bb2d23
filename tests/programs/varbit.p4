// A header of variable length: every length, too long a one, lengths that are no bytes.
#include "include/begin.p4"

header length_t {
    bit<8> bits;
    bit<8> command;
}

header options_t {
    bit<8> first;
    varbit<64> rest;
}

header report_t {
    bit<8> failed;
    bit<8> same;
}

struct headers_t {
    ethernet_t ethernet;
    length_t length_;
    report_t report;
    options_t options;
    options_t other;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.length_);
        packet.extract(hdr.options, (bit<32>) hdr.length_.bits);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.report.setValid();
        hdr.report.failed = (std.parser_error == error.NoError) ? 8w0 : 0xff;
        switch (hdr.length_.command) {
            1: { hdr.other = hdr.options; }
            2: { hdr.other.setValid(); hdr.other.first = 9; }
            3: { hdr.other = hdr.options; hdr.other.rest = hdr.options.rest; hdr.options.setInvalid(); }
            4: { hdr.options.first = 0x77; }
        }
        hdr.report.same = hdr.other == hdr.options ? 8w1 : 0;
    }
}

#include "include/end.p4"
