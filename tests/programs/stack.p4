// Header stacks: extract into, push and pop within and beyond their size, copies, indices.
#include "include/begin.p4"

header command_t {
    bit<8> operation;
    bit<8> index;
    bit<8> count;
    bit<8> report;
}

header item_t {
    bit<8> number;
    bit<8> more;
}

struct headers_t {
    ethernet_t ethernet;
    command_t command;
    item_t[3] items;
    item_t[3] others;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.command);
        transition select(hdr.command.count) {
            0: accept;
            default: item;
        }
    }
    state item {
        packet.extract(hdr.items.next);
        hdr.command.report = (bit<8>) hdr.items.lastIndex;
        transition select(hdr.items.last.more) {
            0: accept;
            default: item;
        }
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        switch (hdr.command.operation) {
            1: { hdr.items.push_front(1); }
            2: { hdr.items.push_front(2); hdr.items[0].setValid(); hdr.items[0].number = 0xaa; }
            3: { hdr.items.push_front(3); }
            4: { hdr.items.push_front(4); }
            5: { hdr.items.pop_front(1); }
            6: { hdr.items.pop_front(3); }
            7: { hdr.items.pop_front(7); }
            8: { hdr.others = hdr.items; hdr.items.pop_front(1); }
            9: { hdr.items[1].setInvalid(); }
            10: { hdr.items[2] = hdr.items[0]; }
            11: { hdr.command.report = hdr.items[hdr.command.index].number; }
            12: { hdr.items[hdr.command.index].number = 0xee; }
            13: { hdr.items.pop_front(1); hdr.items.push_front(1); }
            14: { hdr.command.report = (bit<8>) hdr.items.size; }
        }
    }
}

#include "include/end.p4"
