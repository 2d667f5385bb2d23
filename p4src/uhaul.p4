// U-HAUL: a switch that counts the bytes of each flow, steers flows to network
// function instances and holds the packets of a flow whose state is being moved.
//
// The ingress reads as a table of contents; each step is a control of its own in
// `control/`.

#include <core.p4>
#include <v1model.p4>

#include "constants.p4"
#include "headers.p4"
#include "parser.p4"
#include "checksum.p4"
#include "control/timers.p4"
#include "control/packet_io.p4"
#include "control/arp.p4"
#include "control/flow_key.p4"
#include "control/instances.p4"
#include "control/steering.p4"
#include "control/affinity.p4"
#include "control/fit.p4"
#include "control/routing.p4"

control UhaulIngress(
    inout headers_t hdr,
    inout metadata_t meta,
    inout standard_metadata_t standard_metadata)
{
    Timers() timers;
    PacketOut() from_controller;
    PacketIn() to_controller;
    PacketInSequence() sequence;
    Arp() arp;
    FlowKey() flow_key;
    FromInstance() from_instance;
    Steer() steer;
    FlowRules() flow_rules;
    Affinity() affinity;
    FlowInformationTable() fit;
    ToInstance() to_instance;
    Routing() routing;
    counter(DROP_REASONS, CounterType.packets) drops;

    action drop(bit<32> reason) {
        drops.count(reason);
        mark_to_drop(standard_metadata);
    }

    apply {
        bool done = false;      // the packet's way is decided
        bool is_bounce = false; // an instance has handed the packet back
        bool at_owner = false;  // the packet goes to the owner of its bucket
        meta.verdict = { false, 0, NO_INSTANCE };
        meta.group = NO_GROUP;
        timers.apply(meta.timers);

        if (hdr.packet_out.isValid()) {
            from_controller.apply(hdr, standard_metadata, meta.verdict.instance, done);
            if (!done && meta.verdict.instance == NO_INSTANCE) {
                drop(DROP_NO_INSTANCE);
                done = true;
            }
        } else if (standard_metadata.parser_error != error.NoError) {
            drop(DROP_MALFORMED);
            done = true;
        } else if (standard_metadata.checksum_error == 1) {
            drop(DROP_CHECKSUM);
            done = true;
        } else if (!hdr.ipv4.isValid()) {
            if (hdr.arp.isValid()) {
                arp.apply(hdr, standard_metadata, done);
            }
            if (!done) {
                drop(DROP_NOT_IPV4);
                done = true;
            }
        } else {
            flow_key.apply(hdr, meta.flow);
            from_instance.apply(standard_metadata, meta.from_instance);
            is_bounce = meta.from_instance != NO_INSTANCE
                && hdr.ethernet.destination == BOUNCE_ADDRESS;
            if (is_bounce) {
                // An instance returns what it processes as it is: with the mark still on
                // it, the next instance would seem to bounce it as well.
                hdr.ethernet.destination = STEERED_ADDRESS;
            }
            if (meta.from_instance == NO_INSTANCE || is_bounce) {
                steer.apply(hdr, meta.group);
            }
            if (meta.group != NO_GROUP) {
                if (!is_bounce) {
                    flow_rules.apply(meta.flow, meta.verdict);
                }
                if (!meta.verdict.hold) {
                    affinity.apply(
                        meta.flow, meta.group, meta.timers.affinity_timeout,
                        standard_metadata.ingress_global_timestamp,
                        is_bounce ? meta.from_instance : NO_INSTANCE,
                        meta.verdict.instance, at_owner);
                }
                if (is_bounce && at_owner) {
                    hdr.ethernet.destination = DETOUR_ADDRESS;  // the flow may begin there
                }
                if (!is_bounce) {  // it was counted on its way to the instance
                    fit.apply(
                        hdr, meta.flow, meta.verdict.instance, meta.timers.activity_window,
                        standard_metadata.ingress_global_timestamp,
                        standard_metadata.packet_length);
                }
                if (meta.verdict.hold) {
                    to_controller.apply(
                        hdr, standard_metadata, PACKET_IN_HOLD, NO_INSTANCE,
                        meta.verdict.migration);
                    done = true;
                } else if (meta.verdict.instance == NO_INSTANCE) {
                    drop(DROP_NO_OWNER);
                    done = true;
                } else if (is_bounce && meta.verdict.instance == meta.from_instance) {
                    // Its owner will not have it either: only the controller can tell why.
                    to_controller.apply(
                        hdr, standard_metadata, PACKET_IN_BOUNCE, meta.from_instance, 0);
                    done = true;
                }
            }
        }

        if (!done && meta.verdict.instance != NO_INSTANCE) {
            to_instance.apply(standard_metadata, meta.verdict.instance, done);
            if (!done) {
                drop(DROP_NO_INSTANCE);
                done = true;
            }
        }
        if (!done) {
            if (hdr.ipv4.ttl <= 1) {
                drop(DROP_TTL);
            } else {
                routing.apply(hdr, standard_metadata, done);
                if (!done) {
                    drop(DROP_NO_ROUTE);
                }
            }
        }
        if (hdr.packet_in.isValid()) {
            sequence.apply(hdr);
        }
    }
}

control UhaulEgress(
    inout headers_t hdr,
    inout metadata_t meta,
    inout standard_metadata_t standard_metadata)
{
    apply { }
}

V1Switch(
    UhaulParser(),
    UhaulVerifyChecksum(),
    UhaulIngress(),
    UhaulEgress(),
    UhaulComputeChecksum(),
    UhaulDeparser()
) main;
