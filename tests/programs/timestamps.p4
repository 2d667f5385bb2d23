// Times in microseconds since the switch's start, and the queue's metadata.
#include "include/begin.p4"

header times_t {
    bit<48> ingress_global;
    bit<48> egress_global;
    bit<32> enqueued;
    bit<32> in_queue;
    bit<32> depth_before;
    bit<32> depth_after;
}

struct headers_t {
    ethernet_t ethernet;
    times_t times;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
    }
}

#define OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        hdr.times.setValid();
        hdr.times = { std.ingress_global_timestamp, std.egress_global_timestamp,
                      std.enq_timestamp, std.deq_timedelta, (bit<32>) std.enq_qdepth,
                      (bit<32>) std.deq_qdepth };
    }
}

#include "include/end.p4"
