// Sends UDP packets of many flows on one interface, at a rate, and times those that come
// out of another.
//
//   traffic FROM TO FRAME_BYTES PACKETS_PER_S SECONDS FLOWS BURST SRC_MAC DST_MAC SRC_IP DST_IP
//
// Prints the number of packets sent, and the latency of some that arrived, in
// microseconds: median and 99th percentile, or two dashes when none did. A burst of 1
// spaces packets evenly, which is what latency is measured with.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

enum {
    HEADERS = 14 + 20 + 8,
    MAGIC = 0x50524f42,  // in front of a probe's payload; its time follows
    PROBE_BYTES = HEADERS + 4 + 8,
    PROBE_EVERY = 64,
    MAX_BURST = 64,
    BLOCK = 1 << 20,
    BLOCKS = 16,
    FRAME = 256,
    FRAMES = BLOCK / FRAME * BLOCKS
};

static void die(const char *what)
{
    fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
    exit(1);
}

// The kernel's receive timestamps are of this clock.
static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static void make_frame(uint8_t *frame, unsigned size, unsigned flow, char **argv)
{
    memcpy(frame, ether_aton(argv[9]), 6);
    memcpy(frame + 6, ether_aton(argv[8]), 6);
    put16(frame + 12, 0x0800);
    uint8_t *ip = frame + 14;
    ip[0] = 0x45;
    put16(ip + 2, size - 14);
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = 17;
    inet_pton(AF_INET, argv[10], ip + 12);
    inet_pton(AF_INET, argv[11], ip + 16);
    unsigned long sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += ip[i] << 8 | ip[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~sum & 0xffff);
    put16(ip + 20, 10000 + flow);
    put16(ip + 22, 9);
    put16(ip + 24, size - 14 - 20);  // UDP checksum 0: none
}

static int open_sender(const char *interface)
{
    int handle = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
    if (handle < 0)
        die("socket");
    if (setsockopt(handle, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
        die("PACKET_QDISC_BYPASS");
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface)};
    if (address.sll_ifindex == 0 || bind(handle, (void *)&address, sizeof address) < 0)
        die(interface);
    return handle;
}

// A ring that takes probes only: what it costs to receive is paid by the switch's core.
static uint8_t *open_receiver(const char *interface)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, HEADERS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAGIC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, PROBE_BYTES),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    struct tpacket_req request = {BLOCK, BLOCKS, FRAME, FRAMES};
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = if_nametoindex(interface)};
    int handle = socket(AF_PACKET, SOCK_RAW, 0), version = TPACKET_V2;
    if (handle < 0)
        die("socket");
    if (setsockopt(handle, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0)
        die("SO_ATTACH_FILTER");
    if (setsockopt(handle, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0
        || setsockopt(handle, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        die("PACKET_RX_RING");
    uint8_t *ring =
        mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    if (ring == MAP_FAILED)
        die("mmap");
    if (address.sll_ifindex == 0 || bind(handle, (void *)&address, sizeof address) < 0)
        die(interface);
    return ring;
}

static int compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void print_latency(const uint8_t *ring)
{
    static uint64_t delays[FRAMES];
    unsigned count = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        const struct tpacket2_hdr *header = (const void *)(ring + (size_t)i * FRAME);
        uint64_t sent;
        if (!(header->tp_status & TP_STATUS_USER))
            continue;
        memcpy(&sent, (const uint8_t *)header + header->tp_mac + HEADERS + 4, sizeof sent);
        delays[count++] = header->tp_sec * 1000000000ull + header->tp_nsec - sent;
    }
    qsort(delays, count, sizeof *delays, compare);
    if (count == 0)
        printf(" - -\n");
    else
        printf(" %.1f %.1f\n", delays[count / 2] / 1e3, delays[count * 99ull / 100] / 1e3);
}

int main(int argc, char **argv)
{
    if (argc != 12) {
        fprintf(stderr, "traffic: wrong number of arguments\n");
        return 2;
    }
    unsigned size = atoi(argv[3]), flows = atoi(argv[6]), burst = atoi(argv[7]);
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    if (size < PROBE_BYTES || flows == 0 || burst == 0 || burst > MAX_BURST || rate <= 0) {
        fprintf(stderr, "traffic: frames of %u bytes in %u flows, bursts of %u\n", size, flows,
                burst);
        return 2;
    }
    int handle = open_sender(argv[1]);
    uint8_t *ring = open_receiver(argv[2]);

    uint8_t *frames = calloc(flows, size);
    struct iovec *vectors = calloc(flows + MAX_BURST, sizeof *vectors);
    struct mmsghdr *messages = calloc(flows + MAX_BURST, sizeof *messages);
    if (!frames || !vectors || !messages)
        die("calloc");
    for (unsigned i = 0; i < flows + MAX_BURST; i++) {
        unsigned flow = i % flows;
        if (i < flows)
            make_frame(frames + (size_t)flow * size, size, flow, argv);
        vectors[i] = (struct iovec){frames + (size_t)flow * size, size};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }

    const uint64_t begin = now_ns();
    const double per_ns = rate / 1e9;
    const uint32_t magic = htonl(MAGIC), no_magic = 0;
    uint64_t sent = 0, next_probe = 0, now;
    while ((now = now_ns()) - begin < seconds * 1e9) {
        double due = (now - begin) * per_ns;
        if (sent >= due) {
            // Bursts leave time to sleep; evenly spaced packets do not.
            if (burst > 1 && (sent - due) / rate > 100e-6)
                nanosleep(&(struct timespec){0, 50000}, NULL);
            continue;
        }
        uint8_t *first = frames + sent % flows * size + HEADERS;
        const int is_probe = sent >= next_probe;
        if (is_probe) {
            memcpy(first, &magic, sizeof magic);
            memcpy(first + 4, &now, sizeof now);
            next_probe = sent + PROBE_EVERY;
        }
        int count = sendmmsg(handle, messages + sent % flows, burst, 0);
        if (count < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            die("sendmmsg");
        if (is_probe)
            memcpy(first, &no_magic, sizeof no_magic);
        sent += count > 0 ? count : 1;
    }
    printf("%llu", (unsigned long long)sent);
    fflush(stdout);
    nanosleep(&(struct timespec){0, 50000000}, NULL);  // the last ones are still on their way
    print_latency(ring);
    return 0;
}
