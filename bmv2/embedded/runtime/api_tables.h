/* What the library offers of tables, action profiles and parser value sets. */
#ifndef API_TABLES_H
#define API_TABLES_H

#include "plain_updates.h"

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

/* The rates of the direct meter of an entry, or of the misses where there is no handle:
 * one when it is configured, zero when it is not, or less when there is no entry. */
API int switch_entry_meter(uint32_t table, int64_t handle, struct meter_rates *rates) {
    struct table *t = &tables[table];
    state_enter();
    const struct entry *e = handle < 0 ? NULL : table_entry(t, (uint32_t)handle);
    const struct meter *m = handle < 0 ? &t->default_meter : e ? e->meter : NULL;
    const int result = m ? meter_get(m, rates) : 0;
    state_leave();
    return handle >= 0 && !e ? TABLE_NO_ENTRY : result;
}

/* Configures it, or takes its configuration away where the rates are NULL. */
API int switch_set_entry_meter(uint32_t table, int64_t handle, const struct meter_rates *rates) {
    struct table *t = &tables[table];
    int result = TABLE_OK;
    state_enter();
    if (handle < 0)
        meter_set(&t->default_meter, rates);
    else
        result = table_set_meter(t, (uint32_t)handle, rates);
    state_leave();
    return result;
}

/* --- updates as they come from the controller --------------------------------------------- */

/* Plain updates of one kind, table, action and timeout that were done one after the other. */
struct plain_run {
    uint64_t next;   /* where in the request the next field is */
    uint64_t beyond; /* where its next but one is; only if `next` is an update that is not plain */
    uint64_t idle_timeout_ns;     /* of each entry; 0: never */
    uint32_t kind, table, action; /* the last two by their places in the descriptors */
    uint32_t count, room;
    uint32_t *handles;
    uint64_t *places; /* of each low, high and mask of its key, then its priority */
    uint64_t *data;   /* of each the arguments, in the room that the table has for them */
};

static bool read_plain(struct wire message, const struct plain_table *known, uint32_t count,
                       struct plain_run *run, struct plain_update *u) {
    struct wire entry;
    *u = (struct plain_update){0};
    if (!open_update(message, &u->kind, &entry)) return false;
    u->table = take_table(&entry, known, count);
    if (!u->table) return false;
    if (run->count > 0 && &known[run->table] != u->table) return true; /* the room is another */
    const struct table *const t = &tables[u->table->number];
    const size_t place_words = 3 * (size_t)t->key_words + 1;
    uint64_t *const place = run->places + run->count * place_words;
    u->key = (struct plain_key){place, place + t->key_words, place + 2 * t->key_words};
    u->data = run->data + run->count * (size_t)t->data_words;
    memset(place, 0, place_words * sizeof *place);
    memset(u->data, 0, t->data_words * sizeof *u->data);
    if (!read_entry(entry, u)) return false;
    place[place_words - 1] = (uint64_t)u->priority;
    return true;
}

/* Whether an update is of the kind, table, action and timeout of the run, which it may begin. */
static bool joins(struct plain_run *run, const struct plain_table *known,
                  const struct plain_update *u) {
    const uint32_t table = (uint32_t)(u->table - known);
    const uint32_t action = u->action ? (uint32_t)(u->action - u->table->actions) : 0;
    if (run->count == 0) {
        run->kind = u->kind, run->table = table, run->action = action;
        run->idle_timeout_ns = u->idle_timeout_ns;
    }
    return run->kind == u->kind && run->table == table && run->action == action &&
           run->idle_timeout_ns == u->idle_timeout_ns;
}

/* Does the plain updates of a serialised p4.v1.WriteRequest from `run->next` on, until one is
 * not plain, or of another kind, table, action or timeout, or the run has no more room. */
API void switch_write_plain(const struct plain_table *known, uint32_t known_count,
                            const uint8_t *request, uint64_t size, struct plain_run *run) {
    enum { UPDATES = 4 };
    const uint64_t now_ns = clock_ns();
    struct wire rest = {request + run->next, request + size};
    struct wire_field f;
    run->count = 0;
    for (; run->count < run->room && !wire_ends(&rest); run->next = (uint64_t)(rest.at - request)) {
        run->beyond = size;
        if (!wire_take(&rest, &f)) return;
        if (f.number != UPDATES || f.type != WIRE_BYTES) continue;
        run->beyond = (uint64_t)(rest.at - request);
        struct plain_update update;
        if (!read_plain(f.bytes, known, known_count, run, &update) ||
            !joins(run, known, &update))
            return;
        state_enter();
        const int64_t handle = do_update(&update, now_ns);
        state_leave();
        if (handle < 0) return;
        run->handles[run->count++] = (uint32_t)handle;
    }
}

/* --- action profiles: a handle, zero, or a negative errno ------------------------------ */

API int64_t switch_member_add(uint32_t profile, uint32_t action, const uint64_t *data) {
    state_enter();
    const int64_t result = member_add(&profiles[profile], action, data);
    state_leave();
    return result;
}

API int switch_member_modify(uint32_t profile, uint32_t handle, uint32_t action,
                             const uint64_t *data) {
    state_enter();
    const int result = member_modify(&profiles[profile], handle, action, data);
    state_leave();
    return result;
}

API int switch_member_delete(uint32_t profile, uint32_t handle) {
    state_enter();
    const int result = member_delete(&profiles[profile], handle);
    state_leave();
    return result;
}

API int64_t switch_group_add(uint32_t profile) {
    state_enter();
    const int64_t result = group_add(&profiles[profile]);
    state_leave();
    return result;
}

API int switch_group_modify(uint32_t profile, uint32_t handle, uint32_t count,
                            const uint32_t *members) {
    state_enter();
    const int result = group_modify(&profiles[profile], handle, count, members);
    state_leave();
    return result;
}

API int switch_group_delete(uint32_t profile, uint32_t handle) {
    state_enter();
    const int result = group_delete(&profiles[profile], handle);
    state_leave();
    return result;
}

/* --- parser value sets ----------------------------------------------------------------- */

/* Replaces the members of a set, each given by its words and mask. Zero, or an errno. */
API int switch_value_set_write(uint32_t set, uint32_t count, const uint64_t *keys,
                               const uint64_t *masks) {
    const uint32_t words = value_sets[set].key_words;
    struct table fresh = {.kind = TABLE_TERNARY, .key_words = words, .size = UINT32_MAX};
    uint64_t *const zeros = calloc(words + 1, sizeof *zeros);
    int64_t result = zeros ? TABLE_OK : TABLE_NO_MEMORY;
    for (uint32_t i = 0; i < count && result != TABLE_NO_MEMORY; i++)
        result = table_add(&fresh, keys + (size_t)i * words, zeros, masks + (size_t)i * words, 0,
                           0, zeros, 0);
    free(zeros);
    if (result != TABLE_NO_MEMORY) {
        state_enter();
        const struct table old = value_sets[set];
        value_sets[set] = fresh;
        state_leave();
        fresh = old;
    }
    table_free(&fresh);
    return result == TABLE_NO_MEMORY ? ENOMEM : 0;
}

#endif
