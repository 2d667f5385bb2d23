/* What the library offers. Numbers of tables, actions and arrays are those of the program. */
#ifndef API_H
#define API_H

#include "protobuf.h"

#define API __attribute__((visibility("default")))

/* --- life ---------------------------------------------------------------------------- */

/* To be called once, before anything else. Zero, or an errno. */
API int switch_prepare(void) {
    hash_prepare();
    start_ns = clock_ns();
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0 || queue_open(&virtual_in) < 0 || queue_open(&virtual_out) < 0) return errno;
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
 * caller's thread; for a switch that is not started. */
API void switch_process(void) {
    while (process_virtual() + process_loops() > 0) continue;
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

/* After the stop: gives back all memory. */
API void switch_release(void) {
    for (uint32_t i = 0; i < TABLE_COUNT; i++) table_free(&tables[i]);
    queue_close(&virtual_in);
    queue_close(&virtual_out);
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
    return queue_put(&virtual_in, port, bytes, length, NULL, 0) ? 0 : ENOBUFS;
}

API int switch_receive_descriptor(void) { return virtual_out.event; }

/* Packets that wait, each as port, length (both uint32_t) and bytes, as many as fit into
 * `room`; the count of bytes. */
API uint64_t switch_receive(uint8_t *out, uint64_t room) {
    uint64_t used = 0;
    for (;;) {
        pthread_mutex_lock(&virtual_out.lock);
        const struct queued *first = virtual_out.first;
        const bool fits = first && used + 8 + first->length <= room;
        pthread_mutex_unlock(&virtual_out.lock);
        struct queued *packet = fits || !first ? queue_take(&virtual_out, 1) : NULL;
        if (!packet) return used;
        memcpy(out + used, &packet->port, 4);
        memcpy(out + used + 4, &packet->length, 4);
        memcpy(out + used + 8, packet->bytes, packet->length);
        used += 8 + packet->length;
        free(packet);
    }
}

/* --- tables -------------------------------------------------------------------------- */

API int64_t switch_table_add(uint32_t table, const uint64_t *key, const uint64_t *high,
                             const uint64_t *mask, int32_t priority, uint32_t action,
                             const uint64_t *data) {
    state_enter();
    const int64_t result =
        table_add(&tables[table], key, high, mask, priority, action, data, clock_ns());
    state_leave();
    return result;
}

API int switch_table_modify(uint32_t table, uint32_t handle, uint32_t action,
                            const uint64_t *data) {
    state_enter();
    const int result = table_modify(&tables[table], handle, action, data);
    state_leave();
    return result;
}

API int switch_table_delete(uint32_t table, uint32_t handle) {
    state_enter();
    const int result = table_delete(&tables[table], handle);
    state_leave();
    return result;
}

API void switch_table_set_default(uint32_t table, uint32_t action, const uint64_t *data) {
    struct table *t = &tables[table];
    state_enter();
    t->default_action = action;
    memcpy(t->default_data, data, t->data_words * sizeof(uint64_t));
    state_leave();
}

/* The direct counter of an entry, or of the misses where there is no handle. */
API int switch_entry_counter(uint32_t table, int64_t handle, uint64_t *packets, uint64_t *bytes) {
    struct table *t = &tables[table];
    state_enter();
    const struct entry *e = handle < 0 ? NULL : table_entry(t, (uint32_t)handle);
    *packets = e ? e->packets : t->default_packets;
    *bytes = e ? e->bytes : t->default_bytes;
    state_leave();
    return handle >= 0 && !e ? TABLE_NO_ENTRY : TABLE_OK;
}

API int switch_set_entry_counter(uint32_t table, int64_t handle, uint64_t packets,
                                 uint64_t bytes) {
    struct table *t = &tables[table];
    state_enter();
    struct entry *e = handle < 0 ? NULL : table_entry(t, (uint32_t)handle);
    if (handle < 0) {
        t->default_packets = packets;
        t->default_bytes = bytes;
    } else if (e) {
        e->packets = packets;
        e->bytes = bytes;
    }
    state_leave();
    return handle >= 0 && !e ? TABLE_NO_ENTRY : TABLE_OK;
}

API int64_t switch_entry_idle_ns(uint32_t table, uint32_t handle) {
    state_enter();
    const struct entry *e = table_entry(&tables[table], handle);
    const uint64_t now = clock_ns();
    const int64_t idle = e ? (int64_t)(now > e->hit_ns ? now - e->hit_ns : 0) : TABLE_NO_ENTRY;
    state_leave();
    return idle;
}

/* --- arrays -------------------------------------------------------------------------- */

API void switch_counter_read(uint32_t counter, uint32_t index, uint64_t *packets,
                             uint64_t *bytes) {
    state_enter();
    *packets = counters[counter].cells[index].packets;
    *bytes = counters[counter].cells[index].bytes;
    state_leave();
}

API void switch_counter_write(uint32_t counter, uint32_t index, uint64_t packets,
                              uint64_t bytes) {
    state_enter();
    counters[counter].cells[index] = (struct counter){packets, bytes};
    state_leave();
}

API uint32_t switch_register_cell_bytes(uint32_t array) { return registers[array].cell_bytes; }

API void switch_register_read(uint32_t array, void *cells) {
    const struct register_array *r = &registers[array];
    state_enter();
    memcpy(cells, r->cells, (size_t)r->size * r->cell_bytes);
    state_leave();
}

API void switch_register_write(uint32_t array, uint32_t index, const void *cell) {
    const struct register_array *r = &registers[array];
    state_enter();
    memcpy((uint8_t *)r->cells + (size_t)index * r->cell_bytes, cell, r->cell_bytes);
    state_leave();
}

API uint64_t switch_register_message_room(uint32_t count) { return (uint64_t)count * ENTITY_ROOM; }

/* Cells as the body of a ReadResponse; the count of bytes. */
API uint64_t switch_register_message(uint32_t array, uint32_t register_id, uint32_t first,
                                     uint32_t count, uint8_t *out) {
    const struct register_array *r = &registers[array];
    const uint8_t *cell = (const uint8_t *)r->cells + (size_t)first * r->cell_bytes;
    uint8_t *p = out;
    state_enter();
    for (uint32_t i = 0; i < count; i++, cell += r->cell_bytes) {
        u128 value = 0;
        memcpy(&value, cell, r->cell_bytes < sizeof value ? r->cell_bytes : sizeof value);
        p = put_register_entity(p, register_id, first + i, value);
    }
    state_leave();
    return (uint64_t)(p - out);
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
};

API int switch_port_counts(uint32_t number, struct port_counts *counts) {
    state_enter();
    struct port *p = port_find(number);
    if (p) {
        port_count_drops(p);
        *counts = (struct port_counts){p->received, p->received_bytes, p->sent,     p->sent_bytes,
                                       p->too_long, p->ring_full,      p->send_errors};
    }
    state_leave();
    return p ? 0 : ENODEV;
}

struct fate_counts {
    uint64_t dropped, no_port, loop_full, failed, to_cpu_full, from_cpu_full;
};

API void switch_fate_counts(struct fate_counts *counts) {
    state_enter();
    *counts = (struct fate_counts){fates.dropped, fates.no_port,       fates.loop_full,
                                   fates.failed,  virtual_out.dropped, virtual_in.dropped};
    state_leave();
}

#endif
