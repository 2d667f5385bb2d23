// All that goes between a switch and its controller: packets with metadata both ways, digests,
// and a table with counters that says what is for the controller.
#include "include/begin.p4"

const bit<9> CPU_PORT = 510;

@controller_header("packet_out")
header packet_out_t {
    bit<9> as_if_from;
    bit<7> pad;
}

@controller_header("packet_in")
header packet_in_t {
    bit<9> port;
    bit<7> pad;
    bit<16> reason;
}

struct headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
}

struct metadata_t {
    bit<9> port;
}

struct learned_t {
    bit<48> address;
    bit<9> port;
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
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    direct_counter(CounterType.packets_and_bytes) hits;

    action to_port(bit<9> port) {
        std.egress_spec = port;
    }
    action to_controller(bit<16> reason) {
        hdr.packet_in.setValid();
        hdr.packet_in.port = meta.port;
        hdr.packet_in.reason = reason;
        std.egress_spec = CPU_PORT;
    }
    action drop() {
        mark_to_drop(std);
    }
    table hosts {
        key = { hdr.ethernet.dst: exact; }
        actions = { to_port; to_controller; drop; }
        default_action = drop();
        counters = hits;
        size = 1024;
    }

    apply {
        meta.port = std.ingress_port;
        if (hdr.packet_out.isValid()) {
            meta.port = hdr.packet_out.as_if_from;
            hdr.packet_out.setInvalid();
        }
        digest<learned_t>(1, { hdr.ethernet.src, meta.port });
        hosts.apply();
    }
}

#include "include/end.p4"
