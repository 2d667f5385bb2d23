/* Two-rate three-colour markers (RFC 2698, colour-blind), as BMv2 computes them. */
#ifndef METER_H
#define METER_H

#include <stdbool.h>
#include <stdint.h>

enum { METER_GREEN = 0, METER_YELLOW = 1, METER_RED = 2 };

/* A token bucket; its rate is in units a second. */
struct bucket {
    uint64_t rate, burst, tokens, remainder;
};

/* One that is not configured marks every packet green. */
struct meter {
    bool is_configured;
    uint64_t filled_us;
    struct bucket committed, peak;
};

struct meter_array {
    struct meter *cells;
    uint32_t size;
};

/* What a meter is configured with, in the order of RFC 2698: CIR, CBS, PIR, PBS. */
struct meter_rates {
    uint64_t cir, cburst, pir, pburst;
};

static inline void bucket_fill(struct bucket *b, uint64_t elapsed_us) {
    const u128 product = (u128)elapsed_us * b->rate + b->remainder;
    const uint64_t added = product >> 64 ? UINT64_MAX : (uint64_t)product / 1000000;
    b->remainder = product >> 64 ? 0 : (uint64_t)product % 1000000;
    b->tokens = added < b->burst - b->tokens ? b->tokens + added : b->burst;
}

static inline bool bucket_take(struct bucket *b, uint64_t units) {
    if (b->tokens < units) return false;
    b->tokens -= units;
    return true;
}

/* The colour of a packet of so many units. */
static inline uint32_t meter_execute(struct meter *m, uint64_t now_ns, uint64_t units) {
    if (!m->is_configured) return METER_GREEN;
    const uint64_t now_us = now_ns / 1000;
    const uint64_t elapsed_us = now_us > m->filled_us ? now_us - m->filled_us : 0;
    m->filled_us += elapsed_us;
    bucket_fill(&m->peak, elapsed_us);
    bucket_fill(&m->committed, elapsed_us);
    if (!bucket_take(&m->peak, units)) return METER_RED;
    return bucket_take(&m->committed, units) ? METER_GREEN : METER_YELLOW;
}

/* Configures a meter, with full buckets; or, without rates, takes its configuration away. */
static inline void meter_set(struct meter *m, const struct meter_rates *rates) {
    *m = (struct meter){0};
    if (!rates) return;
    m->is_configured = true;
    m->committed = (struct bucket){rates->cir, rates->cburst, rates->cburst, 0};
    m->peak = (struct bucket){rates->pir, rates->pburst, rates->pburst, 0};
}

/* False when the meter is not configured. */
static inline bool meter_get(const struct meter *m, struct meter_rates *rates) {
    *rates = (struct meter_rates){m->committed.rate, m->committed.burst, m->peak.rate,
                                  m->peak.burst};
    return m->is_configured;
}

#endif
