// Answers ARP requests for the gateway addresses.

#ifndef UHAUL_ARP_P4
#define UHAUL_ARP_P4

#include "../headers.p4"

control Arp(
    inout headers_t hdr,
    inout standard_metadata_t standard_metadata,
    out bool answered)
{
    direct_counter(CounterType.packets) gateway_counter;

    action answer(@name("mac") mac_t mac) {
        gateway_counter.count();
        answered = true;
        hdr.ethernet.destination = hdr.arp.sender_mac;
        hdr.ethernet.source = mac;
        hdr.arp.operation = ARP_REPLY;
        hdr.arp.target_mac = hdr.arp.sender_mac;
        hdr.arp.sender_mac = mac;
        ipv4_address_t asked = hdr.arp.target_address;
        hdr.arp.target_address = hdr.arp.sender_address;
        hdr.arp.sender_address = asked;
        standard_metadata.egress_spec = standard_metadata.ingress_port;
    }

    action ignore() {
        gateway_counter.count();
    }

    @name("gateways")
    table gateways {
        key = {
            hdr.arp.target_address: exact @name("address");
        }
        actions = { answer; ignore; }
        const default_action = ignore();
        counters = gateway_counter;
        size = 64;
    }

    apply {
        answered = false;
        if (hdr.arp.operation == ARP_REQUEST) {
            gateways.apply();
        }
    }
}

#endif
