// random within its bounds, log_msg and assert and assume that hold.
#include "include/begin.p4"

header draw_t {
    bit<16> low;
    bit<16> high;
    bit<16> drawn;
    bit<16> within;
}

struct headers_t {
    ethernet_t ethernet;
    draw_t draw;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.draw);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        bit<16> drawn = 0;
        random(drawn, hdr.draw.low, hdr.draw.high);
        log_msg("drawn {} of {}", { drawn, hdr.draw.high });
        log_msg("that is all");
        hdr.draw.within = (drawn >= hdr.draw.low && drawn <= hdr.draw.high) ? 16w1 : 0;
        // What was drawn shows where there is no choice.
        hdr.draw.drawn = hdr.draw.low == hdr.draw.high ? drawn : 0;
        assert(hdr.ethernet.isValid());
        assume(hdr.draw.isValid());
    }
}

#include "include/end.p4"
