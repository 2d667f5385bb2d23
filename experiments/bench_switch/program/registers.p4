// Two registers to be read, and nothing else: packets are dropped.

#include <core.p4>
#include <v1model.p4>

struct headers_t {}
struct metadata_t {}

parser RegistersParser(
    packet_in packet,
    out headers_t hdr,
    inout metadata_t meta,
    inout standard_metadata_t standard_metadata)
{
    state start {
        transition accept;
    }
}

control RegistersVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control RegistersIngress(
    inout headers_t hdr,
    inout metadata_t meta,
    inout standard_metadata_t standard_metadata)
{
    register<bit<32>>(8192) cells_8k;
    register<bit<32>>(65536) cells_64k;

    apply {
        // What nothing uses, the compiler leaves out.
        bit<32> arrival = (bit<32>)standard_metadata.ingress_global_timestamp;
        cells_8k.write(arrival & 8191, arrival);
        cells_64k.write(arrival & 65535, arrival);
        mark_to_drop(standard_metadata);
    }
}

control RegistersEgress(
    inout headers_t hdr,
    inout metadata_t meta,
    inout standard_metadata_t standard_metadata)
{
    apply {}
}

control RegistersComputeChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control RegistersDeparser(packet_out packet, in headers_t hdr) {
    apply {}
}

V1Switch(RegistersParser(), RegistersVerifyChecksum(), RegistersIngress(), RegistersEgress(), RegistersComputeChecksum(), RegistersDeparser()) main;
