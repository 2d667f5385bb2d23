/* Register cells as P4Runtime messages, without an object for each cell. */
#ifndef PROTOBUF_H
#define PROTOBUF_H

#define ENTITY_REGISTER_ENTRY 11

/* The most bytes of one cell's entity besides its value: tags, lengths and varints. */
#define ENTITY_ROOM 64

static uint8_t *put_varint(uint8_t *p, uint64_t value) {
    for (; value >= 0x80; value >>= 7) *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

static uint32_t varint_size(uint64_t value) {
    uint32_t size = 1;
    for (; value >= 0x80; value >>= 7) size++;
    return size;
}

/* One ReadResponse.entities element: Entity.register_entry {register_id, index {index},
 * data {bitstring}}. The cell has its lowest byte first, the bitstring its highest, without
 * leading zeros (P4Runtime, section 8.3). */
static uint8_t *put_register_entity(uint8_t *p, uint32_t register_id, uint32_t index,
                                    const uint8_t *cell, uint32_t cell_bytes) {
    uint32_t count = cell_bytes;
    while (count > 1 && cell[count - 1] == 0) count--;
    const uint32_t index_size = index ? 1 + varint_size(index) : 0;
    const uint32_t data_size = 1 + varint_size(count) + count;
    const uint32_t entry_size = 1 + varint_size(register_id) + 2 + index_size + 1 +
                                varint_size(data_size) + data_size;
    p = put_varint(p, 1 << 3 | 2); /* ReadResponse.entities */
    p = put_varint(p, 1 + varint_size(entry_size) + entry_size);
    p = put_varint(p, ENTITY_REGISTER_ENTRY << 3 | 2);
    p = put_varint(p, entry_size);
    p = put_varint(p, 1 << 3); /* RegisterEntry.register_id */
    p = put_varint(p, register_id);
    p = put_varint(p, 2 << 3 | 2); /* RegisterEntry.index */
    p = put_varint(p, index_size);
    if (index) {
        p = put_varint(p, 1 << 3); /* Index.index */
        p = put_varint(p, index);
    }
    p = put_varint(p, 3 << 3 | 2); /* RegisterEntry.data */
    p = put_varint(p, data_size);
    p = put_varint(p, 1 << 3 | 2); /* P4Data.bitstring */
    p = put_varint(p, count);
    while (count > 0) *p++ = cell[--count];
    return p;
}

#endif
