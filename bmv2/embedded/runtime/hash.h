/* The hash functions of v1model, as BMv2 computes them. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

static uint32_t crc32_table[256];
static uint16_t crc16_table[256];
static uint16_t crc_ccitt_table[256];

static void hash_prepare(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t a = i;
        uint16_t b = (uint16_t)i, c = (uint16_t)(i << 8);
        for (int bit = 0; bit < 8; bit++) {
            a = a & 1 ? a >> 1 ^ 0xedb88320u : a >> 1;
            b = b & 1 ? (uint16_t)(b >> 1 ^ 0xa001u) : (uint16_t)(b >> 1);
            c = c & 0x8000 ? (uint16_t)(c << 1 ^ 0x1021u) : (uint16_t)(c << 1);
        }
        crc32_table[i] = a;
        crc16_table[i] = b;
        crc_ccitt_table[i] = c;
    }
}

static inline uint64_t hash_crc32(const uint8_t *data, size_t length) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < length; i++) crc = crc32_table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static inline uint64_t hash_crc16(const uint8_t *data, size_t length) {
    uint16_t crc = 0;
    for (size_t i = 0; i < length; i++)
        crc = (uint16_t)(crc16_table[(crc ^ data[i]) & 0xff] ^ crc >> 8);
    return crc;
}

static inline uint64_t hash_crc_ccitt(const uint8_t *data, size_t length) {
    uint16_t crc = 0xffff;
    for (size_t i = 0; i < length; i++)
        crc = (uint16_t)(crc_ccitt_table[(data[i] ^ crc >> 8) & 0xff] ^ (uint16_t)(crc << 8));
    return crc;
}

/* The internet checksum (RFC 1071). */
static inline uint64_t hash_csum16(const uint8_t *data, size_t length) {
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 4 <= length; i += 4)
        sum += (uint32_t)data[i] << 24 | (uint32_t)data[i + 1] << 16 | (uint32_t)data[i + 2] << 8 |
               data[i + 3];
    if (i + 2 <= length) {
        sum += (uint32_t)data[i] << 24 | (uint32_t)data[i + 1] << 16;
        i += 2;
        if (i < length) sum += (uint32_t)data[i] << 8;
    } else if (i < length) {
        sum += (uint32_t)data[i] << 24;
    }
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static inline uint64_t hash_xor16(const uint8_t *data, size_t length) {
    uint16_t value = 0;
    for (size_t i = 0; i < length; i++) value ^= (uint16_t)(i & 1 ? data[i] : data[i] << 8);
    return value;
}

/* The first eight bytes as a number. */
static inline uint64_t hash_identity(const uint8_t *data, size_t length) {
    uint64_t value = 0;
    for (size_t i = 0; i < 8 && i < length; i++) value = value << 8 | data[i];
    return value;
}

#endif
