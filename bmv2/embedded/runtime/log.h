/* What packets leave in the log: the program's log_msg, and with -DTRACE their whole way.
 *
 * Lines are those of Python's logging and go to the same descriptor, which is open for
 * appending: whole lines, written when a batch ends, so nobody waits for a line that was not
 * written, and lines of several threads do not mix.
 */
#ifndef LOG_H
#define LOG_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* As Python numbers them. */
enum { LOG_LEVEL_TRACE = 5, LOG_LEVEL_DEBUG = 10, LOG_LEVEL_INFO = 20, LOG_LEVEL_OFF = 100 };

#define LOG_ROOM (1u << 16)
#define LOG_LINE 2048
#define LOG_TEXTS 32

static struct {
    int descriptor;
    uint32_t level;
    uint32_t dump_bytes; /* of each packet that comes or leaves */
    uint32_t used;
    char text[LOG_ROOM];
} packet_log = {.descriptor = -1, .level = LOG_LEVEL_OFF};

static void log_flush(void) {
    for (uint32_t done = 0; done < packet_log.used;) {
        const ssize_t count =
            write(packet_log.descriptor, packet_log.text + done, packet_log.used - done);
        if (count <= 0 && errno != EINTR && errno != EAGAIN) break;
        if (count > 0) done += (uint32_t)count;
    }
    packet_log.used = 0;
}

static int log_time(char *to, size_t room) {
    static time_t second;
    static char text[32];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second || !text[0]) {
        struct tm local;
        second = now.tv_sec;
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&second, &local));
    }
    return snprintf(to, room, "%s,%03d", text, (int)(now.tv_nsec / 1000000));
}

__attribute__((cold, noinline, format(printf, 3, 4))) static void log_line(
    const struct context *c, const char *level, const char *format, ...) {
    if (packet_log.used + LOG_LINE > LOG_ROOM) log_flush();
    char *const line = packet_log.text + packet_log.used;
    int used = log_time(line, LOG_LINE);
#ifdef TRACE
    used += snprintf(line + used, LOG_LINE - (size_t)used, " %s packet %llu.%u: ", level,
                     (unsigned long long)c->packet, c->copy);
#else
    (void)c;
    used += snprintf(line + used, LOG_LINE - (size_t)used, " %s packet: ", level);
#endif
    va_list values;
    va_start(values, format);
    used += vsnprintf(line + used, LOG_LINE - (size_t)used, format, values);
    va_end(values);
    if (used > LOG_LINE - 2) used = LOG_LINE - 2;
    line[used++] = '\n';
    packet_log.used += (uint32_t)used;
}

/* --- numbers as text, each good until many more are made ------------------------------- */

static char *log_text(void) {
    static char texts[LOG_TEXTS][20 * WIDE_LIMBS + 8];
    static uint32_t next;
    return texts[next++ % LOG_TEXTS];
}

static const char *log_wide(struct wide value) {
    char *const text = log_text();
    int used = 0;
    for (int i = WIDE_LIMBS - 1; i >= 0; i--)
        if (used)
            used += sprintf(text + used, "%016llx", (unsigned long long)value.limb[i]);
        else if (value.limb[i] || i == 0)
            used = sprintf(text, "0x%llx", (unsigned long long)value.limb[i]);
    return text;
}

static const char *log_hex(u128 value) { return log_wide(wide_of_u(value)); }

static const char *log_decimal(u128 value, bool is_negative) {
    char *text = log_text() + 20 * WIDE_LIMBS;
    *text = '\0';
    do *--text = (char)('0' + (unsigned)(value % 10));
    while (value /= 10);
    if (is_negative) *--text = '-';
    return text;
}

static const char *log_unsigned(u128 value) { return log_decimal(value, false); }
static const char *log_signed(i128 value) {
    return log_decimal(value < 0 ? -(u128)value : (u128)value, value < 0);
}

#define LOG_MESSAGE(c, ...)                                                              \
    do {                                                                                 \
        if (packet_log.level <= LOG_LEVEL_INFO) log_line(c, "INFO", __VA_ARGS__);        \
    } while (0)

#ifdef TRACE

/* Where a packet comes along. */
#define DEBUG_LINE(c, ...)                                                               \
    do {                                                                                 \
        if (packet_log.level <= LOG_LEVEL_DEBUG) log_line(c, "DEBUG", __VA_ARGS__);      \
    } while (0)

/* And what it is there. */
#define TRACE_LINE(c, ...)                                                               \
    do {                                                                                 \
        if (packet_log.level <= LOG_LEVEL_TRACE) log_line(c, "TRACE", __VA_ARGS__);      \
    } while (0)

/* A line that ends with bytes of a packet, as many as fit. */
static void log_bytes(const struct context *c, const char *level, const char *what,
                      const uint8_t *bytes, uint32_t length) {
    char text[LOG_LINE / 2];
    uint32_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < length && used + 3 < sizeof text; i++)
        used += (uint32_t)sprintf(text + used, "%02x", bytes[i]);
    log_line(c, level, "%s%s", what, text);
}

#define DEBUG_BYTES(c, what, bytes, length)                                              \
    do {                                                                                 \
        if (packet_log.level <= LOG_LEVEL_DEBUG) log_bytes(c, "DEBUG", what, bytes, length); \
    } while (0)

#else
#define DEBUG_LINE(c, ...) ((void)0)
#define TRACE_LINE(c, ...) ((void)0)
#define DEBUG_BYTES(c, what, bytes, length) ((void)0)
#endif

#endif
