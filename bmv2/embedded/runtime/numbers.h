/* Numbers of any width: bytes on the wire, shifts without bounds, signs. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 u128;
typedef __int128 i128;

/* The type and the functions for values beyond 128 bits: two's complement. */
#ifndef WIDE_LIMBS
#define WIDE_LIMBS 4
#endif
struct wide {
    uint64_t limb[WIDE_LIMBS];
};

#define MASK64(bits) ((bits) >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << ((bits)&63)) - 1)
#define MASK128(bits) ((bits) >= 128 ? ~(u128)0 : ((u128)1 << ((bits)&127)) - 1)
#define U128(high, low) (((u128)(high) << 64) | (u128)(low))

/* How far to shift, of a number of any sign and width. */
static inline uint64_t shift_amount_u64(uint64_t by) { return by; }
static inline uint64_t shift_amount_i64(int64_t by) { return by < 0 ? 0 : (uint64_t)by; }
static inline uint64_t shift_amount_u128(u128 by) { return by >> 64 ? UINT64_MAX : (uint64_t)by; }
static inline uint64_t shift_amount_i128(i128 by) {
    return by < 0 ? 0 : shift_amount_u128((u128)by);
}

static inline uint64_t shift_left_64(uint64_t value, uint64_t by) {
    return by >= 64 ? 0 : value << by;
}
static inline u128 shift_left_128(u128 value, uint64_t by) { return by >= 128 ? 0 : value << by; }
static inline uint64_t shift_right_u64(uint64_t value, uint64_t by) {
    return by >= 64 ? 0 : value >> by;
}
static inline int64_t shift_right_i64(int64_t value, uint64_t by) {
    return value >> (by >= 63 ? 63 : by);
}
static inline u128 shift_right_u128(u128 value, uint64_t by) { return by >= 128 ? 0 : value >> by; }
static inline i128 shift_right_i128(i128 value, uint64_t by) {
    return value >> (by >= 127 ? 127 : by);
}

/* Division rounds towards zero. By zero, which P4 leaves open, it gives zero. */
static inline uint64_t divide_u64(uint64_t a, uint64_t b) { return b == 0 ? 0 : a / b; }
static inline uint64_t modulo_u64(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }
static inline int64_t divide_i64(int64_t a, int64_t b) { return b == 0 ? 0 : a / b; }
static inline int64_t modulo_i64(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static inline u128 divide_u128(u128 a, u128 b) { return b == 0 ? 0 : a / b; }
static inline u128 modulo_u128(u128 a, u128 b) { return b == 0 ? 0 : a % b; }
static inline i128 divide_i128(i128 a, i128 b) { return b == 0 ? 0 : a / b; }
static inline i128 modulo_i128(i128 a, i128 b) { return b == 0 || b == -1 ? 0 : a % b; }

/* The low bits as a signed number. */
static inline int64_t signed_64(uint64_t value, unsigned bits) {
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}
static inline i128 signed_128(u128 value, unsigned bits) {
    return (i128)(value << (128 - bits)) >> (128 - bits);
}

/* --- bits of a packet, the most significant first ----------------------------------- */

static inline u128 get_bits(const uint8_t *bytes, uint64_t offset, unsigned bits) {
    u128 value = 0;
    for (unsigned done = 0; done < bits;) {
        const uint64_t at = offset + done;
        const unsigned within = at & 7;
        unsigned take = 8 - within;
        if (take > bits - done) take = bits - done;
        const uint8_t part = (uint8_t)(bytes[at >> 3] << within) >> (8 - take);
        value = value << take | part;
        done += take;
    }
    return value;
}

static inline void put_bits(uint8_t *bytes, uint64_t offset, unsigned bits, u128 value) {
    for (unsigned left = bits; left > 0;) {
        const uint64_t at = offset + (bits - left);
        const unsigned within = at & 7;
        unsigned take = 8 - within;
        if (take > left) take = left;
        const unsigned shift = 8 - within - take;
        const uint8_t mask = (uint8_t)(((1u << take) - 1) << shift);
        const uint8_t part = (uint8_t)((uint64_t)(value >> (left - take)) << shift);
        bytes[at >> 3] = (uint8_t)((bytes[at >> 3] & ~mask) | (part & mask));
        left -= take;
    }
}

/* --- beyond 128 bits ----------------------------------------------------------------- */

static inline struct wide wide_of_u(u128 value) {
    struct wide r = {{0}};
    r.limb[0] = (uint64_t)value;
    r.limb[1] = (uint64_t)(value >> 64);
    return r;
}
static inline struct wide wide_of_i(i128 value) {
    struct wide r = wide_of_u((u128)value);
    for (int i = 2; i < WIDE_LIMBS; i++) r.limb[i] = value < 0 ? ~(uint64_t)0 : 0;
    return r;
}
static inline uint64_t wide_u64(struct wide a) { return a.limb[0]; }
static inline u128 wide_u128(struct wide a) { return U128(a.limb[1], a.limb[0]); }
static inline bool wide_is_negative(struct wide a) { return a.limb[WIDE_LIMBS - 1] >> 63; }
static inline struct wide wide_add(struct wide a, struct wide b) {
    u128 carry = 0;
    for (int i = 0; i < WIDE_LIMBS; i++) {
        carry += (u128)a.limb[i] + b.limb[i];
        a.limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return a;
}
static inline struct wide wide_not(struct wide a) {
    for (int i = 0; i < WIDE_LIMBS; i++) a.limb[i] = ~a.limb[i];
    return a;
}
static inline struct wide wide_sub(struct wide a, struct wide b) {
    return wide_add(wide_add(a, wide_not(b)), wide_of_u(1));
}
static inline struct wide wide_and(struct wide a, struct wide b) {
    for (int i = 0; i < WIDE_LIMBS; i++) a.limb[i] &= b.limb[i];
    return a;
}
static inline struct wide wide_or(struct wide a, struct wide b) {
    for (int i = 0; i < WIDE_LIMBS; i++) a.limb[i] |= b.limb[i];
    return a;
}
static inline struct wide wide_xor(struct wide a, struct wide b) {
    for (int i = 0; i < WIDE_LIMBS; i++) a.limb[i] ^= b.limb[i];
    return a;
}
static inline struct wide wide_mul(struct wide a, struct wide b) {
    struct wide r = {{0}};
    for (int i = 0; i < WIDE_LIMBS; i++) {
        u128 carry = 0;
        for (int j = 0; i + j < WIDE_LIMBS; j++) {
            carry += (u128)a.limb[i] * b.limb[j] + r.limb[i + j];
            r.limb[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    return r;
}
static inline struct wide wide_shift_left(struct wide a, uint64_t by) {
    struct wide r = {{0}};
    if (by >= 64 * WIDE_LIMBS) return r;
    const int words = (int)(by / 64), bits = (int)(by % 64);
    for (int i = WIDE_LIMBS - 1; i >= words; i--) {
        r.limb[i] = a.limb[i - words] << bits;
        if (bits && i > words) r.limb[i] |= a.limb[i - words - 1] >> (64 - bits);
    }
    return r;
}
static inline struct wide shift_right_wide(struct wide a, uint64_t by) {
    const uint64_t fill = wide_is_negative(a) ? ~(uint64_t)0 : 0;
    struct wide r;
    for (int i = 0; i < WIDE_LIMBS; i++) r.limb[i] = fill;
    if (by >= 64 * WIDE_LIMBS) return r;
    const int words = (int)(by / 64), bits = (int)(by % 64);
    for (int i = 0; i + words < WIDE_LIMBS; i++) {
        const uint64_t above = i + words + 1 < WIDE_LIMBS ? a.limb[i + words + 1] : fill;
        r.limb[i] = a.limb[i + words] >> bits;
        if (bits) r.limb[i] |= above << (64 - bits);
    }
    return r;
}
static inline int wide_compare(struct wide a, struct wide b) {
    if (wide_is_negative(a) != wide_is_negative(b)) return wide_is_negative(a) ? -1 : 1;
    for (int i = WIDE_LIMBS - 1; i >= 0; i--)
        if (a.limb[i] != b.limb[i]) return a.limb[i] < b.limb[i] ? -1 : 1;
    return 0;
}
static inline struct wide wide_mask(unsigned bits) {
    struct wide r = {{0}};
    for (int i = 0; i < WIDE_LIMBS; i++)
        if (bits > (unsigned)i * 64) r.limb[i] = MASK64(bits - (unsigned)i * 64);
    return r;
}
static inline struct wide wide_signed(struct wide a, unsigned bits) {
    const unsigned up = 64 * WIDE_LIMBS - bits;
    return shift_right_wide(wide_shift_left(a, up), up);
}
static inline uint64_t shift_amount_wide(struct wide by) {
    for (int i = 1; i < WIDE_LIMBS; i++)
        if (by.limb[i]) return wide_is_negative(by) ? 0 : UINT64_MAX;
    return by.limb[0];
}
static inline struct wide wide_negated(struct wide a) { return wide_sub(wide_of_u(0), a); }
static inline struct wide wide_clamp(struct wide a, struct wide low, struct wide high) {
    if (wide_compare(a, low) < 0) return low;
    return wide_compare(a, high) > 0 ? high : a;
}
/* Both the quotient and the rest of two numbers that are not negative, bit by bit. */
static inline struct wide wide_divided(struct wide a, struct wide b, struct wide *rest) {
    struct wide quotient = {{0}};
    *rest = quotient;
    for (int bit = 64 * WIDE_LIMBS - 1; bit >= 0; bit--) {
        *rest = wide_shift_left(*rest, 1);
        rest->limb[0] |= a.limb[bit / 64] >> (bit % 64) & 1;
        if (wide_compare(*rest, b) < 0) continue;
        *rest = wide_sub(*rest, b);
        quotient.limb[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
    return quotient;
}
static inline struct wide divide_wide(struct wide a, struct wide b) {
    const bool is_negative = wide_is_negative(a) != wide_is_negative(b);
    if (wide_compare(b, wide_of_u(0)) == 0) return b;
    if (wide_is_negative(a)) a = wide_negated(a);
    if (wide_is_negative(b)) b = wide_negated(b);
    struct wide rest, quotient = wide_divided(a, b, &rest);
    return is_negative ? wide_negated(quotient) : quotient;
}
static inline struct wide modulo_wide(struct wide a, struct wide b) {
    const bool is_negative = wide_is_negative(a);
    if (wide_compare(b, wide_of_u(0)) == 0) return b;
    if (is_negative) a = wide_negated(a);
    if (wide_is_negative(b)) b = wide_negated(b);
    struct wide rest;
    wide_divided(a, b, &rest);
    return is_negative ? wide_negated(rest) : rest;
}
static inline struct wide wide_get_bits(const uint8_t *bytes, uint64_t offset, unsigned bits) {
    struct wide r = {{0}};
    while (bits > 0) {
        const unsigned take = bits % 64 ? bits % 64 : 64;
        bits -= take;
        r.limb[bits / 64] = (uint64_t)get_bits(bytes, offset, take);
        offset += take;
    }
    return r;
}
static inline void wide_put_bits(uint8_t *bytes, uint64_t offset, unsigned bits, struct wide a) {
    while (bits > 0) {
        const unsigned take = bits % 64 ? bits % 64 : 64;
        bits -= take;
        put_bits(bytes, offset, take, a.limb[bits / 64]);
        offset += take;
    }
}

#endif
