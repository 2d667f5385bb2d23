/* A packet on its way through the program, and what the program's code needs around it. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdlib.h>

#ifdef TRACE
#define TRACED(...) __VA_ARGS__
#else
#define TRACED(...)
#endif

struct context {
    struct phv phv;
    const uint8_t *data; /* the packet as it came */
    uint32_t length;
    uint32_t parsed;         /* bytes of it that the parser took */
    uint32_t ingress_length; /* what counters count */
    int32_t packet_length;   /* with the headers that were added and removed */
    uint32_t truncate_to;
    uint32_t parser_error;
    uint32_t clone_list, resubmit_list, recirculate_list, digest_list;
    uint16_t clone_session;
    uint8_t checksum_error;
    bool is_cloned, exit, has_failed;
    uint64_t now_ns;
    uint64_t *fates; /* of the packets that came in where this one did */
    TRACED(uint64_t packet; uint32_t copy;)
};

struct counter {
    uint64_t packets, bytes;
};

struct register_array {
    void *cells;
    uint32_t size;
    uint32_t cell_bytes;
    uint32_t width;
};

struct counter_array {
    struct counter *cells;
    uint32_t size;
};

static inline void counter_add(struct counter *counter, uint32_t bytes) {
    counter->packets++;
    counter->bytes += bytes;
}

/* An index into a header stack; what is outside of it is the zero member behind it. */
static inline uint32_t stack_place(u128 index, uint32_t size) {
    return index < size ? (uint32_t)index : size;
}

struct stack_part {
    uint32_t from, to;
};

/* Both move the members of a stack and say which are new, and so invalid. */
static inline struct stack_part stack_push(void *at, size_t member, uint32_t size, uint64_t by,
                                           uint32_t *next) {
    const uint32_t shift = by < size ? (uint32_t)by : size;
    memmove((char *)at + shift * member, at, (size - shift) * member);
    *next = *next + shift < size ? *next + shift : size;
    return (struct stack_part){0, shift};
}
static inline struct stack_part stack_pop(void *at, size_t member, uint32_t size, uint64_t by,
                                          uint32_t *next) {
    const uint32_t shift = by < size ? (uint32_t)by : size;
    memmove(at, (char *)at + shift * member, (size - shift) * member);
    *next -= *next < shift ? *next : shift;
    return (struct stack_part){size - shift, size};
}

static inline void copy_bits(uint8_t *to, uint64_t to_bit, const uint8_t *from, uint64_t from_bit,
                             uint64_t bits) {
    if ((to_bit | from_bit | bits) % 8 == 0) {
        memcpy(to + to_bit / 8, from + from_bit / 8, bits / 8);
        return;
    }
    for (uint64_t done = 0; done < bits; done += 8) {
        const unsigned take = bits - done < 8 ? (unsigned)(bits - done) : 8;
        put_bits(to, to_bit + done, take, get_bits(from, from_bit + done, take));
    }
}

#define varbit_same(a, b) \
    ((a)->bits == (b)->bits && memcmp((a)->bytes, (b)->bytes, ((a)->bits + 7) / 8) == 0)

/* Of two varbits whose sizes may differ; what does not fit is left out. */
#define varbit_assign(to, of)                                                          \
    do {                                                                               \
        const uint32_t room = 8 * sizeof (to)->bytes;                                  \
        (to)->bits = (of)->bits < room ? (of)->bits : room;                            \
        memmove((to)->bytes, (of)->bytes, ((to)->bits + 7) / 8);                       \
    } while (0)

static inline uint64_t hash_modulo(uint64_t value, uint64_t size) { return size ? value % size : 0; }

/* xorshift*: for `random`, which promises no more than a spread. */
static inline uint64_t random_between(uint64_t low, uint64_t high) {
    static uint64_t state = 0x2545f4914f6cdd1du;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    const uint64_t value = state * 0x2545f4914f6cdd1du;
    const uint64_t span = high - low + 1;
    return span ? low + (uint64_t)(((u128)value * span) >> 64) : value;
}

#endif
