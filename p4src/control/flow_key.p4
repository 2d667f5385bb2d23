// The flow that a packet belongs to, the same for both directions.

#ifndef UHAUL_FLOW_KEY_P4
#define UHAUL_FLOW_KEY_P4

#include "../headers.p4"

control FlowKey(in headers_t hdr, out flow_t flow) {
    bit<16> source_port;
    bit<16> destination_port;

    apply {
        source_port = 0;
        destination_port = 0;
        if (hdr.tcp.isValid()) {
            source_port = hdr.tcp.source_port;
            destination_port = hdr.tcp.destination_port;
        } else if (hdr.udp.isValid()) {
            source_port = hdr.udp.source_port;
            destination_port = hdr.udp.destination_port;
        } else if (hdr.icmp.isValid()
                && (hdr.icmp.type == ICMP_ECHO_REQUEST || hdr.icmp.type == ICMP_ECHO_REPLY)) {
            source_port = hdr.icmp.identifier;
            destination_port = hdr.icmp.identifier;
        }

        flow.from_low = hdr.ipv4.source < hdr.ipv4.destination
            || (hdr.ipv4.source == hdr.ipv4.destination && source_port <= destination_port);
        if (flow.from_low) {
            flow.key = {
                hdr.ipv4.source, hdr.ipv4.destination,
                source_port, destination_port, hdr.ipv4.protocol };
        } else {
            flow.key = {
                hdr.ipv4.destination, hdr.ipv4.source,
                destination_port, source_port, hdr.ipv4.protocol };
        }

        hash(flow.hash, HashAlgorithm.crc32, 32w0, {
            flow.key.low_address, flow.key.high_address,
            flow.key.low_port, flow.key.high_port, flow.key.protocol }, 64w0x100000000);
        hash(flow.alternate, HashAlgorithm.crc16, 16w0, {
            flow.key.low_address, flow.key.high_address,
            flow.key.low_port, flow.key.high_port, flow.key.protocol }, 32w0x10000);
    }
}

#endif
