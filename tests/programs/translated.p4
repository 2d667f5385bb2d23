// Types that the controller sees otherwise than the program: wider ones by translation, and
// enums as their values.
#include "include/begin.p4"

const bit<9> CPU_PORT = 510;

@p4runtime_translation("tests/port", 32)
type bit<9> port_t;

enum bit<8> colour_t {
    red = 1,
    blue = 200
}

@controller_header("packet_out")
header packet_out_t {
    bit<7> pad;
    port_t to;
}

@controller_header("packet_in")
header packet_in_t {
    port_t from;
    bit<7> pad;
}

header ports_t {
    bit<16> one;
    bit<16> two;
    bit<16> answer;
    bit<8> colour;
}

struct headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
    ports_t ports;
}

struct metadata_t {
    port_t one;
    port_t two;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        transition select(std.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }
    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition parse_ethernet;
    }
    state parse_ethernet {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.ports);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    register<colour_t, bit<32>>(4) colours;
    register<port_t, bit<32>>(4) last;

    action answer(port_t port) {
        hdr.ports.answer = (bit<16>) (bit<9>) port;
    }
    action to_controller(port_t port) {
        hdr.packet_in.setValid();
        hdr.packet_in.from = port;
        hdr.packet_in.pad = 0;
        std.egress_spec = CPU_PORT;
    }
    table exactly {
        key = {
            meta.one: exact;
            meta.two: exact;
        }
        actions = { answer; to_controller; NoAction; }
        default_action = NoAction();
    }
    table perhaps {
        key = { meta.one: optional; }
        actions = { answer; NoAction; }
        default_action = NoAction();
    }

    apply {
        std.egress_spec = 1;
        meta.one = (port_t) hdr.ports.one[8:0];
        meta.two = (port_t) hdr.ports.two[8:0];
        if (hdr.packet_out.isValid()) {
            std.egress_spec = (bit<9>) hdr.packet_out.to;
            hdr.packet_out.setInvalid();
        } else if (!exactly.apply().hit) {
            perhaps.apply();
        }
        colour_t colour;
        colours.read(colour, 1);
        hdr.ports.colour = (bit<8>) colour;
        last.write(2, meta.one);
    }
}

#include "include/end.p4"
