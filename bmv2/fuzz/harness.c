/* Fuzzes one program: packets, found by coverage, through its code in this process.
 *
 * The program's translation unit is compiled with -fsanitize-coverage=trace-pc,trace-cmp; this
 * one is not. Each block of packets runs in a child of its own, on a switch as it was when it
 * had just been prepared: what a block did before is all that a crash depends on.
 *
 *     fuzzer run INPUTS SEED SECONDS CRASH    fuzz; exit code 1 and the file CRASH on a crash
 *     fuzzer replay INPUTS                    run the updates and packets of a file once
 *
 * INPUTS is text: `setup N` (tables and groups are filled in the Nth way), `update N` (its Nth
 * call is done once more), `packet PORT HEX`, and `word HEX`, which packets may contain.
 */
#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coverage.h"
#include "mutation.h"

/* Of the runtime's api.h. */
int switch_prepare(void);
int switch_add_port(uint32_t number, const char *interface);
int switch_send(uint32_t port, const uint8_t *bytes, uint32_t length);
int switch_process(uint64_t most);
uint64_t switch_receive(uint8_t *out, uint64_t room);
uint64_t switch_receive_digests(uint8_t *out, uint64_t room);
void switch_stop(void);
void switch_release(void);

/* Generated, at the end of the program's translation unit. */
extern const uint32_t setup_count, setup_sizes[], setup_port_count, setup_ports[];
bool setup_update(uint32_t setup, uint32_t number, bool is_first);

#define BLOCK 256           /* packets on one switch */
#define BLOCK_SECONDS 20    /* one that takes longer hangs */
#define MAX_PASSES 4096     /* of a packet and its copies */
#define MAX_INPUTS 4096

/* What the children leave for their parent and for each other. */
static struct shared {
    struct coverage coverage;
    uint64_t executions;
    uint32_t setup;
    uint32_t input_count, done_count;
    struct input inputs[MAX_INPUTS];
    struct input done[BLOCK]; /* by the block, in order */
} *shared;

/* The program's clock: the same at each replay, mostly slow, now and then seconds ahead. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    static uint64_t ns = 1000000000u, state;
    const uint64_t value = next_random(&state);
    ns += value % 64 == 0 ? value % 4000000000u : value % 50000;
    (void)clock;
    *now = (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    return 0;
}

/* --- execution ------------------------------------------------------------------------- */

static void check(bool is_right, const char *what) {
    if (is_right) return;
    fprintf(stderr, "ERROR: harness: %s\n", what);
    abort();
}

static void start_switch(uint32_t setup) {
    check(switch_prepare() == 0, "the switch cannot be prepared");
    for (uint32_t i = 0; i < setup_port_count; i++)
        check(switch_add_port(setup_ports[i], NULL) == 0, "no port can be added");
    for (uint32_t i = 0; i < setup_sizes[setup]; i++)
        check(setup_update(setup, i, true), "an update does not do what it did before");
}

static void stop_switch(void) {
    switch_stop();
    switch_release();
}

/* False when the packet would go round for ever. */
static bool execute(const struct input *in) {
    static uint8_t room[1 << 20];
    if (in->kind == UPDATE) {
        setup_update(shared->setup, in->number, false);
        return true;
    }
    check(switch_send(in->number, in->bytes, in->length) == 0, "a packet finds no room");
    const bool is_done = switch_process(MAX_PASSES) == 0;
    while (switch_receive(room, sizeof room) + switch_receive_digests(room, sizeof room) > 0)
        continue;
    return is_done;
}

static void choose(struct input *in) {
    if (setup_sizes[shared->setup] && below(64) == 0) {
        *in = (struct input){.kind = UPDATE, .number = below(setup_sizes[shared->setup])};
        return;
    }
    const struct input *from = &shared->inputs[below(shared->input_count)];
    memcpy(in, from, offsetof(struct input, bytes) + from->length);
    for (uint32_t times = 1u << below(5); times > 0; times--)
        mutate(in, &shared->inputs[below(shared->input_count)],
               setup_ports[below(setup_port_count)]);
}

/* In a child. As they are, first, in the first blocks: what the others start from. */
static void run_block(uint64_t number) {
    alarm(BLOCK_SECONDS);
    start_switch(shared->setup);
    const uint32_t given = shared->input_count;
    for (uint32_t i = 0; i < BLOCK; i++) {
        struct input *in = &shared->done[i];
        if (number < setup_count && i < given)
            *in = shared->inputs[i];
        else
            choose(in);
        is_new_path();
        shared->done_count = i + 1;
        const bool is_done = execute(in);
        shared->executions++;
        if (is_new_path() && in->kind == PACKET && shared->input_count < MAX_INPUTS)
            shared->inputs[shared->input_count++] = *in;
        if (!is_done) break;
    }
    stop_switch();
}

/* --- files ----------------------------------------------------------------------------- */

static uint32_t read_hex(const char *text, uint8_t *bytes, uint32_t room) {
    uint32_t count = 0;
    for (unsigned value; count < room && isxdigit(text[0]) && sscanf(text, "%2x", &value) == 1;
         text += 2)
        bytes[count++] = (uint8_t)value;
    return count;
}

static void read_inputs(const char *path) {
    static char line[2 * MAX_LENGTH + 64];
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof line, file)) {
        struct input *in = &shared->inputs[shared->input_count];
        int end = 0;
        if (sscanf(line, "setup %" SCNu32, &shared->setup) == 1) {
            shared->setup %= setup_count;
        } else if (strncmp(line, "word ", 5) == 0 && word_count < MAX_WORDS) {
            struct word *word = &words[word_count++];
            word->length = read_hex(line + 5, word->bytes, MAX_WORD_BYTES);
        } else if (shared->input_count < MAX_INPUTS) {
            if (sscanf(line, "update %" SCNu32, &in->number) == 1) {
                in->kind = UPDATE;
                shared->input_count++;
            } else if (sscanf(line, "packet %" SCNu32 " %n", &in->number, &end) == 1) {
                in->kind = PACKET;
                in->length = read_hex(line + end, in->bytes, MAX_LENGTH);
                shared->input_count++;
            }
        }
    }
    fclose(file);
}

/* What the block did up to its crash. */
static void write_crash(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        exit(2);
    }
    fprintf(file, "setup %" PRIu32 "\n", shared->setup);
    for (uint32_t i = 0; i < shared->done_count; i++) {
        const struct input *in = &shared->done[i];
        fprintf(file, "%s %" PRIu32 " ", in->kind == UPDATE ? "update" : "packet", in->number);
        for (uint32_t j = 0; j < in->length; j++) fprintf(file, "%02x", in->bytes[j]);
        fputc('\n', file);
    }
    fclose(file);
}

/* --- the commands ---------------------------------------------------------------------- */

static double monotonic_s(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fuzz(uint64_t seed, double seconds, const char *crash_path) {
    bool has_crashed = false;
    const double end = monotonic_s() + seconds;
    check(shared->input_count > 0, "there is no packet to start from");
    for (uint64_t block = 0; !has_crashed && (block < setup_count || monotonic_s() < end); block++) {
        shared->setup = (uint32_t)(block % setup_count);
        shared->done_count = 0;
        random_state = seed ^ block * 0x2545f4914f6cdd1du;
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            run_block(block);
            exit(0); /* looks for leaks */
        }
        int status = 1;
        check(child > 0 && waitpid(child, &status, 0) == child, "there can be no child");
        has_crashed = status != 0;
        if (WIFSIGNALED(status))
            fprintf(stderr, "ERROR: ended by signal %d: %s\n", WTERMSIG(status),
                    WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    }
    if (has_crashed) write_crash(crash_path);
    printf("%" PRIu64 " %" PRIu32 " %" PRIu32 "\n", shared->executions, coverage->edges,
           shared->input_count);
    return has_crashed;
}

static int replay(void) {
    alarm(BLOCK_SECONDS);
    start_switch(shared->setup);
    for (uint32_t i = 0; i < shared->input_count; i++)
        if (!execute(&shared->inputs[i])) break;
    stop_switch();
    return 0;
}

int main(int count, char **arguments) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    coverage = &shared->coverage;
    if (count == 6 && strcmp(arguments[1], "run") == 0) {
        read_inputs(arguments[2]);
        return fuzz(strtoull(arguments[3], NULL, 10), strtod(arguments[4], NULL), arguments[5]);
    }
    if (count == 3 && strcmp(arguments[1], "replay") == 0) {
        read_inputs(arguments[2]);
        return replay();
    }
    fprintf(stderr, "usage: %s run INPUTS SEED SECONDS CRASH | replay INPUTS\n", arguments[0]);
    return 2;
}
