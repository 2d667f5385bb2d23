/* Serialised protobuf messages, field by field. Nothing is read beyond a message's end. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stdint.h>

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

struct wire {
    const uint8_t *at, *end;
};

struct wire_field {
    uint32_t number, type;
    uint64_t value;    /* of a varint */
    struct wire bytes; /* of a string or a message */
};

static inline bool wire_ends(const struct wire *w) { return w->at == w->end; }

static bool wire_varint(struct wire *w, uint64_t *value) {
    *value = 0;
    for (uint32_t shift = 0; w->at < w->end && shift < 64; shift += 7) {
        const uint8_t byte = *w->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

/* Takes the next field. False where it is neither a varint nor bytes, or not whole. */
static bool wire_take(struct wire *w, struct wire_field *field) {
    uint64_t tag;
    if (!wire_varint(w, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX) return false;
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    if (!(field->type == WIRE_VARINT || field->type == WIRE_BYTES)) return false;
    if (!wire_varint(w, &field->value)) return false;
    if (field->type == WIRE_VARINT) return true;
    if (field->value > (uint64_t)(w->end - w->at)) return false;
    field->bytes = (struct wire){w->at, w->at + field->value};
    w->at += field->value;
    return true;
}

#endif
