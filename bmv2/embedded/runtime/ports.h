/* Network interfaces: packets in through a ring shared with the kernel, out in batches. */
#ifndef PORTS_H
#define PORTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PORTS 512
#define RING_BYTES (16u << 20) /* of an instance too, so that a port takes all it gives back */
#define BLOCK_BYTES (1u << 18)
#define SLOTS 128
#define VLAN_BYTES 4
#define RESERVE 32

/* Why a packet that came in leaves by no port. */
enum fate {
    FATE_INGRESS_DROP,
    FATE_EGRESS_DROP,
    FATE_NO_GROUP, /* of multicast */
    FATE_NO_PORT,
    FATE_LOOP_FULL, /* too many are resubmitted, recirculated or cloned at once */
    FATE_ASSERT,
    FATE_TOO_LARGE, /* it has grown while it went round */
    FATE_COUNT,
};

struct port {
    uint32_t number;
    bool is_virtual; /* its packets go to a queue */
    int receiver, sender;
    uint8_t *ring;
    uint32_t frame_bytes, frames_a_block, frame_count, next_frame;
    size_t ring_bytes;
    uint32_t pending;
    struct mmsghdr messages[SLOTS];
    struct iovec parts[SLOTS][2];
    uint8_t (*headers)[MAX_HEADER_BYTES]; /* a row for each slot; virtual ports use one */
    uint64_t received, received_bytes, sent, sent_bytes, too_long, ring_full, send_errors;
    uint64_t fates[FATE_COUNT];
    TRACED(int record_in, record_out;)
};

static struct port *ports[MAX_PORTS];
static uint32_t port_count;

static struct port *port_find(uint32_t number) {
    for (uint32_t i = 0; i < port_count; i++)
        if (ports[i]->number == number) return ports[i];
    return NULL;
}

static void port_close(struct port *p) {
    if (p->ring && p->ring != MAP_FAILED) munmap(p->ring, p->ring_bytes);
    if (p->receiver >= 0) close(p->receiver);
    if (p->sender >= 0) close(p->sender);
    free(p->headers);
    free(p);
}

static int bind_socket(int fd, int protocol, unsigned index) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons((uint16_t)protocol),
                                  .sll_ifindex = (int)index};
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

static int interface_mtu(int fd, const char *name) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return ioctl(fd, SIOCGIFMTU, &request) < 0 ? -1 : request.ifr_mtu;
}

static int open_receiver(struct port *p, const char *name, unsigned index) {
    const int one = 1, version = TPACKET_V2, reserve = RESERVE;
    p->receiver = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (p->receiver < 0) return -1;
    const int mtu = interface_mtu(p->receiver, name);
    if (mtu < 0) return -1;
    p->frame_bytes = 2048;
    const uint32_t needed = TPACKET_ALIGN(TPACKET2_HDRLEN) + RESERVE + 64 + (uint32_t)mtu;
    while (p->frame_bytes < needed) p->frame_bytes *= 2;
    const struct tpacket_req request = {
        .tp_block_size = BLOCK_BYTES,
        .tp_block_nr = RING_BYTES / BLOCK_BYTES,
        .tp_frame_size = p->frame_bytes,
        .tp_frame_nr = RING_BYTES / p->frame_bytes,
    };
    const struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(p->receiver, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0 ||
        setsockopt(p->receiver, SOL_PACKET, PACKET_RESERVE, &reserve, sizeof reserve) < 0 ||
        setsockopt(p->receiver, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        return -1;
    p->ring_bytes = (size_t)request.tp_block_size * request.tp_block_nr;
    p->frame_count = request.tp_frame_nr;
    p->frames_a_block = request.tp_block_size / request.tp_frame_size;
    p->ring = mmap(NULL, p->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->receiver, 0);
    if (p->ring == MAP_FAILED) return -1;
    /* Older kernels do not know it; what the switch sends is then skipped by its type. */
    setsockopt(p->receiver, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    if (setsockopt(p->receiver, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
                   sizeof promiscuous) < 0)
        return -1;
    return bind_socket(p->receiver, ETH_P_ALL, index);
}

static int open_sender(struct port *p, unsigned index) {
    const int one = 1, buffer = 4 << 20;
    p->sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (p->sender < 0) return -1;
    setsockopt(p->sender, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    setsockopt(p->sender, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    return bind_socket(p->sender, 0, index);
}

/* Opens a port on an interface of this network namespace, or a virtual one where the name
 * is NULL. Zero, or an errno. */
static int port_open(uint32_t number, const char *name) {
    if (port_count == MAX_PORTS) return EMFILE;
    const uint32_t rows = name ? SLOTS : 1;
    struct port *p = calloc(1, sizeof *p);
    uint8_t(*headers)[MAX_HEADER_BYTES] = calloc(rows, sizeof *headers);
    if (!p || !headers) {
        free(p);
        free(headers);
        return ENOMEM;
    }
    p->number = number;
    p->headers = headers;
    p->receiver = p->sender = -1;
    TRACED(p->record_in = p->record_out = -1;)
    p->is_virtual = name == NULL;
    if (name) {
        const unsigned index = if_nametoindex(name);
        if (index == 0 || open_receiver(p, name, index) < 0 || open_sender(p, index) < 0) {
            const int error = errno ? errno : ENODEV;
            port_close(p);
            return error;
        }
    }
    for (uint32_t i = 0; i < rows; i++) {
        p->messages[i].msg_hdr.msg_iov = p->parts[i];
        p->parts[i][0].iov_base = p->headers[i];
    }
    ports[port_count++] = p;
    return 0;
}

/* --- in ------------------------------------------------------------------------------ */

static struct tpacket2_hdr *port_frame(const struct port *p, uint32_t number) {
    return (struct tpacket2_hdr *)(p->ring + (size_t)(number / p->frames_a_block) * BLOCK_BYTES +
                                   (size_t)(number % p->frames_a_block) * p->frame_bytes);
}

/* The next frame that the kernel has filled, or NULL. It stays ours until it is released. */
static struct tpacket2_hdr *port_next(struct port *p) {
    struct tpacket2_hdr *frame = port_frame(p, p->next_frame);
    if (!(__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) return NULL;
    p->next_frame = p->next_frame + 1 == p->frame_count ? 0 : p->next_frame + 1;
    return frame;
}

static void port_release(struct tpacket2_hdr *frame) {
    __atomic_store_n(&frame->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* The bytes of a frame. The kernel takes a VLAN tag out of them; here it is put back. */
static const uint8_t *frame_bytes(struct tpacket2_hdr *frame, uint32_t *length) {
    uint8_t *bytes = (uint8_t *)frame + frame->tp_mac;
    *length = frame->tp_snaplen;
    if (!(frame->tp_status & TP_STATUS_VLAN_VALID) || *length < 12) return bytes;
    const uint16_t type =
        frame->tp_status & TP_STATUS_VLAN_TPID_VALID ? frame->tp_vlan_tpid : ETH_P_8021Q;
    memmove(bytes - VLAN_BYTES, bytes, 12);
    bytes[8] = (uint8_t)(type >> 8);
    bytes[9] = (uint8_t)type;
    bytes[10] = (uint8_t)(frame->tp_vlan_tci >> 8);
    bytes[11] = (uint8_t)frame->tp_vlan_tci;
    *length += VLAN_BYTES;
    return bytes - VLAN_BYTES;
}

/* Counts the packets that have found the ring full since the last call. */
static void port_count_drops(struct port *p) {
    struct tpacket_stats found;
    socklen_t size = sizeof found;
    if (!p->is_virtual &&
        getsockopt(p->receiver, SOL_PACKET, PACKET_STATISTICS, &found, &size) == 0)
        p->ring_full += found.tp_drops;
}

static bool frame_is_outgoing(const struct tpacket2_hdr *frame) {
    const struct sockaddr_ll *address =
        (const void *)((const uint8_t *)frame + TPACKET_ALIGN(sizeof *frame));
    return address->sll_pkttype == PACKET_OUTGOING;
}

/* --- out ----------------------------------------------------------------------------- */

/* Sends what waits. A packet that the kernel refuses is counted and left out. */
static void port_flush(struct port *p) {
    for (uint32_t done = 0; done < p->pending;) {
        const int count = sendmmsg(p->sender, p->messages + done, p->pending - done, 0);
        if (count > 0) {
            for (int i = 0; i < count; i++) p->sent_bytes += p->messages[done + (uint32_t)i].msg_len;
            p->sent += (uint32_t)count;
            done += (uint32_t)count;
        } else if (errno != EINTR) {
            p->send_errors++;
            done++;
        }
    }
    p->pending = 0;
}

static void ports_flush(void) {
    for (uint32_t i = 0; i < port_count; i++)
        if (ports[i]->pending) port_flush(ports[i]);
}

/* Room for the headers of the next packet of a port. */
static uint8_t *port_slot(struct port *p) {
    if (p->pending == SLOTS) port_flush(p);
    return p->headers[p->pending];
}

/* Queues the packet whose headers are in the slot. The payload must stay until the flush. */
static void port_send(struct port *p, uint32_t head, const uint8_t *payload, uint32_t tail) {
    const uint32_t i = p->pending++;
    p->parts[i][0].iov_len = head;
    p->parts[i][1] = (struct iovec){(void *)(uintptr_t)payload, tail};
    p->messages[i].msg_hdr.msg_iovlen = tail ? 2 : 1;
}

#endif
