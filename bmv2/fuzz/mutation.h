/* Packets from other packets. */
#ifndef MUTATION_H
#define MUTATION_H

#include <stdint.h>
#include <string.h>

#include "coverage.h"

#define MAX_LENGTH 2048
#define MAX_WORDS 512
#define MAX_WORD_BYTES 32

enum kind { UPDATE, PACKET };

struct input {
    enum kind kind;
    uint32_t number; /* of the port, or of the update */
    uint32_t length;
    uint8_t bytes[MAX_LENGTH];
};

/* Bytes that packets may contain. */
struct word {
    uint32_t length;
    uint8_t bytes[MAX_WORD_BYTES];
};

static struct word words[MAX_WORDS];
static uint32_t word_count;

static uint64_t random_state;

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(uint32_t bound) {
    return bound ? (uint32_t)(next_random(&random_state) % bound) : 0;
}

static void insert(struct input *in, uint32_t at, const uint8_t *bytes, uint32_t length) {
    if (in->length + length > MAX_LENGTH) return;
    memmove(in->bytes + at + length, in->bytes + at, in->length - at);
    memcpy(in->bytes + at, bytes, length);
    in->length += length;
}

static void overwrite(struct input *in, uint32_t at, const uint8_t *bytes, uint32_t length) {
    if (at + length <= in->length) memcpy(in->bytes + at, bytes, length);
}

static void put_word(struct input *in) {
    if (word_count == 0) return;
    const struct word *word = &words[below(word_count)];
    const uint32_t at = below(in->length + 1);
    (below(4) ? overwrite : insert)(in, at, word->bytes, word->length);
}

/* Puts what a comparison wanted where the packet has what it found, in network order. */
static void satisfy(struct input *in) {
    const struct pair pair = coverage->pairs[below(PAIRS)];
    uint32_t length = 1;
    while (length < 8 && (pair.found | pair.wanted) >> 8 * length) length++;
    uint8_t found[8], wanted[8];
    for (uint32_t i = 0; i < length; i++) {
        found[i] = (uint8_t)(pair.found >> 8 * (length - 1 - i));
        wanted[i] = (uint8_t)(pair.wanted >> 8 * (length - 1 - i));
    }
    const uint32_t start = below(in->length + 1);
    for (uint32_t i = 0; i + length <= in->length; i++) {
        const uint32_t at = (start + i) % (in->length - length + 1);
        if (memcmp(in->bytes + at, found, length) == 0) {
            overwrite(in, at, wanted, length);
            return;
        }
    }
    overwrite(in, start, wanted, length);
}

static void splice(struct input *in, const struct input *other) {
    const uint32_t from = below(other->length + 1);
    insert(in, below(in->length + 1), other->bytes + from, below(other->length - from + 1));
}

/* Changes a packet once; `other` is one to take a part of, `port` one to come in by. */
static void mutate(struct input *in, const struct input *other, uint32_t port) {
    const uint32_t at = below(in->length);
    const uint8_t byte = (uint8_t)next_random(&random_state);
    switch (below(12)) {
    case 0: if (in->length) in->bytes[at] ^= (uint8_t)(1u << (byte & 7)); break;
    case 1: if (in->length) in->bytes[at] = byte; break;
    case 2: if (in->length) in->bytes[at] = (uint8_t[]){0, 1, 0x7f, 0x80, 0xff}[byte % 5]; break;
    case 3: if (in->length) in->bytes[at] = (uint8_t)(in->bytes[at] + byte % 33 - 16); break;
    case 4: insert(in, at, &byte, 1); break;
    case 5: in->length = at; break;
    case 6: /* removes a part */
        if (in->length) {
            const uint32_t length = below(in->length - at) + 1;
            memmove(in->bytes + at, in->bytes + at + length, in->length - at - length);
            in->length -= length;
        }
        break;
    case 7: in->number = port; break;
    case 8: splice(in, other); break;
    case 9: put_word(in); break;
    default: satisfy(in); break;
    }
}

#endif
