// Where the NF instances are: the port of an instance, the instance of a port.

#ifndef UHAUL_INSTANCES_P4
#define UHAUL_INSTANCES_P4

#include "../headers.p4"

// Traffic back from an instance is recognised by its port.
control FromInstance(
    in standard_metadata_t standard_metadata,
    out instance_t instance)
{
    direct_counter(CounterType.packets_and_bytes) nf_port_counter;

    action from_instance(@name("instance") instance_t sender) {
        nf_port_counter.count();
        instance = sender;
    }

    action from_host() {
        nf_port_counter.count();
    }

    @name("nf_ports")
    table nf_ports {
        key = {
            standard_metadata.ingress_port: exact @name("port");
        }
        actions = { from_instance; from_host; }
        const default_action = from_host();
        counters = nf_port_counter;
        size = 256;
    }

    apply {
        instance = NO_INSTANCE;
        nf_ports.apply();
    }
}

control ToInstance(
    inout standard_metadata_t standard_metadata,
    in instance_t instance,
    out bool delivered)
{
    direct_counter(CounterType.packets_and_bytes) instance_counter;

    action to_port(@name("port") port_t port) {
        instance_counter.count();
        delivered = true;
        standard_metadata.egress_spec = port;
    }

    action no_port() {
        instance_counter.count();
    }

    @name("instances")
    table instances {
        key = {
            instance: exact @name("instance");
        }
        actions = { to_port; no_port; }
        const default_action = no_port();
        counters = instance_counter;
        size = 256;
    }

    apply {
        delivered = false;
        instances.apply();
    }
}

#endif
