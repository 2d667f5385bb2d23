/* Match-action tables: their entries by handle, in the structure that finds them by key. */
#ifndef TABLE_H
#define TABLE_H

#include "lpm.h"
#include "tuples.h"

enum { TABLE_OK = 0, TABLE_FULL = -1, TABLE_DUPLICATE = -2, TABLE_NO_ENTRY = -3, TABLE_NO_MEMORY = -4 };

enum table_kind { TABLE_EXACT, TABLE_LPM, TABLE_TERNARY };

struct table {
    enum table_kind kind;
    uint32_t key_words, data_words;
    const uint8_t *range_words; /* as `entry_matches` wants them */
    uint32_t size;
    uint32_t count;
    struct tuples tuples;   /* of exact and ternary tables */
    struct lpm lpm;         /* of lpm tables */
    struct entry **entries; /* by handle */
    uint32_t *free_handles;
    uint32_t free_count, handle_count, handle_room;
    uint32_t default_action;
    uint64_t default_packets, default_bytes;
    struct meter default_meter;
    uint64_t *default_data;
};

static inline const uint64_t *entry_data(const struct table *t, const struct entry *e) {
    return e->words + 2 * t->key_words;
}

/* The best entry for a key. All but the table and the key are constants for the compiler. */
static inline struct entry *table_find(const struct table *t, const uint64_t *key,
                                       enum table_kind kind, uint32_t words,
                                       const uint8_t *range_words) {
    switch (kind) {
    case TABLE_EXACT: return tuples_find_exact(&t->tuples, key, words);
    case TABLE_LPM: return lpm_find(&t->lpm, key, words);
    default: return tuples_find(&t->tuples, key, words, range_words);
    }
}

/* --- changes: by one thread at a time, never during a lookup ------------------------- */

/* The entry with exactly this key and priority, or NULL. */
static struct entry *table_exactly(const struct table *t, const uint64_t *key,
                                   const uint64_t *high, const uint64_t *mask, int32_t priority) {
    return t->kind == TABLE_LPM
               ? lpm_exactly(&t->lpm, key, mask, t->key_words)
               : tuples_exactly(&t->tuples, key, high, mask, t->key_words, priority);
}

static bool table_index(struct table *t, struct entry *e, const uint64_t *mask) {
    return t->kind == TABLE_LPM ? lpm_insert(&t->lpm, e, mask, t->key_words)
                                : tuples_insert(&t->tuples, e, mask, t->key_words);
}

static bool handle_reserve(struct table *t) {
    if (t->free_count > 0 || t->handle_count < t->handle_room) return true;
    const uint32_t room = t->handle_room ? 2 * t->handle_room : 64;
    struct entry **entries = realloc(t->entries, room * sizeof *entries);
    if (!entries) return false;
    t->entries = entries;
    uint32_t *handles = realloc(t->free_handles, room * sizeof *handles);
    if (!handles) return false;
    t->free_handles = handles;
    t->handle_room = room;
    return true;
}

/* Adds an entry; its handle, or what is wrong. Where the mask is zero, so is the key; the
 * mask of a range is zero, `key` has its lower end and `high`, which is else zero, its upper
 * one. */
static int64_t table_add(struct table *t, const uint64_t *key, const uint64_t *high,
                         const uint64_t *mask, int32_t priority, uint32_t action,
                         const uint64_t *data, uint64_t now_ns) {
    if (table_exactly(t, key, high, mask, priority)) return TABLE_DUPLICATE;
    if (t->count >= t->size) return TABLE_FULL;
    const size_t bytes = t->key_words * sizeof *key, data_bytes = t->data_words * sizeof *data;
    struct entry *e = calloc(1, sizeof *e + 2 * bytes + data_bytes);
    if (!e) return TABLE_NO_MEMORY;
    memcpy(e->words, key, bytes);
    memcpy(e->words + t->key_words, high, bytes);
    memcpy(e->words + 2 * t->key_words, data, data_bytes);
    e->priority = priority;
    e->action = action;
    e->hit_ns = now_ns;
    if (!handle_reserve(t) || !table_index(t, e, mask)) {
        free(e);
        return TABLE_NO_MEMORY;
    }
    e->handle = t->free_count ? t->free_handles[--t->free_count] : t->handle_count++;
    t->entries[e->handle] = e;
    t->count++;
    return e->handle;
}

static struct entry *table_entry(const struct table *t, uint32_t handle) {
    return handle < t->handle_count ? t->entries[handle] : NULL;
}

static int table_delete(struct table *t, uint32_t handle) {
    struct entry *e = table_entry(t, handle);
    if (!e) return TABLE_NO_ENTRY;
    if (t->kind == TABLE_LPM)
        lpm_remove(&t->lpm, e, t->key_words);
    else
        tuples_remove(&t->tuples, e);
    t->entries[handle] = NULL;
    t->free_handles[t->free_count++] = handle;
    t->count--;
    free(e->meter);
    free(e);
    return TABLE_OK;
}

static int table_modify(struct table *t, uint32_t handle, uint32_t action, const uint64_t *data) {
    struct entry *e = table_entry(t, handle);
    if (!e) return TABLE_NO_ENTRY;
    e->action = action;
    memcpy(e->words + 2 * t->key_words, data, t->data_words * sizeof *data);
    return TABLE_OK;
}

static int table_set_meter(struct table *t, uint32_t handle, const struct meter_rates *rates) {
    struct entry *e = table_entry(t, handle);
    if (!e) return TABLE_NO_ENTRY;
    if (!rates) {
        free(e->meter);
        e->meter = NULL;
        return TABLE_OK;
    }
    if (!e->meter) e->meter = malloc(sizeof *e->meter);
    if (!e->meter) return TABLE_NO_MEMORY;
    meter_set(e->meter, rates);
    return TABLE_OK;
}

static void table_free(struct table *t) {
    for (uint32_t i = 0; i < t->handle_count; i++)
        if (t->entries[i]) {
            free(t->entries[i]->meter);
            free(t->entries[i]);
        }
    tuples_free(&t->tuples);
    lpm_free(&t->lpm);
    free(t->entries);
    free(t->free_handles);
    free(t->default_data);
}

#endif
