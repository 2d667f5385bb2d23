// What a parser leaves behind when it fails: parser_error is set, what was extracted is valid, and
// the ingress goes on.
#include "include/begin.p4"

error { TooOdd }

header option_t {
    bit<8> kind;
    bit<24> value;
}

header report_t {
    bit<32> error_number;
    bit<8> valid;
    bit<32> length;
}

struct headers_t {
    report_t report;
    ethernet_t ethernet;
    option_t first;
    option_t[2] options;
}

struct metadata_t {
    bit<8> seen;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        meta.seen = 1;
        transition select(hdr.ethernet.kind) {
            1: first;
            2: look;
            3: options;
            4: skip;
            5: odd;
            6 .. 8: only_zero;
            9: look_far;
            default: accept;
        }
    }
    state first {
        packet.extract(hdr.first);
        meta.seen = 2;
        transition accept;
    }
    state look {
        option_t next = packet.lookahead<option_t>();
        meta.seen = next.kind;
        transition accept;
    }
    state look_far {
        meta.seen = packet.lookahead<bit<72>>()[7:0];
        transition select(packet.lookahead<bit<8>>()) {
            0xaa: first;
            default: accept;
        }
    }
    state options {
        packet.extract(hdr.options.next);
        transition select(hdr.options.last.kind) {
            0: accept;
            default: options;
        }
    }
    state skip {
        packet.advance(32);
        meta.seen = 3;
        transition first;
    }
    state odd {
        packet.extract(hdr.first);
        verify(hdr.first.value[0:0] == 0, error.TooOdd);
        meta.seen = 4;
        transition accept;
    }
    state only_zero {
        packet.extract(hdr.first);
        transition select(hdr.first.kind, hdr.first.value[7:0]) {
            (0, 1 .. 5): accept;
            (0x10 &&& 0xf0, _): accept;
        }
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.report.setValid();
        hdr.report.length = std.packet_length;
        hdr.report.valid = (bit<8>) ((hdr.ethernet.isValid() ? 4w8 : 0)
            | (hdr.first.isValid() ? 4w4 : 0)
            | (hdr.options[0].isValid() ? 4w2 : 0)
            | (hdr.options[1].isValid() ? 4w1 : 0));
        hdr.report.valid[7:4] = meta.seen[3:0];
        if (std.parser_error == error.NoError) {
            hdr.report.error_number = 0;
        } else if (std.parser_error == error.PacketTooShort) {
            hdr.report.error_number = 1;
        } else if (std.parser_error == error.NoMatch) {
            hdr.report.error_number = 2;
        } else if (std.parser_error == error.StackOutOfBounds) {
            hdr.report.error_number = 3;
        } else if (std.parser_error == error.TooOdd) {
            hdr.report.error_number = 4;
        } else {
            hdr.report.error_number = 5;
        }
    }
}

#include "include/end.p4"
