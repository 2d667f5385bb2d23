/* Packets between the switch's thread and everybody else. */
#ifndef QUEUES_H
#define QUEUES_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PACKETS_ROOM (64u << 20)
#define DIGESTS_ROOM (4u << 20)

struct queued {
    struct queued *next;
    uint32_t port, length;
    uint8_t bytes[];
};

/* A list in order, bounded in bytes. Its descriptor is readable while packets wait. */
struct queue {
    pthread_mutex_t lock;
    struct queued *first, **last;
    uint64_t bytes, room;
    uint64_t dropped;
    int event;
    bool is_signalled;
};

static int queue_open(struct queue *q, uint64_t room) {
    pthread_mutex_init(&q->lock, NULL);
    q->first = NULL;
    q->last = &q->first;
    q->room = room;
    q->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return q->event;
}

static void queue_signal(struct queue *q) {
    if (!q->is_signalled) {
        const uint64_t one = 1;
        q->is_signalled = write(q->event, &one, sizeof one) == sizeof one;
    }
}

/* Adds a packet of two parts. False when the bound is reached: the drop is counted. */
static bool queue_put(struct queue *q, uint32_t port, const void *head, uint32_t head_length,
                      const void *tail, uint32_t tail_length) {
    const uint32_t length = head_length + tail_length;
    struct queued *packet = malloc(sizeof *packet + length);
    pthread_mutex_lock(&q->lock);
    const bool has_room = packet && q->bytes + sizeof *packet + length <= q->room;
    if (has_room) {
        packet->next = NULL;
        packet->port = port;
        packet->length = length;
        if (head_length) memcpy(packet->bytes, head, head_length);
        if (tail_length) memcpy(packet->bytes + head_length, tail, tail_length);
        *q->last = packet;
        q->last = &packet->next;
        q->bytes += sizeof *packet + length;
        queue_signal(q);
    } else {
        q->dropped++;
    }
    pthread_mutex_unlock(&q->lock);
    if (!has_room) free(packet);
    return has_room;
}

/* Takes at most `most` packets as a list. */
static struct queued *queue_take(struct queue *q, uint32_t most) {
    pthread_mutex_lock(&q->lock);
    struct queued *first = q->first, **link = &first;
    for (uint32_t i = 0; i < most && *link; i++) {
        q->bytes -= sizeof **link + (*link)->length;
        link = &(*link)->next;
    }
    q->first = *link;
    *link = NULL;
    if (!q->first) {
        q->last = &q->first;
        uint64_t count;
        if (q->is_signalled && read(q->event, &count, sizeof count) == sizeof count)
            q->is_signalled = false;
    }
    pthread_mutex_unlock(&q->lock);
    return first;
}

/* Takes what waits, each as port, length (both uint32_t) and bytes, as much as fits into
 * `room`; the count of bytes. */
static uint64_t queue_read(struct queue *q, uint8_t *out, uint64_t room) {
    uint64_t used = 0;
    for (;;) {
        pthread_mutex_lock(&q->lock);
        const bool fits = q->first && used + 8 + q->first->length <= room;
        pthread_mutex_unlock(&q->lock);
        struct queued *packet = fits ? queue_take(q, 1) : NULL;
        if (!packet) break;
        memcpy(out + used, &packet->port, 4);
        memcpy(out + used + 4, &packet->length, 4);
        memcpy(out + used + 8, packet->bytes, packet->length);
        used += 8 + packet->length;
        free(packet);
    }
    return used;
}

static void queue_free_list(struct queued *packet) {
    while (packet) {
        struct queued *next = packet->next;
        free(packet);
        packet = next;
    }
}

static void queue_close(struct queue *q) {
    queue_free_list(q->first);
    q->first = NULL;
    if (q->event >= 0) close(q->event);
    q->event = -1;
}

#endif
