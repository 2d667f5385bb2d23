/* Longest prefix match: binary search over the prefix lengths in use (Waldvogel et al.,
 * "Scalable High Speed IP Routing Lookups", 1997).
 *
 * Each length has a hash table. Besides its entry, a prefix leaves a marker in the table of
 * each shorter length at which the search for it turns to the longer ones. A search that
 * ends at a marker wants the longest prefix of that marker: it is looked for length by
 * length, once, and remembered until the table changes.
 */
#ifndef LPM_H
#define LPM_H

#include <stdlib.h>

#include "entry.h"

/* A prefix, a marker, or both. */
struct lpm_node {
    struct lpm_node *next; /* in the bucket */
    struct lpm_length *length;
    struct entry *entry; /* NULL: only a marker */
    struct entry *best;  /* of a marker, if `generation` is that of the table */
    uint64_t generation;
    uint64_t hash;
    uint64_t users; /* the entries that need this node */
    uint64_t prefix[];
};

struct lpm_length {
    uint32_t bits; /* of the mask */
    uint32_t padding;
    struct lpm_node **buckets;
    uint64_t bucket_mask;
    uint64_t count;
    uint64_t mask[];
};

struct lpm {
    struct lpm_length **lengths; /* by rising bits */
    uint32_t count, room;
    uint64_t generation;
    uint64_t entries;
    bool lacks_markers; /* for want of memory: all lengths are to be looked at */
};

static inline struct lpm_node *lpm_node_find(const struct lpm_length *in, const uint64_t *key,
                                             uint32_t words) {
    const uint64_t hash = key_hash(key, in->mask, words);
    for (struct lpm_node *n = in->buckets[hash & in->bucket_mask]; n; n = n->next) {
        uint64_t difference = n->hash ^ hash;
        for (uint32_t i = 0; i < words; i++) difference |= (key[i] & in->mask[i]) ^ n->prefix[i];
        if (!difference) return n;
    }
    return NULL;
}

/* The entry of the longest prefix of a key that is among the first `count` lengths. */
static struct entry *lpm_find_below(const struct lpm *in, uint32_t count, const uint64_t *key,
                                    uint32_t words) {
    while (count-- > 0) {
        const struct lpm_node *n = lpm_node_find(in->lengths[count], key, words);
        if (n && n->entry) return n->entry;
    }
    return NULL;
}

/* The entry of the longest prefix of a key. The number of words is a constant for the
 * compiler. */
static inline struct entry *lpm_find(const struct lpm *in, const uint64_t *key, uint32_t words) {
    if (__builtin_expect(in->lacks_markers, 0)) return lpm_find_below(in, in->count, key, words);
    struct lpm_node *last = NULL;
    uint32_t low = 0, high = in->count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        struct lpm_node *n = lpm_node_find(in->lengths[middle], key, words);
        if (n) {
            last = n;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (!last || last->entry) return last ? last->entry : NULL;
    if (last->generation != in->generation) {
        last->best = lpm_find_below(in, low - 1, key, words);
        last->generation = in->generation;
    }
    return last->best;
}

/* --- changes: by one thread at a time, never during a lookup ------------------------- */

static uint32_t mask_bits(const uint64_t *mask, uint32_t words) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < words; i++) bits += (uint32_t)__builtin_popcountll(mask[i]);
    return bits;
}

/* The place of a length, or where it would have to be. */
static uint32_t lpm_place(const struct lpm *in, uint32_t bits) {
    uint32_t place = 0;
    while (place < in->count && in->lengths[place]->bits < bits) place++;
    return place;
}

static struct lpm_length *lpm_length_find(const struct lpm *in, const uint64_t *mask,
                                          uint32_t words) {
    const uint32_t bits = mask_bits(mask, words), place = lpm_place(in, bits);
    return place < in->count && in->lengths[place]->bits == bits ? in->lengths[place] : NULL;
}

static struct entry *lpm_exactly(const struct lpm *in, const uint64_t *key, const uint64_t *mask,
                                 uint32_t words) {
    const struct lpm_length *length = lpm_length_find(in, mask, words);
    const struct lpm_node *n = length ? lpm_node_find(length, key, words) : NULL;
    return n ? n->entry : NULL;
}

static void lpm_length_grow(struct lpm_length *length) {
    const uint64_t size = 2 * (length->bucket_mask + 1);
    struct lpm_node **grown = calloc(size, sizeof *grown);
    if (!grown) return; /* longer chains, nothing worse */
    for (uint64_t i = 0; i <= length->bucket_mask; i++)
        for (struct lpm_node *n = length->buckets[i], *next; n; n = next) {
            next = n->next;
            n->next = grown[n->hash & (size - 1)];
            grown[n->hash & (size - 1)] = n;
        }
    free(length->buckets);
    length->buckets = grown;
    length->bucket_mask = size - 1;
}

/* The node of a key's prefix, with one user more; made where there is none. NULL without
 * memory. */
static struct lpm_node *lpm_node_use(struct lpm_length *length, const uint64_t *key,
                                     uint32_t words) {
    struct lpm_node *n = lpm_node_find(length, key, words);
    if (!n) {
        n = calloc(1, sizeof *n + words * sizeof *key);
        if (!n) return NULL;
        if (length->count > length->bucket_mask) lpm_length_grow(length);
        n->length = length;
        n->hash = key_hash(key, length->mask, words);
        for (uint32_t i = 0; i < words; i++) n->prefix[i] = key[i] & length->mask[i];
        struct lpm_node **bucket = &length->buckets[n->hash & length->bucket_mask];
        n->next = *bucket;
        *bucket = n;
        length->count++;
    }
    n->users++;
    return n;
}

/* Takes a user from a node; the last one takes the node along. */
static void lpm_node_leave(struct lpm_node *n) {
    if (--n->users > 0) return;
    struct lpm_length *length = n->length;
    struct lpm_node **link = &length->buckets[n->hash & length->bucket_mask];
    while (*link != n) link = &(*link)->next;
    *link = n->next;
    length->count--;
    free(n);
}

/* Walks the search for a prefix and puts its markers, or takes them away. */
static void lpm_mark(struct lpm *in, const struct lpm_node *n, uint32_t words, bool is_there) {
    const uint32_t place = lpm_place(in, n->length->bits);
    uint32_t low = 0, high = in->count, middle;
    while ((middle = (low + high) / 2) != place) {
        if (middle > place) {
            high = middle;
            continue;
        }
        low = middle + 1;
        if (is_there) {
            if (!lpm_node_use(in->lengths[middle], n->prefix, words)) in->lacks_markers = true;
        } else if (!in->lacks_markers) {
            lpm_node_leave(lpm_node_find(in->lengths[middle], n->prefix, words));
        }
    }
}

/* All markers anew: another length changes the searches. */
static void lpm_mark_all(struct lpm *in, uint32_t words) {
    in->lacks_markers = false;
    for (uint32_t i = 0; i < in->count; i++) {
        struct lpm_length *length = in->lengths[i];
        for (uint64_t bucket = 0; bucket <= length->bucket_mask; bucket++)
            for (struct lpm_node **link = &length->buckets[bucket], *n; (n = *link);) {
                n->users = n->entry != NULL;
                if (n->entry) {
                    link = &n->next;
                } else {
                    *link = n->next;
                    length->count--;
                    free(n);
                }
            }
    }
    for (uint32_t i = 0; i < in->count; i++)
        for (uint64_t bucket = 0; bucket <= in->lengths[i]->bucket_mask; bucket++)
            for (const struct lpm_node *n = in->lengths[i]->buckets[bucket]; n; n = n->next)
                if (n->entry) lpm_mark(in, n, words, true);
}

/* The length of a mask, which is made where there is none; NULL without memory. */
static struct lpm_length *lpm_length_of(struct lpm *in, const uint64_t *mask, uint32_t words) {
    struct lpm_length *length = lpm_length_find(in, mask, words);
    if (length) return length;
    if (in->count == in->room) {
        const uint32_t room = in->room ? 2 * in->room : 4;
        struct lpm_length **grown = realloc(in->lengths, room * sizeof *grown);
        if (!grown) return NULL;
        in->lengths = grown;
        in->room = room;
    }
    length = calloc(1, sizeof *length + words * sizeof *mask);
    if (!length) return NULL;
    length->bits = mask_bits(mask, words);
    length->bucket_mask = 15;
    length->buckets = calloc(length->bucket_mask + 1, sizeof *length->buckets);
    if (!length->buckets) {
        free(length);
        return NULL;
    }
    memcpy(length->mask, mask, words * sizeof *mask);
    const uint32_t place = lpm_place(in, length->bits);
    memmove(&in->lengths[place + 1], &in->lengths[place],
            (in->count - place) * sizeof *in->lengths);
    in->lengths[place] = length;
    in->count++;
    lpm_mark_all(in, words);
    return length;
}

/* Puts in an entry whose key is set and is not there yet. False without memory. */
static bool lpm_insert(struct lpm *in, struct entry *e, const uint64_t *mask, uint32_t words) {
    struct lpm_length *length = lpm_length_of(in, mask, words);
    e->node = length ? lpm_node_use(length, e->words, words) : NULL;
    if (!e->node) return false;
    e->node->entry = e;
    lpm_mark(in, e->node, words, true);
    in->generation++;
    in->entries++;
    return true;
}

static void lpm_free(struct lpm *in) {
    for (uint32_t i = 0; i < in->count; i++) {
        struct lpm_length *length = in->lengths[i];
        for (uint64_t bucket = 0; bucket <= length->bucket_mask; bucket++)
            for (struct lpm_node *n = length->buckets[bucket], *next; n; n = next) {
                next = n->next;
                free(n);
            }
        free(length->buckets);
        free(length);
    }
    free(in->lengths);
    *in = (struct lpm){.generation = in->generation};
}

/* A length stays when its last prefix goes, as its next one would build all markers anew;
 * an empty table forgets all lengths. */
static void lpm_remove(struct lpm *in, struct entry *e, uint32_t words) {
    in->generation++;
    if (--in->entries == 0) {
        lpm_free(in);
        return;
    }
    lpm_mark(in, e->node, words, false);
    e->node->entry = NULL;
    lpm_node_leave(e->node);
}

#endif
