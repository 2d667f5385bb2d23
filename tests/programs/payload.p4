// The payload starts where the parser stopped. What it passed over, and what it extracted and
// nobody emits, is gone; what is emitted twice or elsewhere is there.
#include "include/begin.p4"

header word_t {
    bit<16> value;
}

struct headers_t {
    ethernet_t ethernet;
    word_t shown;
    word_t hidden;
    word_t moved;
}

struct metadata_t {
    bit<16> ahead;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        meta.ahead = packet.lookahead<bit<16>>();
        transition select(hdr.ethernet.kind) {
            1: shown;
            2: hidden;
            3: pass_over;
            4: pass_nothing;
            5: moved;
            default: accept;
        }
    }
    state shown {
        packet.extract(hdr.shown);
        transition accept;
    }
    state hidden {
        packet.extract(hdr.hidden);
        transition shown;
    }
    state pass_over {
        packet.extract<word_t>(_);
        packet.advance((bit<32>) meta.ahead[7:0]);
        transition accept;
    }
    state pass_nothing {
        packet.advance(0);
        transition accept;
    }
    state moved {
        packet.extract(hdr.moved);
        transition shown;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.ethernet.src = (bit<48>) meta.ahead;
    }
}

#define OWN_EMIT
control Emit(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.moved);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.shown);
        packet.emit(hdr.moved);
    }
}

#include "include/end.p4"
