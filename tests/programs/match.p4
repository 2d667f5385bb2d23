// Match kinds: which of several entries wins. The result is the entry's number.
#include "include/begin.p4"

header key_t {
    bit<8> which;
    bit<32> address;
    bit<16> port;
    bit<8> small;
    bit<8> hit;
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
    action missed() {
        hdr.key_.result = 0xffff;
    }
    table prefixes {
        key = { hdr.key_.address: lpm; hdr.key_.small: exact; }
        actions = { answer; missed; }
        default_action = missed();
    }
    table masks {
        key = { hdr.key_.address: ternary; hdr.key_.port: ternary; }
        actions = { answer; missed; }
        default_action = missed();
        counters = hits;
    }
    table ranges {
        key = { hdr.key_.port: range; hdr.key_.small: exact; }
        actions = { answer; missed; }
        default_action = missed();
    }
    table optionals {
        key = { hdr.key_.port: optional; hdr.key_.address: lpm; hdr.key_.small: ternary; }
        actions = { answer; missed; }
        default_action = missed();
    }
    table validity {
        key = { hdr.ethernet.isValid(): exact; hdr.key_.address[15:8]: exact @name("slice"); }
        actions = { answer; missed; }
        const default_action = missed();
    }
    table switched {
        key = { hdr.key_.port: ternary; }
        actions = { answer; missed; }
        default_action = missed();
    }
    table no_key {
        actions = { answer; missed; }
        default_action = missed();
    }

    apply {
        std.egress_spec = 1;
        hdr.key_.hit = 0;
        switch (hdr.key_.which) {
            0: { if (prefixes.apply().hit) { hdr.key_.hit = 1; } }
            1: { if (masks.apply().hit) { hdr.key_.hit = 1; } }
            2: { if (ranges.apply().hit) { hdr.key_.hit = 1; } }
            3: { if (optionals.apply().miss) { hdr.key_.hit = 2; } }
            4: { if (validity.apply().hit) { hdr.key_.hit = 1; } }
            5: { if (no_key.apply().hit) { hdr.key_.hit = 1; } }
            6: {
                switch (switched.apply().action_run) {
                    answer: { hdr.key_.hit = 3; }
                    missed: { hdr.key_.hit = 4; }
                }
            }
        }
    }
}

#include "include/end.p4"
