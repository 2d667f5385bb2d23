/* The v1model architecture as BMv2's simple_switch builds it: parser, ingress, replication,
 * egress, deparser. Each packet runs through to its end; there are no queues in between. */
#ifndef V1MODEL_H
#define V1MODEL_H

#include <time.h>

enum {
    INSTANCE_NORMAL = 0,
    INSTANCE_INGRESS_CLONE = 1,
    INSTANCE_EGRESS_CLONE = 2,
    INSTANCE_RECIRCULATED = 4,
    INSTANCE_REPLICATED = 5,
    INSTANCE_RESUBMITTED = 6,
};

#define MAX_LOOPED 1024

struct replica {
    uint32_t port;
    uint16_t rid;
};

/* A multicast group or a clone session. */
struct replication {
    uint32_t id;
    uint32_t count;
    uint32_t truncate_to; /* UINT32_MAX: not at all */
    struct replica *replicas;
};

struct replications {
    struct replication *all;
    uint32_t count;
};

/* A packet that goes through the ingress once more, or a copy that an egress has made. */
struct looped {
    struct looped *next;
    bool is_at_egress;
    uint32_t egress_port;
    struct context context;
    uint8_t bytes[];
};

static struct replications multicast_groups, clone_sessions;
static struct looped *looped_first, **looped_last = &looped_first;
static uint32_t looped_count;
static struct queue virtual_out, digests;
static uint64_t start_ns;
static uint64_t other_fates[FATE_COUNT]; /* of packets that came in by no port */

static void count_fate(const struct context *c, enum fate fate) {
    static const char *const names[] = {"dropped by the ingress",  "dropped by the egress",
                                        "no such multicast group", "no such port",
                                        "no room to go round",     "an assertion has failed",
                                        "too large"};
    c->fates[fate]++;
    (void)names;
    DEBUG_LINE(c, "%s", names[fate]);
}

static uint64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t switch_us(uint64_t now_ns) { return (now_ns - start_ns) / 1000; }

static const struct replication *replication_find(const struct replications *in, uint32_t id) {
    for (uint32_t i = 0; i < in->count; i++)
        if (in->all[i].id == id) return &in->all[i];
    return NULL;
}

static void context_start(struct context *c, const uint8_t *data, uint32_t length) {
    c->data = data;
    c->length = c->ingress_length = length;
    c->packet_length = (int32_t)length;
    c->parsed = 0;
    c->truncate_to = UINT32_MAX;
    c->parser_error = 0;
    c->clone_list = c->resubmit_list = c->recirculate_list = c->digest_list = 0;
    c->checksum_error = 0;
    c->is_cloned = c->exit = c->has_failed = false;
}

/* Queues a packet of two parts, with a context of its own; NULL when it is too large,
 * or the queue full. */
static struct looped *loop_add(const struct context *c, const uint8_t *head, uint32_t head_length,
                               const uint8_t *tail, uint32_t tail_length) {
    if (head_length + tail_length > MAX_PACKET_BYTES) {
        count_fate(c, FATE_TOO_LARGE);
        return NULL;
    }
    struct looped *packet =
        looped_count < MAX_LOOPED ? malloc(sizeof *packet + head_length + tail_length) : NULL;
    if (!packet) {
        count_fate(c, FATE_LOOP_FULL);
        return NULL;
    }
    packet->next = NULL;
    packet->is_at_egress = false;
    packet->context = *c;
    packet->context.data = packet->bytes;
    if (head_length) memcpy(packet->bytes, head, head_length);
    if (tail_length) memcpy(packet->bytes + head_length, tail, tail_length);
    *looped_last = packet;
    looped_last = &packet->next;
    looped_count++;
    return packet;
}

static void loop_to_ingress(const struct context *c, const uint8_t *head, uint32_t head_length,
                            const uint8_t *tail, uint32_t tail_length) {
    struct looped *packet = loop_add(c, head, head_length, tail, tail_length);
    if (packet) context_start(&packet->context, packet->bytes, head_length + tail_length);
}

/* Not at once: what an egress copies may be copied by the next egress again, without end. */
static void loop_to_egress(const struct context *c, uint32_t port) {
    struct looped *packet = loop_add(c, c->data, c->length, NULL, 0);
    if (!packet) return;
    packet->is_at_egress = true;
    packet->egress_port = port;
}

/* A context for a copy of a packet: no metadata but those of a field list. */
static void copy_start(struct context *copy, const struct context *source, uint32_t list,
                       uint32_t type) {
    memset(&copy->phv, 0, sizeof copy->phv);
    copy->now_ns = source->now_ns;
    copy->fates = source->fates;
    TRACED(copy->packet = source->packet; copy->copy = ++last_copy;)
    copy_fields(copy, source, list);
    STANDARD_INSTANCE_TYPE(copy) = type;
}

static void egress_packet(struct context *c, uint32_t port);

/* Makes the copies of a packet; of one that is at the egress already, they come later. */
static void replicate(const struct context *c, const struct replication *to, bool is_at_egress) {
    for (uint32_t i = 0; i < to->count; i++) {
        struct context copy = *c;
        TRACED(copy.copy = ++last_copy;)
        DEBUG_LINE(c, "copy %u for port %u, rid %u", copy.copy, to->replicas[i].port,
                   to->replicas[i].rid);
        STANDARD_EGRESS_RID(&copy) = to->replicas[i].rid;
        copy.truncate_to = to->truncate_to; /* not where the original is cut */
        copy.is_cloned = copy.exit = false;
        copy.clone_list = copy.recirculate_list = 0;
        if (is_at_egress)
            loop_to_egress(&copy, to->replicas[i].port);
        else
            egress_packet(&copy, to->replicas[i].port);
    }
}

static void transmit(struct context *c, uint32_t number) {
    struct port *port = port_find(number);
    if (!port) {
        count_fate(c, FATE_NO_PORT);
        return;
    }
    uint8_t *head = port_slot(port);
    uint32_t head_length = deparse(c, head);
    uint32_t tail_length = c->length - c->parsed;
    const uint8_t *tail = c->data + c->parsed;
    if (head_length > c->truncate_to) head_length = c->truncate_to;
    if (tail_length > c->truncate_to - head_length) tail_length = c->truncate_to - head_length;
    DEBUG_LINE(c, "sent by port %u: %u bytes", number, head_length + tail_length);
    TRACED(trace_leaving(c, port, head, head_length, tail, tail_length);)
    if (port->is_virtual) {
        queue_put(&virtual_out, number, head, head_length, tail, tail_length);
        port->sent++;
        port->sent_bytes += head_length + tail_length;
    } else {
        port_send(port, head_length, tail, tail_length);
    }
}

/* Whole: only what leaves is truncated. */
static void recirculate_packet(struct context *c) {
    uint8_t head[MAX_HEADER_BYTES];
    const uint32_t head_length = deparse(c, head);
    const uint32_t tail_length = c->length - c->parsed;
    struct context copy;
    copy_start(&copy, c, c->recirculate_list, INSTANCE_RECIRCULATED);
    DEBUG_LINE(c, "recirculated, as copy %u", copy.copy);
    loop_to_ingress(&copy, head, head_length, c->data + c->parsed, tail_length);
}

/* What is after the ingress' choice of a port. */
static void egress_packet(struct context *c, uint32_t port) {
    const uint64_t now_us = switch_us(c->now_ns);
    STANDARD_EGRESS_GLOBAL_TIMESTAMP(c) = now_us & MASK64(48);
    STANDARD_ENQ_TIMESTAMP(c) = (uint32_t)now_us;
    STANDARD_ENQ_QDEPTH(c) = 0;
    STANDARD_DEQ_TIMEDELTA(c) = 0;
    STANDARD_DEQ_QDEPTH(c) = 0;
    STANDARD_EGRESS_PORT(c) = port & PORT_MASK;
    STANDARD_EGRESS_SPEC(c) = 0;
    STANDARD_PACKET_LENGTH(c) = (uint32_t)c->packet_length;
    DEBUG_LINE(c, "egress, for port %u", port);
    egress(c);
    if (c->has_failed) {
        count_fate(c, FATE_ASSERT);
        return;
    }
    if (c->is_cloned) {
        const struct replication *to = replication_find(&clone_sessions, c->clone_session);
        if (to) {
            struct context copy = *c;
            reset_metadata(&copy);
            copy_fields(&copy, c, c->clone_list);
            STANDARD_INSTANCE_TYPE(&copy) = INSTANCE_EGRESS_CLONE;
            DEBUG_LINE(c, "cloned from the egress, session %u", c->clone_session);
            replicate(&copy, to, true);
        }
    }
    if (STANDARD_EGRESS_SPEC(c) == DROP_PORT) {
        count_fate(c, FATE_EGRESS_DROP);
        return;
    }
    update_checksums(c);
    deparse_statements(c);
    if (c->recirculate_list) {
        recirculate_packet(c);
        return;
    }
    transmit(c, port);
}

static void clone_ingress(struct context *source) {
    const struct replication *to = replication_find(&clone_sessions, source->clone_session);
    if (!to) return;
    struct context copy;
    memset(&copy.phv, 0, sizeof copy.phv);
    context_start(&copy, source->data, source->length);
    copy.now_ns = source->now_ns;
    copy.fates = source->fates;
    TRACED(copy.packet = source->packet; copy.copy = ++last_copy;)
    DEBUG_LINE(source, "cloned from the ingress, session %u, as copy %u", source->clone_session,
               copy.copy);
    STANDARD_INGRESS_PORT(&copy) = STANDARD_INGRESS_PORT(source);
    parse(&copy);
    reset_metadata(&copy);
    copy_fields(&copy, source, source->clone_list);
    STANDARD_INSTANCE_TYPE(&copy) = INSTANCE_INGRESS_CLONE;
    replicate(&copy, to, false);
}

/* Hands the fields of a digest to the controller, as they are at the end of the ingress. */
static void learn(const struct context *c) {
    uint64_t words[DIGEST_WORDS + 1];
    const uint32_t count = digest_fields(c, words);
    DEBUG_LINE(c, "digest %u", c->digest_list);
    if (count) queue_put(&digests, c->digest_list, words, count * sizeof *words, NULL, 0);
}

/* A packet whose context is started and whose ingress port and metadata are set. */
static void ingress_packet(struct context *c) {
    parse(c);
    verify_checksums(c);
    STANDARD_PARSER_ERROR(c) = c->parser_error;
    STANDARD_CHECKSUM_ERROR(c) = c->checksum_error;
    DEBUG_LINE(c, "ingress");
    ingress(c);
    c->exit = false;
    if (c->has_failed) {
        count_fate(c, FATE_ASSERT);
        return;
    }
    if (c->is_cloned) {
        clone_ingress(c);
        c->is_cloned = false;
        c->clone_list = 0;
    }
    if (c->digest_list) learn(c);
    if (c->resubmit_list) {
        struct context copy;
        copy_start(&copy, c, c->resubmit_list, INSTANCE_RESUBMITTED);
        DEBUG_LINE(c, "resubmitted, as copy %u", copy.copy);
        loop_to_ingress(&copy, c->data, c->length, NULL, 0);
        return;
    }
    if (STANDARD_MCAST_GRP(c)) {
        const struct replication *to = replication_find(&multicast_groups, STANDARD_MCAST_GRP(c));
        STANDARD_INSTANCE_TYPE(c) = INSTANCE_REPLICATED;
        DEBUG_LINE(c, "multicast group %u", (unsigned)STANDARD_MCAST_GRP(c));
        if (to && to->count)
            replicate(c, to, false);
        else
            count_fate(c, FATE_NO_GROUP);
        return;
    }
    if (STANDARD_EGRESS_SPEC(c) == DROP_PORT) {
        count_fate(c, FATE_INGRESS_DROP);
        return;
    }
    STANDARD_INSTANCE_TYPE(c) = INSTANCE_NORMAL;
    egress_packet(c, STANDARD_EGRESS_SPEC(c));
}

/* A packet that comes in by a port, which is NULL where the switch has none of this number. */
static void receive_packet(uint32_t port, struct port *from, const uint8_t *data,
                           uint32_t length) {
    struct context context, *c = &context;
    memset(&c->phv, 0, sizeof c->phv);
    context_start(c, data, length);
    c->now_ns = clock_ns();
    c->fates = from ? from->fates : other_fates;
    TRACED(trace_coming(c, port, from, !looped_first);)
    STANDARD_INGRESS_PORT(c) = port & PORT_MASK;
    STANDARD_PACKET_LENGTH(c) = length;
    STANDARD_INGRESS_GLOBAL_TIMESTAMP(c) = switch_us(c->now_ns) & MASK64(48);
    ingress_packet(c);
}

/* The packets that were resubmitted, recirculated or copied before this call; the list of those to
 * be freed after the next flush. */
static struct looped *process_looped(void) {
    struct looped *const first = looped_first;
    looped_first = NULL;
    looped_last = &looped_first;
    looped_count = 0;
    for (struct looped *packet = first; packet; packet = packet->next) {
        struct context *c = &packet->context;
        c->now_ns = clock_ns();
        if (packet->is_at_egress) {
            egress_packet(c, packet->egress_port);
            continue;
        }
        STANDARD_PACKET_LENGTH(c) = c->length;
        ingress_packet(c);
    }
    return first;
}

#endif
