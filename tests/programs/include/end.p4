// What every program ends with: it has a Parse, a Process for the ingress, and may have, saying
// so by OWN_…, a Verify, a Finish for the egress, a Compute or an Emit.
//
// Frames that are long are fences: one of FENCE + n bytes leaves by port n, untouched by the
// program. Whoever sends one knows, when it comes out, that all that was sent before is out.
const bit<32> FENCE = 1400;

#ifndef OWN_VERIFY
control Verify(inout headers_t hdr, inout metadata_t meta) {
    apply { }
}
#endif

control FencedIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    Process() process;

    apply {
        if (std.packet_length >= FENCE) {
            std.egress_spec = (bit<9>) (std.packet_length - FENCE);
        } else {
            process.apply(hdr, meta, std);
        }
    }
}

#ifndef OWN_FINISH
control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply { }
}
#endif

control FencedEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    Finish() finish;

    apply {
        if (std.packet_length < FENCE) {
            finish.apply(hdr, meta, std);
        }
    }
}

#ifndef OWN_COMPUTE
control Compute(inout headers_t hdr, inout metadata_t meta) {
    apply { }
}
#endif

#ifndef OWN_EMIT
control Emit(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr);
    }
}
#endif

V1Switch(Parse(), Verify(), FencedIngress(), FencedEgress(), Compute(), Emit()) main;
