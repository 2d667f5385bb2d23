// Checksums with conditions, over fields and over the payload, verified and updated.
#include "include/begin.p4"

header control_t {
    bit<8> verify;
    bit<8> update;
}

header summed_t {
    bit<16> a;
    bit<32> b;
    bit<16> sum;
    bit<16> payload_sum;
    bit<32> crc;
}

struct headers_t {
    ethernet_t ethernet;
    control_t control_;
    summed_t summed;
}

struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta,
             inout standard_metadata_t std) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.control_);
        transition select(hdr.ethernet.kind) {
            1: summed;
            default: accept;
        }
    }
    state summed {
        packet.extract(hdr.summed);
        transition accept;
    }
}

#define FIELDS { hdr.summed.a, hdr.summed.b }

#define OWN_VERIFY
control Verify(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.control_.verify[0:0] == 1, FIELDS, hdr.summed.sum,
                        HashAlgorithm.csum16);
        verify_checksum_with_payload(hdr.control_.verify[1:1] == 1, FIELDS,
                                     hdr.summed.payload_sum, HashAlgorithm.csum16);
        verify_checksum(hdr.control_.verify[2:2] == 1 && hdr.summed.isValid(), FIELDS,
                        hdr.summed.crc, HashAlgorithm.crc32);
    }
}

control Process(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.ethernet.src = (bit<48>) std.checksum_error;
        if (hdr.control_.update[7:7] == 1) {
            hdr.summed.a = hdr.summed.a + 1;
        }
    }
}

#define OWN_COMPUTE
control Compute(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.control_.update[0:0] == 1, FIELDS, hdr.summed.sum,
                        HashAlgorithm.csum16);
        update_checksum_with_payload(hdr.control_.update[1:1] == 1,
                                     { hdr.summed.a, hdr.summed.sum },
                                     hdr.summed.payload_sum, HashAlgorithm.csum16);
        update_checksum(hdr.control_.update[2:2] == 1 && hdr.summed.isValid(), FIELDS,
                        hdr.summed.crc, HashAlgorithm.crc32);
    }
}

#include "include/end.p4"
