/* The native protocol's commonest question answered in C over UDP: the yardstick for bench/peers.py, and no server.
 *
 *     udp_lookup PORT RECORDS
 *
 * RECORDS holds, one after the other: the length of a name, that of its answer (little-endian, 32 bits), the name, the
 * answer as a whole message. A datagram's name is looked for in a hash table, the answer is sent back with the request's
 * id in it, up to 64 datagrams in one call each way; what it does not know it passes over. It says "ready" when it listens.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BURST = 64, DATAGRAM = 1500, ID = 8, NAME = 20 + 24, BUFFER = 8 << 20 }; /* octets before a request's name */
#define HUGE_PAGE (2ul << 20)

struct record { uint32_t name_length, answer_length; char octets[]; };
struct entry { uint64_t hash; const struct record *record; };

static struct entry *table;
static size_t mask;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *room(size_t size) {
    char *start = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) die("no room");
    start = (char *)(((uintptr_t)start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
    madvise(start, size, MADV_HUGEPAGE);
    return start;
}

static uint64_t hash_of(const char *name, size_t length) { /* FNV-1a, eight octets at a time */
    uint64_t hash = 0xcbf29ce484222325ull, word;
    for (; length >= 8; name += 8, length -= 8) {
        memcpy(&word, name, 8);
        hash = (hash ^ word) * 0x100000001b3ull;
        hash ^= hash >> 32;
    }
    for (; length; name++, length--) hash = (hash ^ (uint8_t)*name) * 0x100000001b3ull;
    return hash ^ hash >> 29;
}

static const struct record *find(const char *name, size_t length) {
    uint64_t hash = hash_of(name, length);
    for (size_t at = hash & mask; table[at].record; at = (at + 1) & mask) {
        const struct record *record = table[at].record;
        if (table[at].hash == hash && record->name_length == length && !memcmp(record->octets, name, length)) return record;
    }
    return NULL;
}

static void read_records(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status)) die(path);
    char *records = room(status.st_size), *end = records + status.st_size;
    for (char *at = records; at < end;) {
        ssize_t got = read(fd, at, end - at);
        if (got <= 0) die(path);
        at += got;
    }
    close(fd);
    size_t count = 0, size = 1;
    for (char *at = records; at < end; count++) {
        const struct record *record = (const struct record *)at;
        at += sizeof *record + record->name_length + record->answer_length;
    }
    while (size < 2 * count) size *= 2;
    mask = size - 1;
    table = room(size * sizeof *table);
    for (char *at = records; at < end;) {
        const struct record *record = (const struct record *)at;
        uint64_t hash = hash_of(record->octets, record->name_length);
        size_t place = hash & mask;
        while (table[place].record) place = (place + 1) & mask;
        table[place] = (struct entry){hash, record};
        at += sizeof *record + record->name_length + record->answer_length;
    }
}

static const struct record *asked(const char *datagram, size_t length) {
    uint32_t name_length;
    if (length < NAME + 4) return NULL;
    memcpy(&name_length, datagram + NAME, 4);
    name_length = ntohl(name_length);
    return name_length > length - NAME - 4 ? NULL : find(datagram + NAME + 4, name_length);
}

static void serve(int fd) {
    static char questions[BURST][DATAGRAM], answers[BURST][DATAGRAM];
    static struct sockaddr_in from[BURST];
    struct mmsghdr in[BURST], out[BURST];
    struct iovec in_piece[BURST], out_piece[BURST];
    for (;;) {
        for (int i = 0; i < BURST; i++) {
            in_piece[i] = (struct iovec){questions[i], DATAGRAM};
            in[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &in_piece[i], .msg_iovlen = 1};
        }
        int count = recvmmsg(fd, in, BURST, MSG_WAITFORONE, NULL), ready = 0;
        if (count < 0) die("recvmmsg");
        for (int i = 0; i < count; i++) {
            const struct record *record = asked(questions[i], in[i].msg_len);
            if (!record || record->answer_length > DATAGRAM) continue;
            memcpy(answers[ready], record->octets + record->name_length, record->answer_length);
            memcpy(answers[ready] + ID, questions[i] + ID, 4);
            out_piece[ready] = (struct iovec){answers[ready], record->answer_length};
            out[ready].msg_hdr = in[i].msg_hdr;
            out[ready].msg_hdr.msg_iov = &out_piece[ready];
            ready++;
        }
        for (int sent = 0; sent < ready;) {
            int done = sendmmsg(fd, out + sent, ready - sent, 0);
            if (done < 0) die("sendmmsg");
            sent += done;
        }
    }
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "udp_lookup PORT RECORDS\n");
        return 2;
    }
    read_records(arguments[2]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = BUFFER;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind");
    puts("ready");
    fflush(stdout);
    serve(fd);
}
