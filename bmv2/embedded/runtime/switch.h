/* The switch's thread: packets from all ports and queues through the program.
 *
 * Tables, arrays and replications are changed by other threads under `state_lock`, which
 * the switch's thread holds for one batch at a time and hands over when somebody waits.
 */
#ifndef SWITCH_H
#define SWITCH_H

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "queues.h"
/* Queues first, ports next: each part only knows the ones above it. */
#include "ports.h"
#include "v1model.h"

#define BATCH 64

static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t state_waiting;
static struct queue virtual_in;
static pthread_t thread;
static bool is_running;
static bool must_stop;
static int wake = -1;

static void state_enter(void) {
    __atomic_add_fetch(&state_waiting, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&state_lock);
    __atomic_sub_fetch(&state_waiting, 1, __ATOMIC_SEQ_CST);
}

static void state_leave(void) { pthread_mutex_unlock(&state_lock); }

/* Lets those go first who have waited during a batch: a mutex alone is not fair. */
static void state_hand_over(void) {
    while (__atomic_load_n(&state_waiting, __ATOMIC_SEQ_CST)) sched_yield();
}

static uint32_t process_port(struct port *p) {
    struct tpacket2_hdr *frames[BATCH];
    uint32_t count = 0;
    while (count < BATCH) {
        struct tpacket2_hdr *frame = port_next(p);
        if (!frame) break;
        frames[count++] = frame;
        if (frame_is_outgoing(frame)) continue;
        p->received++;
        p->received_bytes += frame->tp_len;
        if (frame->tp_len > frame->tp_snaplen) {
            p->too_long++;
            continue;
        }
        uint32_t length;
        const uint8_t *bytes = frame_bytes(frame, &length);
        receive_packet(p->number, bytes, length);
    }
    if (count == 0) return 0;
    ports_flush(); /* the payloads are still in the ring */
    for (uint32_t i = 0; i < count; i++) port_release(frames[i]);
    return count;
}

static uint32_t process_virtual(void) {
    struct queued *const first = queue_take(&virtual_in, BATCH);
    uint32_t count = 0;
    for (struct queued *packet = first; packet; packet = packet->next, count++)
        receive_packet(packet->port, packet->bytes, packet->length);
    if (count) ports_flush();
    queue_free_list(first);
    return count;
}

static uint32_t process_loops(void) {
    if (!looped_first) return 0;
    struct looped *packet = process_looped();
    ports_flush();
    uint32_t count = 0;
    for (struct looped *next; packet; packet = next, count++) {
        next = packet->next;
        free(packet);
    }
    return count;
}

static void clear_error(int fd) {
    int error;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

/* Sleeps until a packet comes, or until the switch is to stop. */
static void wait_for_packets(struct pollfd *waits, uint32_t count) {
    if (poll(waits, count, -1) <= 0) return;
    for (uint32_t i = 0; i < count; i++)
        if (waits[i].revents & POLLERR) clear_error(waits[i].fd); /* an interface went down */
}

static void *run(void *unused) {
    (void)unused;
    struct pollfd waits[MAX_PORTS + 2] = {{.fd = wake, .events = POLLIN},
                                          {.fd = virtual_in.event, .events = POLLIN}};
    uint32_t waits_count = 2;
    for (uint32_t i = 0; i < port_count; i++)
        if (!ports[i]->is_virtual)
            waits[waits_count++] = (struct pollfd){.fd = ports[i]->receiver, .events = POLLIN};
    while (!__atomic_load_n(&must_stop, __ATOMIC_ACQUIRE)) {
        uint32_t count = 0;
        pthread_mutex_lock(&state_lock);
        for (uint32_t i = 0; i < port_count; i++)
            if (!ports[i]->is_virtual) count += process_port(ports[i]);
        count += process_virtual();
        count += process_loops();
        pthread_mutex_unlock(&state_lock);
        state_hand_over();
        if (count == 0) wait_for_packets(waits, waits_count);
    }
    return NULL;
}

#include "api.h"

#endif
