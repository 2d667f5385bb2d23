// Sends UDP packets of many flows on an interface, at a rate.
//
//   generator INTERFACE FRAME_BYTES PACKETS_PER_S SECONDS FLOWS SRC_MAC DST_MAC SRC_IP DST_IP
//
// Prints the number of packets sent. Rate 0: as fast as it can.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 16, HEADERS = 14 + 20 + 8 };

static void die(const char *what)
{
    fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static void make_frame(uint8_t *frame, unsigned size, unsigned flow, char **argv)
{
    memcpy(frame, ether_aton(argv[7]), 6);
    memcpy(frame + 6, ether_aton(argv[6]), 6);
    put16(frame + 12, 0x0800);
    uint8_t *ip = frame + 14;
    ip[0] = 0x45;
    put16(ip + 2, size - 14);
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = 17;
    inet_pton(AF_INET, argv[8], ip + 12);
    inet_pton(AF_INET, argv[9], ip + 16);
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

int main(int argc, char **argv)
{
    if (argc != 10) {
        fprintf(stderr, "generator: wrong number of arguments\n");
        return 2;
    }
    unsigned size = atoi(argv[2]), flows = atoi(argv[5]);
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    if (size < HEADERS || flows == 0) {
        fprintf(stderr, "generator: frames of %u bytes in %u flows\n", size, flows);
        return 2;
    }
    int handle = socket(AF_PACKET, SOCK_RAW, 0);
    if (handle < 0)
        die("socket");
    int one = 1;
    if (setsockopt(handle, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
        die("PACKET_QDISC_BYPASS");
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(argv[1])};
    if (address.sll_ifindex == 0 || bind(handle, (void *)&address, sizeof address) < 0)
        die(argv[1]);

    uint8_t *frames = calloc(flows, size);
    struct iovec *vectors = calloc(flows + BATCH, sizeof *vectors);
    struct mmsghdr *messages = calloc(flows + BATCH, sizeof *messages);
    if (!frames || !vectors || !messages)
        die("calloc");
    for (unsigned i = 0; i < flows + BATCH; i++) {
        unsigned flow = i % flows;
        if (i < flows)
            make_frame(frames + (size_t)flow * size, size, flow, argv);
        vectors[i] = (struct iovec){frames + (size_t)flow * size, size};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }

    double begin = now_s(), elapsed = 0;
    uint64_t sent = 0;
    while ((elapsed = now_s() - begin) < seconds) {
        if (rate > 0 && sent >= rate * elapsed) {
            double ahead = (sent + BATCH) / rate - elapsed;
            if (ahead > 100e-6)
                nanosleep(&(struct timespec){0, 50000}, NULL);
            continue;
        }
        int count = sendmmsg(handle, messages + sent % flows, BATCH, 0);
        if (count < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            die("sendmmsg");
        sent += count > 0 ? count : 1;
    }
    printf("%llu\n", (unsigned long long)sent);
    return 0;
}
