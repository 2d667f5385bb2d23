// Affinity: which instance a flow without a rule of its own belongs to.
//
// A flow hashes to a bucket of its group. The bucket has an owner and, while it
// is being drained, a previous owner. A flow that the previous owner has seen
// within the affinity timeout stays there; any other goes to the owner.
//
// "Has seen" is a timing Bloom filter: a cell holds the time of its last use, so
// nothing ever needs clearing. Its error is one-sided: a flow that shares all its
// cells with others may be sent to the previous owner although it is new, which
// is harmless; a flow seen within the timeout is always recognised.

#ifndef UHAUL_AFFINITY_P4
#define UHAUL_AFFINITY_P4

#include "../constants.p4"
#include "../headers.p4"

control Affinity(
    in flow_t flow,
    in group_t group,
    in timestamp_t timeout,
    in timestamp_t now,
    in instance_t bounced_by, // or none
    inout instance_t instance,
    out bool at_owner) // by its bucket, not by a rule
{
    register<timestamp_t>(AFFINITY_CELLS) affinity_0;
    register<timestamp_t>(AFFINITY_CELLS) affinity_1;
    register<timestamp_t>(AFFINITY_CELLS) affinity_2;
    direct_counter(CounterType.packets_and_bytes) bucket_counter;

    instance_t owner = NO_INSTANCE;
    instance_t previous = NO_INSTANCE;
    bit<32> cell_0;
    bit<32> cell_1;
    bit<32> cell_2;

    action owned(@name("owner") instance_t bucket_owner) {
        bucket_counter.count();
        owner = bucket_owner;
    }

    action drained(
        @name("owner") instance_t bucket_owner, @name("previous") instance_t previous_owner)
    {
        bucket_counter.count();
        owner = bucket_owner;
        previous = previous_owner;
    }

    action unowned() {
        bucket_counter.count();
    }

    @name("buckets")
    table buckets {
        key = {
            group: exact @name("group");
            flow.hash[31:26]: exact @name("bucket");
        }
        actions = { owned; drained; unowned; }
        const default_action = unowned();
        counters = bucket_counter;
        size = 4096;
    }

    // The cells of (flow, instance).
    action locate(in instance_t at) {
        bit<32> mixed;
        bit<16> other;
        hash(mixed, HashAlgorithm.crc32, 32w0, {
            flow.key.low_address, flow.key.high_address, flow.key.low_port,
            flow.key.high_port, flow.key.protocol, at }, 64w0x100000000);
        hash(other, HashAlgorithm.crc16, 16w0, {
            flow.key.low_address, flow.key.high_address, flow.key.low_port,
            flow.key.high_port, flow.key.protocol, at }, 32w0x10000);
        cell_0 = (bit<32>)mixed[15:0];
        cell_1 = (bit<32>)mixed[31:16];
        cell_2 = (bit<32>)other;
    }

    apply {
        owner = NO_INSTANCE;
        previous = NO_INSTANCE;
        at_owner = false;
        // A rule of the flow's own has named the instance already.
        if (instance == NO_INSTANCE) {
            buckets.apply();
            instance = owner;
            at_owner = true;
            // Each of the two that the bucket is shared by may bounce it to the other only: had
            // both forgotten the flow, it would go round for ever.
            bool asked = bounced_by != NO_INSTANCE
                && (bounced_by == previous || bounced_by == owner);
            if (previous != NO_INSTANCE && !asked) {
                timestamp_t seen_0;
                timestamp_t seen_1;
                timestamp_t seen_2;
                locate(previous);
                affinity_0.read(seen_0, cell_0);
                affinity_1.read(seen_1, cell_1);
                affinity_2.read(seen_2, cell_2);
                if (seen_0 != 0 && seen_1 != 0 && seen_2 != 0
                        && now - seen_0 <= timeout
                        && now - seen_1 <= timeout
                        && now - seen_2 <= timeout) {
                    instance = previous;
                    at_owner = false;
                }
            }
        }
        if (instance != NO_INSTANCE) {
            locate(instance);
            affinity_0.write(cell_0, now);
            affinity_1.write(cell_1, now);
            affinity_2.write(cell_2, now);
        }
    }
}

#endif
