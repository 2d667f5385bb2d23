/* The keys of p4.v1.TableEntry messages, as tables have them.
 *
 * What is false here is only not plain: whoever wrote it is told why in another place.
 */
#ifndef PLAIN_KEY_H
#define PLAIN_KEY_H

#include <string.h>

#include "wire.h"

/* The numbers of the kinds in p4.v1.FieldMatch. */
enum match_kind {
    MATCH_EXACT = 2,
    MATCH_TERNARY = 3,
    MATCH_LPM = 4,
    MATCH_RANGE = 6,
    MATCH_OPTIONAL = 7,
};

struct bits {
    uint32_t id, width;
};

struct plain_field {
    struct bits bits;
    uint32_t kind;
};

/* Where a key is written: each has the words of all fields. */
struct plain_key {
    uint64_t *low, *high, *mask;
};

static uint32_t words_of(uint32_t width) { return width ? (width + 63) / 64 : 1; }

/* The bits of a value of `width` bits in one of its words. */
static uint64_t every_bit(uint32_t width, uint32_t word) {
    const uint32_t below = 64 * word;
    if (width <= below) return 0;
    return width - below >= 64 ? UINT64_MAX : (UINT64_C(1) << (width - below)) - 1;
}

/* A big-endian value. False where it has no byte or more bits than `width`. */
static bool read_value(struct wire bytes, uint32_t width, uint64_t *words) {
    const uint32_t count = words_of(width);
    memset(words, 0, count * sizeof *words);
    if (wire_ends(&bytes)) return false;
    for (uint32_t place = 0; bytes.end > bytes.at; place++) {
        const uint8_t byte = *--bytes.end;
        if (place < 8 * count)
            words[place / 8] |= (uint64_t)byte << (place % 8 * 8);
        else if (byte)
            return false;
    }
    return (words[count - 1] & ~every_bit(width, count - 1)) == 0;
}

/* The parts of FieldMatch's kinds are numbered alike: the first is a value. */
struct match_parts {
    struct wire first, second;
    uint64_t number; /* of LPM: the prefix length */
};

static bool read_parts(struct wire message, struct match_parts *parts) {
    *parts = (struct match_parts){.number = 0};
    while (!wire_ends(&message)) {
        struct wire_field f;
        if (!wire_take(&message, &f)) return false;
        if (f.number == 1 && f.type == WIRE_BYTES && !parts->first.at)
            parts->first = f.bytes;
        else if (f.number == 2 && f.type == WIRE_BYTES && !parts->second.at)
            parts->second = f.bytes;
        else if (f.number == 2 && f.type == WIRE_VARINT && !parts->number)
            parts->number = f.value;
        else
            return false;
    }
    return true;
}

static void put_mask(uint64_t *mask, uint32_t width, uint32_t prefix) {
    for (uint32_t i = 0; i < words_of(width); i++)
        mask[i] = every_bit(width, i) & ~every_bit(width - prefix, i);
}

static bool read_lpm(const struct match_parts *parts, uint32_t width, struct plain_key to) {
    if (parts->number == 0 || parts->number > width) return false;
    put_mask(to.mask, width, (uint32_t)parts->number);
    if (!read_value(parts->first, width, to.low)) return false;
    for (uint32_t i = 0; i < words_of(width); i++)
        if (to.low[i] & ~to.mask[i]) return false;
    return true;
}

static bool read_ternary(const struct match_parts *parts, uint32_t width, struct plain_key to) {
    if (!read_value(parts->first, width, to.low) || !read_value(parts->second, width, to.mask))
        return false;
    uint64_t any = 0;
    for (uint32_t i = 0; i < words_of(width); i++) {
        any |= to.mask[i];
        if (to.low[i] & ~to.mask[i]) return false;
    }
    return any != 0;
}

static bool read_range(const struct match_parts *parts, uint32_t width, struct plain_key to) {
    if (!read_value(parts->first, width, to.low) || !read_value(parts->second, width, to.high))
        return false;
    bool is_full = true, is_below = false, is_decided = false;
    for (uint32_t i = words_of(width); i-- > 0;) {
        if (!is_decided && to.low[i] != to.high[i])
            is_decided = true, is_below = to.low[i] < to.high[i];
        is_full = is_full && to.low[i] == 0 && to.high[i] == every_bit(width, i);
    }
    return !is_full && (is_below || !is_decided);
}

static bool read_match(struct wire message, const struct plain_field *field, struct plain_key to) {
    const uint32_t width = field->bits.width;
    struct match_parts parts;
    if (!read_parts(message, &parts)) return false;
    switch (field->kind) {
    case MATCH_LPM: return !parts.second.at && read_lpm(&parts, width, to);
    case MATCH_TERNARY: return !parts.number && read_ternary(&parts, width, to);
    case MATCH_RANGE: return !parts.number && read_range(&parts, width, to);
    default: /* exact and optional */
        put_mask(to.mask, width, width);
        return !parts.number && !parts.second.at && read_value(parts.first, width, to.low);
    }
}

/* What a field that is left out matches. False where it has to be given. */
static bool match_anything(const struct plain_field *field, struct plain_key to) {
    if (field->kind == MATCH_RANGE) put_mask(to.high, field->bits.width, field->bits.width);
    return field->kind != MATCH_EXACT;
}

/* A key that is read field by field, in their order. */
struct key_reader {
    const struct plain_field *next, *end;
    struct plain_key to;
};

static void next_field(struct key_reader *r) {
    const uint32_t words = words_of(r->next->bits.width);
    r->to.low += words, r->to.high += words, r->to.mask += words;
    r->next++;
}

/* Takes a FieldMatch. */
static bool take_match(struct key_reader *r, struct wire message) {
    struct wire_field id, match;
    if (!wire_take(&message, &id) || id.number != 1 || id.type != WIRE_VARINT ||
        !wire_take(&message, &match) || match.type != WIRE_BYTES || !wire_ends(&message))
        return false;
    for (; r->next < r->end && r->next->bits.id != id.value; next_field(r))
        if (!match_anything(r->next, r->to)) return false;
    if (r->next == r->end || match.number != r->next->kind ||
        !read_match(match.bytes, r->next, r->to))
        return false;
    next_field(r);
    return true;
}

/* Leaves out what is left. */
static bool end_key(struct key_reader *r) {
    for (; r->next < r->end; next_field(r))
        if (!match_anything(r->next, r->to)) return false;
    return true;
}

#endif
