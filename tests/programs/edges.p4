// What a program may have and seldom has: a table that is named like those the compiler makes,
// one that is never applied, registers and random numbers wider than 128 bits, selects over parts
// of wide fields, unions that are compared, assigned and keys.
#include "include/begin.p4"

header command_t {
    bit<8> operation;
    bit<8> amount;
    bit<8> report;
}

header wide_t {
    bit<256> a;
    bit<256> b;
    int<129> c;
    int<65> d;
    bit<65> e;
    bit<5> pad;
}

header small_t {
    bit<8> kind;
    bit<8> value;
}

header large_t {
    bit<8> kind;
    bit<24> value;
}

header_union item_t {
    small_t small;
    large_t large;
}

struct headers_t {
    ethernet_t ethernet;
    command_t command;
    wide_t wide;
    item_t item;
    item_t other;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.command);
        transition select(hdr.command.operation) {
            0 &&& 0xf0: wide;
            0x10..0x1d: item;
            default: accept;
        }
    }
    state wide {
        packet.extract(hdr.wide);
        transition select(hdr.wide.a[200:130], hdr.wide.b, hdr.command.amount) {
            (71w5, _, 8w1 &&& 8w0xf): five;
            (_, 256w0x10 &&& 256w0xf0, 2..7): ranged;
            (71w0x400000000000000000, _, _): top;
            default: accept;
        }
    }
    state five {
        hdr.command.report = 5;
        transition accept;
    }
    state ranged {
        hdr.command.report = 2;
        transition accept;
    }
    state top {
        hdr.command.report = 4;
        transition accept;
    }
    state item {
        transition select(packet.lookahead<bit<8>>()) {
            1: small;
            2: large;
        }
    }
    state small {
        packet.extract(hdr.item.small);
        transition accept;
    }
    state large {
        packet.extract(hdr.item.large);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    register<bit<256>, bit<32>>(4) cells;

    action report(bit<8> value) {
        hdr.command.report = value;
    }
    @name(".tbl_named") table named {
        actions = { report; NoAction; }
        default_action = report(0x77);
    }
    table never {
        key = { hdr.command.amount: exact; }
        actions = { report; }
    }
    table items {
        key = {
            hdr.item.isValid(): exact;
            hdr.item.small.value: ternary;
            hdr.item.large.isValid(): exact;
        }
        actions = { report; NoAction; }
        const entries = {
            (true, 7, false): report(1);
            (true, _, false): report(2);
            (true, _, true): report(3);
            (false, _, false): report(4);
        }
    }

    apply {
        std.egress_spec = 1;
        bool is_never = false;
        if (is_never) {
            never.apply();
        }
        bit<256> cell;
        if (hdr.command.operation < 0x10 && !hdr.wide.isValid()) {
            hdr.command.report = 0xff;
        } else if (hdr.command.operation == 1) {
            cells.read(cell, (bit<32>) hdr.command.amount[1:0]);
            cells.write((bit<32>) hdr.command.amount[1:0], hdr.wide.a);
            hdr.wide.b = cell;
        } else if (hdr.command.operation == 2) {
            random(hdr.wide.b, 256w9, 256w9);
        } else if (hdr.command.operation == 3) {
            hdr.wide.b = hdr.wide.a |+| hdr.wide.b;
            hdr.wide.c = hdr.wide.c |-| (int<129>) hdr.wide.d;
        } else if (hdr.command.operation == 4) {
            hdr.wide.a = hdr.wide.a |-| hdr.wide.b;
            hdr.wide.d = hdr.wide.d >> hdr.command.amount;
            hdr.wide.e = (bit<65>) (hdr.wide.a >> hdr.command.amount) + hdr.wide.e * 3;
        } else if (hdr.command.operation == 5) {
            hdr.wide.a[199:8] = hdr.wide.b[191:0];
            hdr.wide.c = hdr.wide.c << hdr.command.amount;
        } else if (hdr.command.operation == 6) {
            hdr.command.report = hdr.wide.c < (int<129>) hdr.wide.d ? 8w1 : 8w0;
            hdr.wide.a = hdr.wide.a * hdr.wide.b;
            hdr.wide.e = -hdr.wide.e;
        } else if (hdr.command.operation == 7) {
            hdr.wide.d = (int<65>) hdr.wide.e |+| hdr.wide.d;
            hdr.wide.e = hdr.wide.e[3:0] ++ hdr.wide.e[64:4];
            hdr.wide.a = ~hdr.wide.b ^ (bit<256>) hdr.wide.a[64:0];
        } else if (hdr.command.operation == 8) {
            named.apply();
        } else if (hdr.command.operation == 0x10) {
            items.apply();
        } else if (hdr.command.operation == 0x11) {
            hdr.other = hdr.item;
            if (hdr.other == hdr.item) {
                hdr.command.report = 1;
            }
            if (hdr.item.small.isValid()) {
                hdr.item.large.setValid();
                hdr.item.large = { 2, 0x123456 };
            } else if (hdr.item.large.isValid()) {
                hdr.item.small.setValid();
                hdr.item.small = { 1, 9 };
            }
            if (hdr.other == hdr.item) {
                hdr.command.report = 2;
            }
        } else if (hdr.command.operation == 0x12) {
            hdr.item.small.setInvalid();
            hdr.other.small = hdr.item.small;
            hdr.other.large = hdr.item.large;
            hdr.item = hdr.other;
        }
    }
}

#include "include/end.p4"
