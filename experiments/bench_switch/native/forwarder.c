// The least that forwarding over AF_PACKET can cost: every packet that comes in on
// one interface goes out on the other, unread.
//
//   forwarder FROM TO
//
// Prints "ready", then runs until it is killed.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { BLOCK = 1 << 20, BLOCKS = 8, FRAME = 2048, FRAMES = BLOCK / FRAME * BLOCKS, BATCH = 32 };

static void die(const char *what)
{
    fprintf(stderr, "forwarder: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_socket(const char *interface, int protocol)
{
    int handle = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(protocol),
        .sll_ifindex = if_nametoindex(interface)};
    if (handle < 0)
        die("socket");
    int one = 1;
    if (protocol == 0) {
        if (setsockopt(handle, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
            die("PACKET_QDISC_BYPASS");
    } else {
        int version = TPACKET_V2;
        struct tpacket_req request = {BLOCK, BLOCKS, FRAME, FRAMES};
        setsockopt(handle, SOL_PACKET, PACKET_VERSION, &version, sizeof version);
        setsockopt(handle, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
        if (setsockopt(handle, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
            die("PACKET_RX_RING");
    }
    if (address.sll_ifindex == 0 || bind(handle, (void *)&address, sizeof address) < 0)
        die(interface);
    return handle;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: forwarder FROM TO\n");
        return 2;
    }
    int from = open_socket(argv[1], ETH_P_ALL), to = open_socket(argv[2], 0);
    uint8_t *ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, from, 0);
    if (ring == MAP_FAILED)
        die("mmap");
    puts("ready");
    fflush(stdout);

    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    struct tpacket2_hdr *taken[BATCH];
    memset(messages, 0, sizeof messages);
    for (unsigned next = 0;;) {
        unsigned count = 0;
        while (count < BATCH) {
            struct tpacket2_hdr *header = (void *)(ring + (size_t)next * FRAME);
            if (!(__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
                break;
            vectors[count] = (struct iovec){(uint8_t *)header + header->tp_mac, header->tp_snaplen};
            messages[count].msg_hdr.msg_iov = &vectors[count];
            messages[count].msg_hdr.msg_iovlen = 1;
            taken[count++] = header;
            next = (next + 1) % FRAMES;
        }
        if (count == 0) {
            poll(&(struct pollfd){.fd = from, .events = POLLIN}, 1, -1);
            continue;
        }
        for (unsigned done = 0; done < count;) {
            int sent = sendmmsg(to, messages + done, count - done, 0);
            if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
                die("sendmmsg");
            done += sent > 0 ? sent : 1;
        }
        for (unsigned i = 0; i < count; i++)
            __atomic_store_n(&taken[i]->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    }
}
