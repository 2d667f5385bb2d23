// Headers on the wire, and the metadata that the controls hand to each other.

#ifndef UHAUL_HEADERS_P4
#define UHAUL_HEADERS_P4

typedef bit<9> port_t;
typedef bit<8> instance_t;   // an NF instance; 0 is none
typedef bit<8> group_t;      // an NF group; 0 is none
typedef bit<32> migration_t;
typedef bit<48> timestamp_t; // microseconds since the switch started
typedef bit<48> mac_t;
typedef bit<32> ipv4_address_t;

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP = 0x0806;
const bit<8> PROTOCOL_ICMP = 1;
const bit<8> PROTOCOL_TCP = 6;
const bit<8> PROTOCOL_UDP = 17;
const bit<8> ICMP_ECHO_REPLY = 0;
const bit<8> ICMP_ECHO_REQUEST = 8;
const bit<16> ARP_REQUEST = 1;
const bit<16> ARP_REPLY = 2;
const instance_t NO_INSTANCE = 0;
const group_t NO_GROUP = 0;

@controller_header("packet_in")
header packet_in_t {
    bit<8> reason;        // PACKET_IN_*
    instance_t instance;  // the instance that bounced it, or none
    port_t ingress_port;
    bit<7> pad;
    migration_t migration;
    bit<32> sequence;     // one more than that of the packet_in before it
}

@controller_header("packet_out")
header packet_out_t {
    bit<8> kind;          // PACKET_OUT_*
    instance_t instance;  // for a release or a marker
    port_t egress_port;   // for PACKET_OUT_PORT
    bit<7> pad;
    migration_t migration;
}

header ethernet_t {
    mac_t destination;
    mac_t source;
    bit<16> ether_type;
}

header arp_t {
    bit<16> hardware_type;
    bit<16> protocol_type;
    bit<8> hardware_length;
    bit<8> protocol_length;
    bit<16> operation;
    mac_t sender_mac;
    ipv4_address_t sender_address;
    mac_t target_mac;
    ipv4_address_t target_address;
}

header ipv4_t {
    bit<4> version;
    bit<4> ihl;
    bit<8> tos;
    bit<16> total_length;
    bit<16> identification;
    bit<1> reserved;
    bit<1> dont_fragment;
    bit<1> more_fragments;
    bit<13> fragment_offset;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    ipv4_address_t source;
    ipv4_address_t destination;
}

header ipv4_options_t {
    varbit<320> options;
}

header tcp_t {
    bit<16> source_port;
    bit<16> destination_port;
    bit<32> sequence;
    bit<32> acknowledgement;
    bit<4> data_offset;
    bit<4> reserved;
    bit<1> cwr;
    bit<1> ece;
    bit<1> urg;
    bit<1> ack;
    bit<1> psh;
    bit<1> rst;
    bit<1> syn;
    bit<1> fin;
    bit<16> window;
    bit<16> checksum;
    bit<16> urgent_pointer;
}

header udp_t {
    bit<16> source_port;
    bit<16> destination_port;
    bit<16> length;
    bit<16> checksum;
}

header icmp_t {
    bit<8> type;
    bit<8> code;
    bit<16> checksum;
    bit<16> identifier;
    bit<16> sequence;
}

struct headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
    arp_t arp;
    ipv4_t ipv4;
    ipv4_options_t ipv4_options;
    tcp_t tcp;
    udp_t udp;
    icmp_t icmp;
}

// Both directions of a connection give the same key: the endpoint with the
// lower address (then the lower port) comes first.
struct flow_key_t {
    ipv4_address_t low_address;
    ipv4_address_t high_address;
    bit<16> low_port;
    bit<16> high_port;
    bit<8> protocol;
}

struct flow_t {
    flow_key_t key;
    bool from_low;      // this packet was sent by the low endpoint
    bit<32> hash;       // of the key, by CRC-32: its slices serve bucket and way 0
    bit<16> alternate;  // of the key, by CRC-16: way 1
}

struct timers_t {
    timestamp_t activity_window;
    timestamp_t affinity_timeout;
}

// What steering has decided about a packet. Neither field set: it drops.
struct verdict_t {
    bool hold;
    migration_t migration;
    instance_t instance;
}

struct metadata_t {
    flow_t flow;
    timers_t timers;
    verdict_t verdict;
    group_t group;
    instance_t from_instance;  // the instance whose port the packet came in by
}

#endif
