/* What the library offers of counters, meters and registers. */
#ifndef API_ARRAYS_H
#define API_ARRAYS_H

#include "protobuf.h"

/* --- counters ------------------------------------------------------------------------ */

API void switch_counter_read(uint32_t counter, uint32_t index, uint64_t *packets,
                             uint64_t *bytes) {
    state_enter();
    *packets = counters[counter].cells[index].packets;
    *bytes = counters[counter].cells[index].bytes;
    state_leave();
}

API void switch_counter_write(uint32_t counter, uint32_t index, uint64_t packets,
                              uint64_t bytes) {
    state_enter();
    counters[counter].cells[index] = (struct counter){packets, bytes};
    state_leave();
}

/* --- meters -------------------------------------------------------------------------- */

/* Whether a meter is configured, and with what. */
API bool switch_meter_read(uint32_t array, uint32_t index, struct meter_rates *rates) {
    state_enter();
    const bool is_configured = meter_get(&meters[array].cells[index], rates);
    state_leave();
    return is_configured;
}

/* Configures a meter, or takes its configuration away where the rates are NULL. */
API void switch_meter_write(uint32_t array, uint32_t index, const struct meter_rates *rates) {
    state_enter();
    meter_set(&meters[array].cells[index], rates);
    state_leave();
}

/* --- registers ------------------------------------------------------------------------ */

API uint32_t switch_register_cell_bytes(uint32_t array) { return registers[array].cell_bytes; }

API void switch_register_read(uint32_t array, void *cells) {
    const struct register_array *r = &registers[array];
    state_enter();
    memcpy(cells, r->cells, (size_t)r->size * r->cell_bytes);
    state_leave();
}

API void switch_register_write(uint32_t array, uint32_t index, const void *cell) {
    const struct register_array *r = &registers[array];
    state_enter();
    memcpy((uint8_t *)r->cells + (size_t)index * r->cell_bytes, cell, r->cell_bytes);
    state_leave();
}

API uint64_t switch_register_message_room(uint32_t array, uint32_t count) {
    return (uint64_t)count * (ENTITY_ROOM + registers[array].cell_bytes);
}

/* Cells as the body of a ReadResponse; the count of bytes. */
API uint64_t switch_register_message(uint32_t array, uint32_t register_id, uint32_t first,
                                     uint32_t count, uint8_t *out) {
    const struct register_array *r = &registers[array];
    const uint8_t *cell = (const uint8_t *)r->cells + (size_t)first * r->cell_bytes;
    uint8_t *p = out;
    state_enter();
    for (uint32_t i = 0; i < count; i++, cell += r->cell_bytes)
        p = put_register_entity(p, register_id, first + i, cell, r->cell_bytes);
    state_leave();
    return (uint64_t)(p - out);
}

#endif
