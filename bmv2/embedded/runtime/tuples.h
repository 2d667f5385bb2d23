/* Tuple-space search: exact and ternary tables.
 *
 * A tuple is a mask over the key; its entries are hashed by the masked key. An exact table
 * has one tuple, a ternary table one a mask. Tuples are searched from the highest priority
 * that they contain downwards. Ranges are outside the mask and are compared entry by entry
 * within a bucket, best priority first.
 */
#ifndef TUPLES_H
#define TUPLES_H

#include <stdlib.h>

#include "entry.h"

struct tuple {
    struct entry **buckets;
    uint64_t bucket_mask;
    uint64_t count;
    int32_t max_priority;
    uint32_t padding;
    uint64_t mask[];
};

struct tuples {
    struct tuple **all;
    uint32_t count, room;
};

/* The best entry for a key. The number of words is a constant for the compiler. */
static inline struct entry *tuples_find(const struct tuples *in, const uint64_t *key,
                                        uint32_t words, const uint8_t *range_words) {
    struct entry *best = NULL;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct tuple *tuple = in->all[i];
        if (best && best->priority >= tuple->max_priority) break;
        const uint64_t hash = key_hash(key, tuple->mask, words);
        for (struct entry *e = tuple->buckets[hash & tuple->bucket_mask]; e; e = e->next) {
            if (best && e->priority <= best->priority) break;
            if (e->hash == hash && entry_matches(e, key, tuple->mask, words, range_words)) {
                best = e;
                break;
            }
        }
    }
    return best;
}

/* The same for a table whose keys have no mask, and so one tuple at the most. */
static inline struct entry *tuples_find_exact(const struct tuples *in, const uint64_t *key,
                                              uint32_t words) {
    if (in->count == 0) return NULL;
    const struct tuple *tuple = in->all[0];
    const uint64_t hash = key_hash(key, NULL, words);
    for (struct entry *e = tuple->buckets[hash & tuple->bucket_mask]; e; e = e->next)
        if (e->hash == hash && memcmp(e->words, key, words * sizeof *key) == 0) return e;
    return NULL;
}

/* --- changes: by one thread at a time, never during a lookup ------------------------- */

static void tuples_sort(struct tuples *in) {
    for (uint32_t i = 1; i < in->count; i++) {
        struct tuple *moved = in->all[i];
        uint32_t j = i;
        for (; j > 0 && in->all[j - 1]->max_priority < moved->max_priority; j--)
            in->all[j] = in->all[j - 1];
        in->all[j] = moved;
    }
}

static struct tuple *tuple_find(const struct tuples *in, const uint64_t *mask, uint32_t words) {
    for (uint32_t i = 0; i < in->count; i++)
        if (memcmp(in->all[i]->mask, mask, words * sizeof *mask) == 0) return in->all[i];
    return NULL;
}

/* The tuple of a mask, which is made where there is none; NULL without memory. */
static struct tuple *tuple_of(struct tuples *in, const uint64_t *mask, uint32_t words) {
    struct tuple *tuple = tuple_find(in, mask, words);
    if (tuple) return tuple;
    if (in->count == in->room) {
        const uint32_t room = in->room ? 2 * in->room : 4;
        struct tuple **grown = realloc(in->all, room * sizeof *grown);
        if (!grown) return NULL;
        in->all = grown;
        in->room = room;
    }
    tuple = calloc(1, sizeof *tuple + words * sizeof *mask);
    if (!tuple) return NULL;
    tuple->bucket_mask = 15;
    tuple->buckets = calloc(tuple->bucket_mask + 1, sizeof *tuple->buckets);
    if (!tuple->buckets) {
        free(tuple);
        return NULL;
    }
    tuple->max_priority = INT32_MIN;
    memcpy(tuple->mask, mask, words * sizeof *mask);
    in->all[in->count++] = tuple;
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

/* The entry with exactly this key and priority, or NULL. */
static struct entry *tuples_exactly(const struct tuples *in, const uint64_t *key,
                                    const uint64_t *high, const uint64_t *mask, uint32_t words,
                                    int32_t priority) {
    const struct tuple *tuple = tuple_find(in, mask, words);
    if (!tuple) return NULL;
    const uint64_t hash = key_hash(key, mask, words);
    const size_t bytes = words * sizeof *key;
    for (struct entry *e = tuple->buckets[hash & tuple->bucket_mask]; e; e = e->next)
        if (e->hash == hash && e->priority == priority && memcmp(e->words, key, bytes) == 0 &&
            memcmp(e->words + words, high, bytes) == 0)
            return e;
    return NULL;
}

/* Puts in an entry whose key and priority are set. False without memory. */
static bool tuples_insert(struct tuples *in, struct entry *e, const uint64_t *mask,
                          uint32_t words) {
    struct tuple *tuple = tuple_of(in, mask, words);
    if (!tuple) return false;
    e->hash = key_hash(e->words, mask, words);
    e->tuple = tuple;
    if (tuple->count > tuple->bucket_mask) tuple_grow(tuple);
    bucket_insert(tuple, e);
    tuple->count++;
    if (e->priority > tuple->max_priority) {
        tuple->max_priority = e->priority;
        tuples_sort(in);
    }
    return true;
}

static void tuples_remove(struct tuples *in, struct entry *e) {
    struct tuple *tuple = e->tuple;
    struct entry **link = &tuple->buckets[e->hash & tuple->bucket_mask];
    while (*link != e) link = &(*link)->next;
    *link = e->next;
    /* The priority of a tuple may now be too high, which costs a lookup but no match. */
    if (--tuple->count > 0) return;
    uint32_t i = 0;
    while (in->all[i] != tuple) i++;
    memmove(&in->all[i], &in->all[i + 1], (in->count - i - 1) * sizeof *in->all);
    in->count--;
    free(tuple->buckets);
    free(tuple);
}

static void tuples_free(struct tuples *in) {
    for (uint32_t i = 0; i < in->count; i++) {
        free(in->all[i]->buckets);
        free(in->all[i]);
    }
    free(in->all);
}

#endif
