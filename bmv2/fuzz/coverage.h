/* Which ways packets take through the program, and what it compares them with. */
#ifndef COVERAGE_H
#define COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#define EDGES (1u << 16)
#define PAIRS 256

/* What a comparison of the program saw, and what it compared that with. */
struct pair {
    uint64_t found, wanted;
};

/* Shared by all processes. */
static struct coverage {
    uint32_t edges;
    uint8_t seen[EDGES]; /* a bit for each magnitude of an edge's count */
    struct pair pairs[PAIRS];
} *coverage;

static uint8_t counts[EDGES];
static uint32_t touched[EDGES], touched_count;
static uintptr_t previous;

void __sanitizer_cov_trace_pc(void) {
    const uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    const uint32_t edge = (uint32_t)((pc ^ previous) * 0x9e3779b97f4a7c15u >> 48);
    previous = pc << 1;
    if (counts[edge] == 0) touched[touched_count++] = edge;
    if (counts[edge] < UINT8_MAX) counts[edge]++;
}

/* A difference could be wanted: it goes to the pairs, over one that is there already. */
static void compared(uint64_t found, uint64_t wanted) {
    if (found == wanted) return;
    const uint64_t hash = (found * 31 ^ wanted) * 0x9e3779b97f4a7c15u;
    coverage->pairs[hash >> 56] = (struct pair){found, wanted};
}

void __sanitizer_cov_trace_cmp1(uint8_t a, uint8_t b) { compared(a, b); }
void __sanitizer_cov_trace_cmp2(uint16_t a, uint16_t b) { compared(a, b); }
void __sanitizer_cov_trace_cmp4(uint32_t a, uint32_t b) { compared(a, b); }
void __sanitizer_cov_trace_cmp8(uint64_t a, uint64_t b) { compared(a, b); }
void __sanitizer_cov_trace_const_cmp1(uint8_t a, uint8_t b) { compared(b, a); }
void __sanitizer_cov_trace_const_cmp2(uint16_t a, uint16_t b) { compared(b, a); }
void __sanitizer_cov_trace_const_cmp4(uint32_t a, uint32_t b) { compared(b, a); }
void __sanitizer_cov_trace_const_cmp8(uint64_t a, uint64_t b) { compared(b, a); }
void __sanitizer_cov_trace_switch(uint64_t value, const uint64_t *cases) {
    for (uint64_t i = 0; i < cases[0] && i < 16; i++) compared(value, cases[2 + i]);
}

/* Forgets the last packet's path; whether there was anything new about it. */
static bool is_new_path(void) {
    bool is_new = false;
    for (uint32_t i = 0; i < touched_count; i++) {
        const uint32_t edge = touched[i];
        const uint8_t magnitude = (uint8_t)(1u << (31 - __builtin_clz(counts[edge])));
        if (!(coverage->seen[edge] & magnitude)) {
            coverage->edges += coverage->seen[edge] == 0;
            coverage->seen[edge] |= magnitude;
            is_new = true;
        }
        counts[edge] = 0;
    }
    touched_count = 0;
    previous = 0;
    return is_new;
}

#endif
