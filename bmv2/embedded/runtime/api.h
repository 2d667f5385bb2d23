/* What the library offers. Numbers of tables, actions and arrays are those of the program. */
#ifndef API_H
#define API_H

#define API __attribute__((visibility("default")))

#include "api_arrays.h"
#include "api_tables.h"

/* --- life ---------------------------------------------------------------------------- */

static bool is_prepared;

/* To be called once, before anything else. Zero, or an errno. */
API int switch_prepare(void) {
    hash_prepare();
    start_ns = clock_ns();
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0 || queue_open(&virtual_in, PACKETS_ROOM) < 0 ||
        queue_open(&virtual_out, PACKETS_ROOM) < 0 || queue_open(&digests, DIGESTS_ROOM) < 0)
        return errno;
    is_prepared = true;
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        tables[i].default_data = calloc(tables[i].data_words + 1, sizeof(uint64_t));
        tables[i].default_action = UINT32_MAX;
        if (!tables[i].default_data) return ENOMEM;
    }
    return 0;
}

/* A port on an interface, or a virtual one where the name is NULL. Zero, or an errno. */
API int switch_add_port(uint32_t number, const char *interface) {
    return port_open(number, interface);
}

API int switch_start(void) {
    const int error = pthread_create(&thread, NULL, run, NULL);
    is_running = error == 0;
    return error;
}

/* Takes the packets of virtual ports through the program until none is left, in the
 * caller's thread; for a switch that is not started. Zero, or ELOOP when some still go round
 * after `most` passes. */
API int switch_process(uint64_t most) {
    for (uint64_t passes = 0; passes <= most;) {
        const uint32_t count = process_virtual() + process_loops();
        if (count == 0) return 0;
        passes += count;
    }
    return ELOOP;
}

API void switch_stop(void) {
    if (is_running) {
        const uint64_t one = 1;
        __atomic_store_n(&must_stop, true, __ATOMIC_RELEASE);
        if (write(wake, &one, sizeof one) == sizeof one) pthread_join(thread, NULL);
        is_running = false;
    }
    for (uint32_t i = 0; i < port_count; i++) port_close(ports[i]);
    port_count = 0;
}

/* Stops, and gives back all memory and descriptors. */
API void switch_release(void) {
    if (!is_prepared) return;
    switch_stop();
    for (uint32_t i = 0; i < TABLE_COUNT; i++) table_free(&tables[i]);
    for (uint32_t i = 0; i < VALUE_SET_COUNT; i++) table_free(&value_sets[i]);
    for (uint32_t i = 0; i < PROFILE_COUNT; i++) profile_free(&profiles[i]);
    queue_close(&virtual_in);
    queue_close(&virtual_out);
    queue_close(&digests);
    close(wake);
    for (struct looped *packet = looped_first, *next; packet; packet = next) {
        next = packet->next;
        free(packet);
    }
    for (uint32_t i = 0; i < multicast_groups.count; i++) free(multicast_groups.all[i].replicas);
    for (uint32_t i = 0; i < clone_sessions.count; i++) free(clone_sessions.all[i].replicas);
    free(multicast_groups.all);
    free(clone_sessions.all);
}

/* --- packets of virtual ports, the CPU port among them ------------------------------- */

API int switch_send(uint32_t port, const uint8_t *bytes, uint32_t length) {
    if (length > MAX_PACKET_BYTES) return EMSGSIZE;
    return queue_put(&virtual_in, port, bytes, length, NULL, 0) ? 0 : ENOBUFS;
}

API int switch_receive_descriptor(void) { return virtual_out.event; }

/* Packets that wait, each as port, length (both uint32_t) and bytes, as many as fit into
 * `room`; the count of bytes. */
API uint64_t switch_receive(uint8_t *out, uint64_t room) {
    return queue_read(&virtual_out, out, room);
}

/* --- digests -------------------------------------------------------------------------- */

API int switch_digest_descriptor(void) { return digests.event; }

/* Digests that wait, each as the id of its list, length and words, as above. */
API uint64_t switch_receive_digests(uint8_t *out, uint64_t room) {
    return queue_read(&digests, out, room);
}

/* --- replication --------------------------------------------------------------------- */

/* Sets or (with no replicas and `exists` false) removes a multicast group (kind 0) or a
 * clone session (kind 1). Zero, or an errno. */
API int switch_set_replication(uint32_t kind, uint32_t id, bool exists, uint32_t count,
                               const uint32_t *port_numbers, const uint16_t *rids,
                               uint32_t truncate_to) {
    struct replications *in = kind == 0 ? &multicast_groups : &clone_sessions;
    struct replica *replicas = calloc(count + 1, sizeof *replicas);
    if (!replicas) return ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        replicas[i] = (struct replica){port_numbers[i], rids[i]};
    state_enter();
    uint32_t place = 0;
    while (place < in->count && in->all[place].id != id) place++;
    int error = 0;
    if (place == in->count && exists) {
        struct replication *grown = realloc(in->all, (in->count + 1) * sizeof *grown);
        if (grown) {
            in->all = grown;
            in->all[in->count++] = (struct replication){.id = id};
        } else {
            error = ENOMEM;
        }
    }
    if (error || place == in->count) {
        free(replicas);
    } else {
        free(in->all[place].replicas);
        if (exists) {
            in->all[place] = (struct replication){id, count, truncate_to, replicas};
        } else {
            free(replicas);
            in->all[place] = in->all[--in->count];
        }
    }
    state_leave();
    return error;
}

/* --- counts -------------------------------------------------------------------------- */

struct port_counts {
    uint64_t received, received_bytes, sent, sent_bytes, too_long, ring_full, send_errors;
    uint64_t fates[FATE_COUNT]; /* of packets that came in here */
};

API int switch_port_counts(uint32_t number, struct port_counts *counts) {
    state_enter();
    struct port *p = port_find(number);
    if (p) {
        port_count_drops(p);
        *counts = (struct port_counts){p->received, p->received_bytes, p->sent,     p->sent_bytes,
                                       p->too_long, p->ring_full,      p->send_errors};
        memcpy(counts->fates, p->fates, sizeof counts->fates);
    }
    state_leave();
    return p ? 0 : ENODEV;
}

struct fate_counts {
    uint64_t fates[FATE_COUNT]; /* of packets of all ports, and of those that came by none */
    uint64_t to_cpu_full, from_cpu_full, digests_full;
};

API void switch_fate_counts(struct fate_counts *counts) {
    state_enter();
    *counts = (struct fate_counts){{0}, virtual_out.dropped, virtual_in.dropped, digests.dropped};
    for (uint32_t fate = 0; fate < FATE_COUNT; fate++) {
        counts->fates[fate] = other_fates[fate];
        for (uint32_t i = 0; i < port_count; i++) counts->fates[fate] += ports[i]->fates[fate];
    }
    state_leave();
}

/* --- the log --------------------------------------------------------------------------- */

/* From now on packets write lines of a level and above to a descriptor, and those that come
 * and leave the first bytes of theirs. Without -DTRACE only the program's own messages. */
API void switch_log(int descriptor, uint32_t level, uint32_t dump_bytes) {
    state_enter();
    packet_log.descriptor = descriptor;
    packet_log.level = level;
    packet_log.dump_bytes = dump_bytes;
    state_leave();
}

/* Records the packets of a port in two open files. Zero, or an errno. */
API int switch_record(uint32_t number, int in, int out) {
#ifdef TRACE
    state_enter();
    struct port *p = port_find(number);
    if (p) p->record_in = in, p->record_out = out;
    state_leave();
    return p ? 0 : ENODEV;
#else
    (void)number, (void)in, (void)out;
    return ENOTSUP;
#endif
}

#endif
