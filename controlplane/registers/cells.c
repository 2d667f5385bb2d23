// Register cells out of a serialised P4Runtime ReadResponse.
//
// Only what a response about registers is made of is understood, in any order:
//
//     ReadResponse   { 1: Entity … }
//     Entity         { 11: RegisterEntry }
//     RegisterEntry  { 1: id   2: Index { 1: index }   3: P4Data { 1: bitstring } }
//
// Whatever else comes, or a number of more than five bytes, is for a protobuf library: then
// the whole response is.

#include <stddef.h>
#include <stdint.h>

enum { ENTITY = 0x0a, REGISTER_ENTRY = 0x5a };        // tags: number << 3 | wire type
enum { ID = 0x08, INDEX = 0x12, DATA = 0x1a };
enum { INDEX_INDEX = 0x08, DATA_BITSTRING = 0x0a };

struct span {
    const uint8_t *at, *end;
};

struct cell {
    uint64_t id, index, value;
};

static int read_number(struct span *from, uint64_t *number) {
    *number = 0;
    for (unsigned shift = 0; shift < 35 && from->at != from->end; shift += 7) {
        const uint8_t octet = *from->at++;
        *number |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80) return 1;
    }
    return 0;
}

// What is in a field with a length.
static int read_part(struct span *from, struct span *part) {
    uint64_t length;
    if (!read_number(from, &length) || length > (uint64_t)(from->end - from->at)) return 0;
    part->at = from->at;
    part->end = from->at += length;
    return 1;
}

static int read_index(struct span from, struct cell *cell) {
    while (from.at != from.end)
        if (*from.at++ != INDEX_INDEX || !read_number(&from, &cell->index)) return 0;
    return 1;
}

static int read_data(struct span from, struct cell *cell) {
    while (from.at != from.end) {
        struct span bits;
        if (*from.at++ != DATA_BITSTRING || !read_part(&from, &bits)) return 0;
        if (bits.end - bits.at > (ptrdiff_t)sizeof cell->value) return 0;
        for (cell->value = 0; bits.at != bits.end;) cell->value = cell->value << 8 | *bits.at++;
    }
    return 1;
}

static int read_entry(struct span from, struct cell *cell) {
    while (from.at != from.end) {
        struct span part;
        switch (*from.at++) {
        case ID:
            if (!read_number(&from, &cell->id)) return 0;
            break;
        case INDEX:
            if (!read_part(&from, &part) || !read_index(part, cell)) return 0;
            break;
        case DATA:
            if (!read_part(&from, &part) || !read_data(part, cell)) return 0;
            break;
        default:
            return 0;
        }
    }
    return 1;
}

// The number of cells, or -1 where the response is for a protobuf library. There is to be room
// for a cell for every four bytes: none is shorter.
long decode(
    const uint8_t *response, size_t size, uint32_t *ids, int64_t *indices, uint64_t *values) {
    struct span from = {response, response + size}, entity, entry;
    long count = 0;
    while (from.at != from.end) {
        struct cell cell = {0};
        if (*from.at++ != ENTITY || !read_part(&from, &entity)) return -1;
        if (entity.at == entity.end) continue;  // it is of no kind
        while (entity.at != entity.end)
            if (*entity.at++ != REGISTER_ENTRY || !read_part(&entity, &entry)
                    || !read_entry(entry, &cell))
                return -1;
        ids[count] = (uint32_t)cell.id;
        indices[count] = (int64_t)cell.index;
        values[count++] = cell.value;
    }
    return count;
}
