/* Packets where they come and leave: lines of the log, and files of libpcap's format, which
 * whoever opens them gives their headers. Only with -DTRACE. */
#ifndef TRACE_H
#define TRACE_H

#ifdef TRACE

#include <sys/uio.h>

static uint64_t last_packet;
static uint32_t last_copy;

struct record_header {
    uint32_t seconds, microseconds, captured, length;
};

static void record_packet(int file, const uint8_t *head, uint32_t head_length,
                          const uint8_t *tail, uint32_t tail_length) {
    if (file < 0) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct record_header header = {(uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000),
                                   head_length + tail_length, head_length + tail_length};
    const struct iovec parts[] = {{&header, sizeof header},
                                  {(void *)(uintptr_t)head, head_length},
                                  {(void *)(uintptr_t)tail, tail_length}};
    /* A disk that is full is no reason to drop packets. */
    if (writev(file, parts, 3) < 0) return;
}

/* Copies are numbered anew for each packet, unless those of another one go round. */
static void trace_coming(struct context *c, uint32_t port, const struct port *from,
                         bool is_alone) {
    c->packet = ++last_packet;
    c->copy = 0;
    if (is_alone) last_copy = 0;
    DEBUG_LINE(c, "received by port %u: %u bytes", port, c->length);
    if (from) record_packet(from->record_in, c->data, c->length, NULL, 0);
    if (packet_log.dump_bytes && packet_log.level <= LOG_LEVEL_INFO)
        log_bytes(c, "INFO", "comes: ", c->data,
                  packet_log.dump_bytes < c->length ? packet_log.dump_bytes : c->length);
}

static void trace_leaving(const struct context *c, const struct port *port, const uint8_t *head,
                          uint32_t head_length, const uint8_t *tail, uint32_t tail_length) {
    record_packet(port->record_out, head, head_length, tail, tail_length);
    if (packet_log.dump_bytes == 0 || packet_log.level > LOG_LEVEL_INFO) return;
    uint8_t bytes[LOG_LINE / 4];
    const uint32_t all = head_length + tail_length;
    uint32_t length = packet_log.dump_bytes < all ? packet_log.dump_bytes : all;
    if (length > sizeof bytes) length = sizeof bytes;
    const uint32_t first = head_length < length ? head_length : length;
    memcpy(bytes, head, first);
    if (length > first) memcpy(bytes + first, tail, length - first);
    log_bytes(c, "INFO", "leaves: ", bytes, length);
}

#endif
#endif
