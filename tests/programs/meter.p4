// Meters: of an array, and of a table's entries.
#include "include/begin.p4"

header color_t {
    bit<8> index;
    bit<8> array;
    bit<8> entry;
    bit<8> pad;
}

struct headers_t {
    ethernet_t ethernet;
    color_t color;
}

struct metadata_t {
    bit<2> color;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.color);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    meter<bit<8>>(4, MeterType.packets) by_packets;
    meter<bit<8>>(4, MeterType.bytes) by_bytes;
    direct_meter<bit<2>>(MeterType.packets) by_entry;

    action metered() {
        by_entry.read(meta.color);
    }
    table entries_ {
        key = { hdr.ethernet.src: exact; }
        actions = { metered; NoAction; }
        default_action = NoAction();
        meters = by_entry;
    }

    apply {
        bit<8> color = 0xee;
        std.egress_spec = 1;
        if (hdr.ethernet.kind == 1) {
            by_packets.execute_meter(hdr.color.index, color);
        } else if (hdr.ethernet.kind == 2) {
            by_bytes.execute_meter(hdr.color.index, color);
        }
        hdr.color.array = color;
        entries_.apply();
        hdr.color.entry = (bit<8>) meta.color;
    }
}

#include "include/end.p4"
