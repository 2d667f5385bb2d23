// Entries of the program: the first that matches wins, of prefixes the longest; a const
// default action; counters of entries.
#include "include/begin.p4"

header key_t {
    bit<16> a;
    bit<8> b;
    bit<8> which;
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
    direct_counter(CounterType.packets_and_bytes) hits;

    action answer(bit<16> number) {
        hdr.key_.result = number;
    }
    table in_order {
        key = { hdr.key_.a: ternary; hdr.key_.b: exact; }
        actions = { answer; }
        const default_action = answer(0xffff);
        counters = hits;
        const entries = {
            (0x1200 &&& 0xff00, 1): answer(1);
            (0x1234, 1): answer(2);
            (_, 1): answer(3);
            (_, 2): answer(4);
        }
    }
    table prefixes {
        key = { hdr.key_.a: lpm; }
        actions = { answer; }
        default_action = answer(0xfffd);
        const entries = {
            0x1200 &&& 0xff00: answer(21);
            0x1234 &&& 0xffff: answer(22);
            0x1000 &&& 0xf000: answer(23);
        }
    }
    table ranges {
        key = { hdr.key_.a: range; }
        actions = { answer; }
        default_action = answer(0xfffc);
        const entries = {
            5 .. 10: answer(31);
            8 .. 20: answer(32);
            20: answer(33);
        }
    }

    apply {
        std.egress_spec = 1;
        switch (hdr.key_.which) {
            0: { in_order.apply(); }
            2: { prefixes.apply(); }
            3: { ranges.apply(); }
        }
    }
}

#include "include/end.p4"
