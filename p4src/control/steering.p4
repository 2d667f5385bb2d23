// Steering: which NF instance a packet of a host goes to.
//
//   steer        does an NF group look at this traffic?   no: it is only routed
//   flow_rules   has the flow a rule of its own?          to an instance, or hold
//   affinity     otherwise: the owner of its bucket, or the previous one

#ifndef UHAUL_STEERING_P4
#define UHAUL_STEERING_P4

#include "../headers.p4"

// Does an NF group look at this traffic, and which?
control Steer(in headers_t hdr, out group_t group) {
    direct_counter(CounterType.packets_and_bytes) steer_counter;

    action to_group(@name("group") group_t chosen) {
        steer_counter.count();
        group = chosen;
    }

    action bypass() {
        steer_counter.count();
    }

    @name("steer")
    table steer {
        key = {
            hdr.ipv4.source: ternary @name("source");
            hdr.ipv4.destination: ternary @name("destination");
            hdr.ipv4.protocol: ternary @name("protocol");
        }
        actions = { to_group; bypass; }
        const default_action = bypass();
        counters = steer_counter;
        size = 256;
    }

    apply {
        group = NO_GROUP;
        steer.apply();
    }
}

// The rules of single flows: one a flow that has been moved or is being moved.
control FlowRules(in flow_t flow, out verdict_t verdict) {
    direct_counter(CounterType.packets_and_bytes) flow_rule_counter;

    action to_instance(@name("instance") instance_t instance) {
        flow_rule_counter.count();
        verdict.instance = instance;
    }

    action hold(@name("migration") migration_t migration) {
        flow_rule_counter.count();
        verdict.hold = true;
        verdict.migration = migration;
    }

    action no_rule() {
        flow_rule_counter.count();
    }

    @name("flow_rules")
    table flow_rules {
        key = {
            flow.key.low_address: exact @name("low_address");
            flow.key.high_address: exact @name("high_address");
            flow.key.low_port: exact @name("low_port");
            flow.key.high_port: exact @name("high_port");
            flow.key.protocol: exact @name("protocol");
        }
        actions = { to_instance; hold; no_rule; }
        const default_action = no_rule();
        counters = flow_rule_counter;
        support_timeout = true;
        size = 16384;
    }

    apply {
        verdict.hold = false;
        verdict.migration = 0;
        verdict.instance = NO_INSTANCE;
        flow_rules.apply();
    }
}

#endif
