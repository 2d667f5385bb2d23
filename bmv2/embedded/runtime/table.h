/* Match-action tables: tuple-space search for every match kind.
 *
 * A tuple is a mask over the key; its entries are hashed by the masked key. An exact
 * table has one tuple, an lpm table one a prefix length, a ternary table one a mask.
 * Tuples are searched from the highest priority that they contain downwards. Ranges are
 * outside the mask and are compared entry by entry within a bucket, best priority first.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_OK = 0, TABLE_FULL = -1, TABLE_DUPLICATE = -2, TABLE_NO_ENTRY = -3, TABLE_NO_MEMORY = -4 };

struct entry {
    struct entry *next; /* in the bucket, by falling priority */
    struct tuple *tuple;
    uint64_t hash;
    uint64_t packets, bytes;
    uint64_t hit_ns;
    int32_t priority;
    uint32_t action; /* of the program */
    uint32_t handle;
    uint32_t padding;
    uint64_t words[]; /* key words, upper ends of the ranges, action data */
};

struct tuple {
    struct entry **buckets;
    uint64_t bucket_mask;
    uint64_t count;
    int32_t max_priority;
    uint32_t padding;
    uint64_t mask[];
};

struct table {
    uint32_t key_words, data_words;
    const uint8_t *is_range; /* by key word */
    bool has_ranges, has_one_tuple;
    uint32_t size;
    uint32_t count;
    struct tuple **tuples;
    uint32_t tuple_count, tuple_room;
    struct entry **entries; /* by handle */
    uint32_t *free_handles;
    uint32_t free_count, handle_count, handle_room;
    uint32_t default_action;
    uint64_t default_packets, default_bytes;
    uint64_t *default_data;
};

static inline uint64_t table_hash(const uint64_t *key, const uint64_t *mask, uint32_t words) {
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < words; i++) {
        const u128 product = (u128)((mask ? key[i] & mask[i] : key[i]) ^ hash) * 0xd6e8feb86659fd93u;
        hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return hash;
}

static inline const uint64_t *entry_data(const struct table *t, const struct entry *e) {
    return e->words + 2 * t->key_words;
}

static inline bool entry_matches(const struct table *t, const struct entry *e, const uint64_t *key,
                                 const uint64_t *mask, uint32_t words) {
    uint64_t difference = 0;
    for (uint32_t i = 0; i < words; i++) difference |= (key[i] & mask[i]) ^ (e->words[i] & mask[i]);
    if (difference) return false;
    if (!t->has_ranges) return true;
    for (uint32_t i = 0; i < words; i++)
        if (t->is_range[i] && (key[i] < e->words[i] || key[i] > e->words[words + i])) return false;
    return true;
}

/* The best entry for a key. The number of words is a constant for the compiler. */
static inline struct entry *table_find(const struct table *t, const uint64_t *key, uint32_t words) {
    struct entry *best = NULL;
    for (uint32_t i = 0; i < t->tuple_count; i++) {
        const struct tuple *tuple = t->tuples[i];
        if (best && best->priority >= tuple->max_priority) break;
        const uint64_t hash = table_hash(key, t->has_one_tuple ? NULL : tuple->mask, words);
        for (struct entry *e = tuple->buckets[hash & tuple->bucket_mask]; e; e = e->next) {
            if (best && e->priority <= best->priority) break;
            if (e->hash == hash && entry_matches(t, e, key, tuple->mask, words)) {
                best = e;
                break;
            }
        }
    }
    return best;
}

/* --- changes: by one thread at a time, never during a lookup ------------------------- */

static void tuples_sort(struct table *t) {
    for (uint32_t i = 1; i < t->tuple_count; i++) {
        struct tuple *moved = t->tuples[i];
        uint32_t j = i;
        for (; j > 0 && t->tuples[j - 1]->max_priority < moved->max_priority; j--)
            t->tuples[j] = t->tuples[j - 1];
        t->tuples[j] = moved;
    }
}

static struct tuple *tuple_of(struct table *t, const uint64_t *mask, bool create) {
    const size_t bytes = t->key_words * sizeof(uint64_t);
    for (uint32_t i = 0; i < t->tuple_count; i++)
        if (memcmp(t->tuples[i]->mask, mask, bytes) == 0) return t->tuples[i];
    if (!create) return NULL;
    if (t->tuple_count == t->tuple_room) {
        const uint32_t room = t->tuple_room ? 2 * t->tuple_room : 4;
        struct tuple **grown = realloc(t->tuples, room * sizeof *grown);
        if (!grown) return NULL;
        t->tuples = grown;
        t->tuple_room = room;
    }
    struct tuple *tuple = calloc(1, sizeof *tuple + bytes);
    if (!tuple) return NULL;
    tuple->bucket_mask = 15;
    tuple->buckets = calloc(tuple->bucket_mask + 1, sizeof *tuple->buckets);
    if (!tuple->buckets) {
        free(tuple);
        return NULL;
    }
    tuple->max_priority = INT32_MIN;
    memcpy(tuple->mask, mask, bytes);
    t->tuples[t->tuple_count++] = tuple;
    return tuple;
}

static void bucket_insert(struct tuple *tuple, struct entry *e) {
    struct entry **link = &tuple->buckets[e->hash & tuple->bucket_mask];
    while (*link && (*link)->priority >= e->priority) link = &(*link)->next;
    e->next = *link;
    *link = e;
}

static void tuple_grow(struct tuple *tuple) {
    const uint64_t size = 2 * (tuple->bucket_mask + 1);
    struct entry **grown = calloc(size, sizeof *grown);
    if (!grown) return; /* longer chains, nothing worse */
    struct entry **old = tuple->buckets;
    const uint64_t old_mask = tuple->bucket_mask;
    tuple->buckets = grown;
    tuple->bucket_mask = size - 1;
    for (uint64_t i = 0; i <= old_mask; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            next = e->next;
            bucket_insert(tuple, e);
        }
    free(old);
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

static bool entry_same(const struct table *t, const struct entry *e, const uint64_t *key,
                       const uint64_t *high, const uint64_t *mask) {
    const uint32_t words = t->key_words;
    for (uint32_t i = 0; i < words; i++) {
        if ((e->words[i] ^ key[i]) & mask[i]) return false;
        if (t->is_range[i] && (e->words[i] != key[i] || e->words[words + i] != high[i]))
            return false;
    }
    return true;
}

/* Adds an entry; its handle, or what is wrong. For a range word, `key` is the lower end,
 * `high` the upper one and the mask is zero. */
static int64_t table_add(struct table *t, const uint64_t *key, const uint64_t *high,
                         const uint64_t *mask, int32_t priority, uint32_t action,
                         const uint64_t *data, uint64_t now_ns) {
    struct tuple *tuple = tuple_of(t, mask, false);
    const uint64_t hash = table_hash(key, mask, t->key_words);
    if (tuple)
        for (struct entry *e = tuple->buckets[hash & tuple->bucket_mask]; e; e = e->next)
            if (e->hash == hash && e->priority == priority && entry_same(t, e, key, high, mask))
                return TABLE_DUPLICATE;
    if (t->count >= t->size) return TABLE_FULL;
    tuple = tuple_of(t, mask, true);
    const size_t words = 2 * (size_t)t->key_words + t->data_words;
    struct entry *e = tuple ? calloc(1, sizeof *e + words * sizeof(uint64_t)) : NULL;
    if (!e || !handle_reserve(t)) {
        free(e);
        return TABLE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < t->key_words; i++) {
        e->words[i] = key[i];
        e->words[t->key_words + i] = high[i];
    }
    memcpy(e->words + 2 * t->key_words, data, t->data_words * sizeof(uint64_t));
    e->hash = hash;
    e->priority = priority;
    e->action = action;
    e->tuple = tuple;
    e->hit_ns = now_ns;
    e->handle = t->free_count ? t->free_handles[--t->free_count] : t->handle_count++;
    t->entries[e->handle] = e;
    if (tuple->count > tuple->bucket_mask) tuple_grow(tuple);
    bucket_insert(tuple, e);
    tuple->count++;
    t->count++;
    if (priority > tuple->max_priority) {
        tuple->max_priority = priority;
        tuples_sort(t);
    }
    return e->handle;
}

static struct entry *table_entry(const struct table *t, uint32_t handle) {
    return handle < t->handle_count ? t->entries[handle] : NULL;
}

static void tuple_remove(struct table *t, struct tuple *tuple) {
    uint32_t i = 0;
    while (t->tuples[i] != tuple) i++;
    memmove(&t->tuples[i], &t->tuples[i + 1], (t->tuple_count - i - 1) * sizeof *t->tuples);
    t->tuple_count--;
    free(tuple->buckets);
    free(tuple);
}

static int table_delete(struct table *t, uint32_t handle) {
    struct entry *e = table_entry(t, handle);
    if (!e) return TABLE_NO_ENTRY;
    struct tuple *tuple = e->tuple;
    struct entry **link = &tuple->buckets[e->hash & tuple->bucket_mask];
    while (*link != e) link = &(*link)->next;
    *link = e->next;
    t->entries[handle] = NULL;
    t->free_handles[t->free_count++] = handle;
    t->count--;
    free(e);
    /* The priority of a tuple may now be too high, which costs a lookup but no match. */
    if (--tuple->count == 0) tuple_remove(t, tuple);
    return TABLE_OK;
}

static int table_modify(struct table *t, uint32_t handle, uint32_t action, const uint64_t *data) {
    struct entry *e = table_entry(t, handle);
    if (!e) return TABLE_NO_ENTRY;
    e->action = action;
    memcpy(e->words + 2 * t->key_words, data, t->data_words * sizeof(uint64_t));
    return TABLE_OK;
}

static void table_free(struct table *t) {
    for (uint32_t i = 0; i < t->handle_count; i++) free(t->entries[i]);
    for (uint32_t i = 0; i < t->tuple_count; i++) {
        free(t->tuples[i]->buckets);
        free(t->tuples[i]);
    }
    free(t->tuples);
    free(t->entries);
    free(t->free_handles);
    free(t->default_data);
}

#endif
