/* Longest prefix match: a binary trie without nodes of one child.
 *
 * The bits of a key are counted from the highest of its first word on: for tables with an
 * lpm field the exact fields come first, and the words of the lpm field highest first.
 */
#ifndef LPM_H
#define LPM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct lpm_node {
    struct lpm_node *child[2]; /* by the bit after the prefix */
    struct lpm_node *parent;
    struct entry *entry; /* NULL: here the trie only forks */
    uint32_t length;
    uint32_t padding;
    uint64_t prefix[];
};

static inline unsigned lpm_bit(const uint64_t *key, uint32_t place) {
    return key[place / 64] >> (63 - place % 64) & 1;
}

/* How many first bits two keys share, up to `most`. */
static inline uint32_t lpm_common(const uint64_t *a, const uint64_t *b, uint32_t most) {
    for (uint32_t i = 0; i * 64 < most; i++)
        if (a[i] != b[i]) {
            const uint32_t common = i * 64 + (uint32_t)__builtin_clzll(a[i] ^ b[i]);
            return common < most ? common : most;
        }
    return most;
}

/* The entry of the longest prefix of a key. The number of words is a constant for the
 * compiler. */
static inline struct entry *lpm_find(const struct lpm_node *n, const uint64_t *key,
                                     uint32_t words) {
    struct entry *best = NULL;
    while (n) {
        if (n->entry) {
            if (lpm_common(n->prefix, key, n->length) < n->length) break;
            best = n->entry;
        }
        if (n->length == 64 * words) break;
        n = n->child[lpm_bit(key, n->length)];
    }
    return best;
}

/* --- changes: by one thread at a time, never during a lookup ------------------------- */

static struct lpm_node *lpm_node_new(const uint64_t *prefix, uint32_t length, uint32_t words) {
    struct lpm_node *n = calloc(1, sizeof *n + words * sizeof *prefix);
    if (!n) return NULL;
    n->length = length;
    memcpy(n->prefix, prefix, words * sizeof *prefix);
    return n;
}

static struct lpm_node **lpm_link(struct lpm_node **root, const struct lpm_node *n) {
    return n->parent ? &n->parent->child[n->parent->child[1] == n] : root;
}

/* The node of exactly this prefix, or NULL. */
static struct lpm_node *lpm_node_of(struct lpm_node *n, const uint64_t *prefix, uint32_t length) {
    while (n && n->length < length) n = n->child[lpm_bit(prefix, n->length)];
    return n && n->length == length && lpm_common(n->prefix, prefix, length) == length ? n : NULL;
}

/* Puts `above` in the place of a node, which becomes its child. */
static void lpm_raise(struct lpm_node **root, struct lpm_node *above, struct lpm_node *n) {
    *lpm_link(root, n) = above;
    above->parent = n->parent;
    above->child[lpm_bit(n->prefix, above->length)] = n;
    n->parent = above;
}

/* The node of a prefix, which is made where there is none; NULL without memory. */
static struct lpm_node *lpm_insert(struct lpm_node **root, const uint64_t *prefix,
                                   uint32_t length, uint32_t words) {
    struct lpm_node *parent = NULL, *n = *root;
    uint32_t common = 0;
    while (n) {
        common = lpm_common(n->prefix, prefix, n->length < length ? n->length : length);
        if (common < n->length) break;
        if (n->length == length) return n;
        parent = n;
        n = n->child[lpm_bit(prefix, n->length)];
    }
    struct lpm_node *made = lpm_node_new(prefix, length, words);
    if (!made) return NULL;
    if (!n) {
        made->parent = parent;
        if (parent)
            parent->child[lpm_bit(prefix, parent->length)] = made;
        else
            *root = made;
    } else if (common == length) {
        lpm_raise(root, made, n);
    } else {
        struct lpm_node *fork = lpm_node_new(prefix, common, words);
        if (!fork) {
            free(made);
            return NULL;
        }
        lpm_raise(root, fork, n);
        fork->child[lpm_bit(prefix, common)] = made;
        made->parent = fork;
    }
    return made;
}

/* Takes the entry out of a node, and the nodes that are then needless out of the trie. */
static void lpm_remove(struct lpm_node **root, struct lpm_node *n) {
    n->entry = NULL;
    while (n && !n->entry && !(n->child[0] && n->child[1])) {
        struct lpm_node *only = n->child[0] ? n->child[0] : n->child[1];
        struct lpm_node *parent = n->parent;
        *lpm_link(root, n) = only;
        if (only) only->parent = parent;
        free(n);
        n = parent;
    }
}

static void lpm_free(struct lpm_node *n) {
    while (n) {
        struct lpm_node *next = n->child[0] ? n->child[0] : n->child[1];
        if (!next) {
            next = n->parent;
            if (next) next->child[next->child[1] == n] = NULL;
            free(n);
        }
        n = next;
    }
}

#endif
