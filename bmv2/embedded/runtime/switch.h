/* The switch's thread: packets from all ports and queues through the program.
 *
 * Tables, arrays and replications are changed by other threads under `state_lock`, which
 * the switch's thread holds for one batch at a time.
 * What the program leaves in the ports' queues is this thread's alone.
 */
#ifndef SWITCH_H
#define SWITCH_H

#include <poll.h>
#include <pthread.h>

#include "ports.h"
#include "queues.h"
#include "trace.h"
#include "v1model.h"

#define BATCH 64

static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t turnstile = PTHREAD_MUTEX_INITIALIZER;
static struct queue virtual_in;
static pthread_t thread;
static bool is_running;
static bool must_stop;
static int wake = -1;

/* A mutex alone is not fair: who comes first waits at the turnstile, and the other, who
 * has just left, behind him. Nobody spins, and nobody yields: that costs a thread its
 * share of the processor. */
static void state_enter(void) {
    pthread_mutex_lock(&turnstile);
    pthread_mutex_lock(&state_lock);
    pthread_mutex_unlock(&turnstile);
}

static void state_leave(void) { pthread_mutex_unlock(&state_lock); }

/* Sends what a batch has left in the ports' queues, without the lock: it takes far longer
 * than the batch. */
static void end_batch(void) {
    state_leave();
    ports_flush();
    if (packet_log.used) log_flush();
}

static void process_frame(struct port *p, struct tpacket2_hdr *frame) {
    if (frame_is_outgoing(frame)) return;
    p->received++;
    p->received_bytes += frame->tp_len;
    if (frame->tp_len > frame->tp_snaplen || frame->tp_len > MAX_PACKET_BYTES - VLAN_BYTES) {
        p->too_long++;
        return;
    }
    uint32_t length;
    const uint8_t *bytes = frame_bytes(frame, &length);
    receive_packet(p->number, p, bytes, length);
}

static uint32_t process_port(struct port *p) {
    struct tpacket2_hdr *frames[BATCH];
    uint32_t count = 0;
    while (count < BATCH && (frames[count] = port_next(p))) count++;
    if (count == 0) return 0;
    state_enter();
    for (uint32_t i = 0; i < count; i++) process_frame(p, frames[i]);
    end_batch(); /* until then the payloads are in the ring */
    for (uint32_t i = 0; i < count; i++) port_release(frames[i]);
    return count;
}

static uint32_t process_virtual(void) {
    struct queued *const first = queue_take(&virtual_in, BATCH);
    if (!first) return 0;
    uint32_t count = 0;
    state_enter();
    for (struct queued *packet = first; packet; packet = packet->next, count++) {
        struct port *from = port_find(packet->port);
        if (from) from->received++, from->received_bytes += packet->length;
        receive_packet(packet->port, from, packet->bytes, packet->length);
    }
    end_batch();
    queue_free_list(first);
    return count;
}

static uint32_t process_loops(void) {
    if (!looped_first) return 0;
    state_enter();
    struct looped *packet = process_looped();
    end_batch();
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
        for (uint32_t i = 0; i < port_count; i++)
            if (!ports[i]->is_virtual) count += process_port(ports[i]);
        count += process_virtual();
        count += process_loops();
        if (count == 0) wait_for_packets(waits, waits_count);
    }
    return NULL;
}

#include "api.h"

#endif
