// Tables whose keys are wider than a machine word, of every kind.
#include "include/begin.p4"

header key_t {
    bit<8> which;
    bit<8> small;
    bit<128> address;
    bit<100> number;
    bit<4> pad;
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
    action answer(bit<16> number) {
        hdr.key_.result = number;
    }
    table prefixes {
        key = { hdr.key_.address: lpm; hdr.key_.small: exact; }
        actions = { answer; NoAction; }
    }
    table short_prefixes {
        key = { hdr.key_.number[31:0]: lpm @name("short"); }
        actions = { answer; NoAction; }
        size = 8192;
    }
    table ranges {
        key = { hdr.key_.number: range; hdr.key_.small: ternary; }
        actions = { answer; NoAction; }
    }
    table values {
        key = { hdr.key_.number: exact; hdr.key_.address: exact; }
        actions = { answer; NoAction; }
    }

    apply {
        std.egress_spec = 1;
        if (hdr.key_.which == 0) {
            prefixes.apply();
        } else if (hdr.key_.which == 1) {
            short_prefixes.apply();
        } else if (hdr.key_.which == 2) {
            ranges.apply();
        } else {
            values.apply();
        }
    }
}

#include "include/end.p4"
