// Parser and deparser.
//
// A header that is cut short or contradicts itself leaves `parser_error` set;
// the ingress drops such a packet and counts it.

#ifndef UHAUL_PARSER_P4
#define UHAUL_PARSER_P4

#include "constants.p4"
#include "headers.p4"

const bit<32> ETHERNET_BYTES = 14;
const bit<16> UDP_BYTES = 8;
const bit<16> ICMP_BYTES = 8;

error { BadIpv4Version, BadIpv4HeaderLength, BadIpv4TotalLength, BadTcpDataOffset }

parser UhaulParser(
    packet_in packet,
    out headers_t hdr,
    inout metadata_t meta,
    inout standard_metadata_t standard_metadata)
{
    state start {
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }

    // The payload of a packet_out goes out as it is: nothing in it is parsed.
    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_ARP: parse_arp;
            default: accept;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        transition accept;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        verify(hdr.ipv4.version == 4, error.BadIpv4Version);
        verify(hdr.ipv4.ihl >= 5, error.BadIpv4HeaderLength);
        verify(hdr.ipv4.total_length >= ((bit<16>)hdr.ipv4.ihl << 2), error.BadIpv4TotalLength);
        verify(
            (bit<32>)hdr.ipv4.total_length + ETHERNET_BYTES <= standard_metadata.packet_length,
            error.BadIpv4TotalLength);
        transition select(hdr.ipv4.ihl) {
            5: parse_transport;
            default: parse_ipv4_options;
        }
    }

    state parse_ipv4_options {
        packet.extract(hdr.ipv4_options, ((bit<32>)hdr.ipv4.ihl - 5) << 5);
        transition parse_transport;
    }

    // Only the first fragment has ports, so no fragment is asked for them: all
    // fragments between two addresses are one flow per protocol.
    state parse_transport {
        transition select(
            hdr.ipv4.more_fragments, hdr.ipv4.fragment_offset, hdr.ipv4.protocol) {
            (0, 0, PROTOCOL_TCP): parse_tcp;
            (0, 0, PROTOCOL_UDP): parse_udp;
            (0, 0, PROTOCOL_ICMP): parse_icmp;
            default: accept;
        }
    }

    // A short frame is padded: what stands behind the IPv4 packet is no header of it.
    state parse_tcp {
        packet.extract(hdr.tcp);
        verify(hdr.tcp.data_offset >= 5, error.BadTcpDataOffset);
        verify(
            hdr.ipv4.total_length
                >= ((bit<16>)hdr.ipv4.ihl << 2) + ((bit<16>)hdr.tcp.data_offset << 2),
            error.BadTcpDataOffset);
        transition accept;
    }

    state parse_udp {
        packet.extract(hdr.udp);
        verify(
            hdr.ipv4.total_length >= ((bit<16>)hdr.ipv4.ihl << 2) + UDP_BYTES,
            error.BadIpv4TotalLength);
        transition accept;
    }

    state parse_icmp {
        packet.extract(hdr.icmp);
        verify(
            hdr.ipv4.total_length >= ((bit<16>)hdr.ipv4.ihl << 2) + ICMP_BYTES,
            error.BadIpv4TotalLength);
        transition accept;
    }
}

control UhaulDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.arp);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.ipv4_options);
        packet.emit(hdr.tcp);
        packet.emit(hdr.udp);
        packet.emit(hdr.icmp);
    }
}

#endif
