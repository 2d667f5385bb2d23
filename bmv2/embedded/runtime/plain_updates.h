/* P4Runtime updates of table entries, done from their serialised form.
 *
 * Plain is an update that says no more than table, key, priority, action and idle timeout, in
 * their order, and that succeeds. Any other is left as it is, for whoever can say what is wrong
 * with it.
 */
#ifndef PLAIN_UPDATES_H
#define PLAIN_UPDATES_H

#include "plain_key.h"
#include "table.h"

enum { UPDATE_INSERT = 1, UPDATE_MODIFY = 2, UPDATE_DELETE = 3 };

struct plain_action {
    uint32_t id, number; /* for the controller, and of the program */
    uint32_t param_count;
    const struct bits *params;
};

struct plain_table {
    uint32_t id, number; /* for the controller, and of the program */
    uint32_t has_priority, has_idle_timeout;
    uint32_t field_count, action_count;
    const struct plain_field *fields;
    const struct plain_action *actions;
};

struct plain_update {
    uint32_t kind;
    const struct plain_table *table;
    const struct plain_action *action; /* NULL in a deletion */
    int32_t priority;
    uint64_t idle_timeout_ns; /* 0: never */
    struct plain_key key;
    uint64_t *data;
};

static bool read_params(struct wire params[], uint32_t count, const struct bits *bits,
                        uint64_t *data) {
    for (uint32_t i = 0; i < count; i++) {
        struct wire_field id, value;
        if (!wire_take(&params[i], &id) || id.number != 2 || id.type != WIRE_VARINT ||
            id.value != bits[i].id || !wire_take(&params[i], &value) || value.number != 3 ||
            value.type != WIRE_BYTES || !wire_ends(&params[i]) ||
            !read_value(value.bytes, bits[i].width, data))
            return false;
        data += words_of(bits[i].width);
    }
    return true;
}

/* A TableAction that has an Action. */
static bool read_action(struct wire message, struct plain_update *update) {
    enum { MOST_PARAMS = 64 };
    struct wire_field f;
    struct wire params[MOST_PARAMS];
    if (!wire_take(&message, &f) || f.number != 1 || f.type != WIRE_BYTES || !wire_ends(&message))
        return false;
    struct wire action = f.bytes;
    if (!wire_take(&action, &f) || f.number != 1 || f.type != WIRE_VARINT) return false;
    const struct plain_table *const t = update->table;
    for (uint32_t i = 0; i < t->action_count && !update->action; i++)
        if (t->actions[i].id == f.value) update->action = &t->actions[i];
    if (!update->action) return false;
    const uint32_t count = update->action->param_count;
    uint32_t given = 0;
    for (; !wire_ends(&action); given++) {
        if (given == count || given == MOST_PARAMS || !wire_take(&action, &f) || f.number != 4 ||
            f.type != WIRE_BYTES)
            return false;
        params[given] = f.bytes;
    }
    return given == count && read_params(params, count, update->action->params, update->data);
}

static bool read_entry(struct wire message, struct plain_update *update) {
    const struct plain_table *const t = update->table;
    struct key_reader key = {t->fields, t->fields + t->field_count, update->key};
    while (!wire_ends(&message)) {
        struct wire_field f;
        if (!wire_take(&message, &f)) return false;
        if (f.number == 2 && f.type == WIRE_BYTES) {
            if (!take_match(&key, f.bytes)) return false;
        } else if (f.number == 3 && f.type == WIRE_BYTES && update->kind == UPDATE_DELETE) {
            /* what a deleted entry did is of no interest */
        } else if (f.number == 3 && f.type == WIRE_BYTES && !update->action) {
            if (!read_action(f.bytes, update)) return false;
        } else if (f.number == 4 && f.type == WIRE_VARINT && f.value <= INT32_MAX) {
            update->priority = (int32_t)f.value;
        } else if (f.number == 9 && f.type == WIRE_VARINT && f.value <= INT64_MAX) {
            update->idle_timeout_ns = f.value;
        } else {
            return false;
        }
    }
    return end_key(&key) && (t->has_priority != 0) == (update->priority != 0) &&
           (t->has_idle_timeout || !update->idle_timeout_ns) &&
           (update->action != NULL) == (update->kind != UPDATE_DELETE);
}

/* The kind and the TableEntry of an Update. */
static bool open_update(struct wire message, uint32_t *kind, struct wire *entry) {
    struct wire_field type, entity, f;
    if (!wire_take(&message, &type) || type.number != 1 || type.type != WIRE_VARINT ||
        type.value < UPDATE_INSERT || type.value > UPDATE_DELETE || !wire_take(&message, &entity) ||
        entity.number != 2 || entity.type != WIRE_BYTES || !wire_ends(&message))
        return false;
    *kind = (uint32_t)type.value;
    if (!wire_take(&entity.bytes, &f) || f.number != 2 || f.type != WIRE_BYTES ||
        !wire_ends(&entity.bytes))
        return false;
    *entry = f.bytes;
    return true;
}

/* The table of a TableEntry, which names it first. NULL where it is not a plain one's. */
static const struct plain_table *take_table(struct wire *entry, const struct plain_table *tables,
                                            uint32_t count) {
    struct wire_field f;
    if (!wire_take(entry, &f) || f.number != 1 || f.type != WIRE_VARINT) return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (tables[i].id == f.value) return &tables[i];
    return NULL;
}

/* Does an update; the handle of its entry, or less than zero with nothing changed. */
static int64_t do_update(const struct plain_update *u, uint64_t now_ns) {
    struct table *const t = &tables[u->table->number];
    const struct plain_key key = u->key;
    if (u->kind == UPDATE_INSERT)
        return table_add(t, key.low, key.high, key.mask, u->priority, u->action->number, u->data,
                         now_ns);
    const struct entry *const e = table_exactly(t, key.low, key.high, key.mask, u->priority);
    if (!e) return TABLE_NO_ENTRY;
    const uint32_t handle = e->handle;
    const int result = u->kind == UPDATE_DELETE
                           ? table_delete(t, handle)
                           : table_modify(t, handle, u->action->number, u->data);
    return result == TABLE_OK ? (int64_t)handle : result;
}

#endif
