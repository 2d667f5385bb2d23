// IPv4 routing to the hosts.

#ifndef UHAUL_ROUTING_P4
#define UHAUL_ROUTING_P4

#include "../headers.p4"

control Routing(
    inout headers_t hdr,
    inout standard_metadata_t standard_metadata,
    out bool routed)
{
    direct_counter(CounterType.packets_and_bytes) route_counter;

    action to_host(
        @name("port") port_t port, @name("source") mac_t source,
        @name("destination") mac_t destination)
    {
        route_counter.count();
        routed = true;
        standard_metadata.egress_spec = port;
        hdr.ethernet.source = source;
        hdr.ethernet.destination = destination;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
    }

    action unknown() {
        route_counter.count();
    }

    @name("routes")
    table routes {
        key = {
            hdr.ipv4.destination: lpm @name("destination");
        }
        actions = { to_host; unknown; }
        const default_action = unknown();
        counters = route_counter;
        size = 1024;
    }

    apply {
        routed = false;
        routes.apply();
    }
}

#endif
