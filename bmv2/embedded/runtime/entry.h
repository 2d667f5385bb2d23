/* An entry of a table, and whether it matches a key. */
#ifndef ENTRY_H
#define ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "meter.h"

struct entry {
    struct entry *next; /* in the bucket, by falling priority */
    union {
        struct tuple *tuple;
        struct lpm_node *node;
    };
    struct meter *meter; /* NULL: not configured */
    uint64_t hash;
    uint64_t packets, bytes;
    uint64_t hit_ns;
    int32_t priority;
    uint32_t action; /* of the program; in an indirect table the kind of the target */
    uint32_t handle;
    uint32_t padding;
    uint64_t words[]; /* key words, upper ends of the ranges, action data */
};

static inline uint64_t key_hash(const uint64_t *key, const uint64_t *mask, uint32_t words) {
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < words; i++) {
        const u128 product = (u128)((mask ? key[i] & mask[i] : key[i]) ^ hash) * 0xd6e8feb86659fd93u;
        hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return hash;
}

/* Numbers of several words, the lowest first. */
static inline bool words_below(const uint64_t *a, const uint64_t *b, uint32_t words) {
    while (words-- > 0)
        if (a[words] != b[words]) return a[words] < b[words];
    return false;
}

/* `range_words` has, where a range field starts, its number of words, and zero elsewhere;
 * it is NULL when there is no such field. */
static inline bool entry_matches(const struct entry *e, const uint64_t *key, const uint64_t *mask,
                                 uint32_t words, const uint8_t *range_words) {
    uint64_t difference = 0;
    for (uint32_t i = 0; i < words; i++) difference |= (key[i] & mask[i]) ^ (e->words[i] & mask[i]);
    if (difference) return false;
    if (!range_words) return true;
    for (uint32_t i = 0; i < words; i++) {
        const uint32_t n = range_words[i];
        if (n && (words_below(key + i, e->words + i, n) ||
                  words_below(e->words + words + i, key + i, n)))
            return false;
    }
    return true;
}

#endif
