// What the controller sends by packet_out.
//
// `done`: the packet's way is decided. Otherwise it goes to `instance`, if there is one.

#ifndef UHAUL_PACKET_IO_P4
#define UHAUL_PACKET_IO_P4

#include "../headers.p4"

control PacketOut(
    inout headers_t hdr,
    inout standard_metadata_t standard_metadata,
    out instance_t instance,
    out bool done)
{
    apply {
        instance = NO_INSTANCE;
        done = false;
        if (hdr.packet_out.kind == PACKET_OUT_PORT) {
            standard_metadata.egress_spec = hdr.packet_out.egress_port;
            done = true;
        } else if (hdr.packet_out.kind == PACKET_OUT_BARRIER) {
            // Behind every packet that has been sent to the controller so far.
            hdr.packet_in.setValid();
            hdr.packet_in.reason = PACKET_IN_BARRIER;
            hdr.packet_in.instance = NO_INSTANCE;
            hdr.packet_in.ingress_port = CPU_PORT;
            hdr.packet_in.pad = 0;
            hdr.packet_in.migration = hdr.packet_out.migration;
            standard_metadata.egress_spec = CPU_PORT;
            done = true;
        } else if (hdr.packet_out.kind == PACKET_OUT_RELEASE
                || hdr.packet_out.kind == PACKET_OUT_MARKER) {
            instance = hdr.packet_out.instance;
        }
        hdr.packet_out.setInvalid();
    }
}

// Hands a packet of a host or an instance to the controller.
control PacketIn(
    inout headers_t hdr,
    inout standard_metadata_t standard_metadata,
    in bit<8> reason,
    in instance_t instance,
    in migration_t migration)
{
    apply {
        hdr.packet_in.setValid();
        hdr.packet_in.reason = reason;
        hdr.packet_in.instance = instance;
        hdr.packet_in.ingress_port = standard_metadata.ingress_port;
        hdr.packet_in.pad = 0;
        hdr.packet_in.migration = migration;
        standard_metadata.egress_spec = CPU_PORT;
    }
}

// Numbers what goes to the controller: a gap tells it how many packets were lost on the way.
control PacketInSequence(inout headers_t hdr) {
    register<bit<32>>(1) packet_ins;

    apply {
        @atomic {
            bit<32> sent;
            packet_ins.read(sent, 0);
            sent = sent + 1;
            packet_ins.write(0, sent);
            hdr.packet_in.sequence = sent;
        }
    }
}

#endif
