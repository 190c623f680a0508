/* The load generator: asks one to four servers for what a pool of requests says, and measures how long answers take.
 *
 *     load POOL --target http:127.0.0.1:8000:64:1 --seconds 5          closed loop: as fast as answers come
 *     load POOL --target udp:127.0.0.1:2641:8:16 --rate 10000 --seconds 5   open loop: evenly spaced
 *     load POOL --target … --target … --scheduled --speed 4320 --once  open loop: at the times written in the pool
 *
 * A target is PROTOCOL:HOST:PORT:CONNECTIONS:IN_FLIGHT. In an open loop the time of an answer counts from the moment the
 * request was due, not from when a connection was free to send it: a server that stalls is charged for all who waited.
 * Requests to a target leave in the order of the pool. It says "ready" when it has connected, begins when it reads a line, and ends
 * with one line of JSON (bench/generator.py writes the pool, starts this and reads that). The pool lies in memory in the
 * order of sending, in huge pages where there are any: a generator that jumps about in memory measures itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TARGETS = 4, KINDS = 8, CODES = 1024, SECONDS = 1 << 16, EVENTS = 64, BURST = 64, DATAGRAM = 2048 };
enum { SLOT_BITS = 10, SLOTS = 1 << SLOT_BITS, TRIES = 3, ENVELOPE = 20, TRUNCATED = 0x20, PIECE = 492, PIECES = 64 };
enum { SUB_BITS = 7, SUB = 1 << SUB_BITS, BUCKETS = (64 - SUB_BITS) * SUB }; /* 128 buckets an octave: 0.8 % wide */
#define ASKED_AGAIN 500000000LL /* ns that a datagram is waited for */
#define LOOKED_AGAIN 50000000LL /* ns between two looks for such datagrams */
#define GREATEST_ANSWER (64u << 20)
#define RECEIVE_BUFFER (8 << 20)
#define HUGE_PAGE (2ul << 20)

enum protocol { HTTP, TCP, UDP, REDIS, DNS };
static const char *const PROTOCOLS[] = {"http", "tcp", "udp", "redis", "dns"};
static const int GOOD[] = {200, 1, 1, 0, 0};
enum { REDIS_NIL = 1, REDIS_ERROR = 2, DNS_EMPTY = 16, MALFORMED = CODES - 1 };

/* As bench/generator.py writes it, little-endian: the request's octets follow, then those the answer must hold. */
struct record {
    uint64_t at; /* microseconds from the beginning */
    uint32_t length, identifiers, after; /* after: 1 + place in the pool of a request that must be answered before */
    uint16_t marker, code; /* code: 0 for the one that the protocol calls good */
    uint8_t target, kind;
    uint16_t spare;
} __attribute__((packed));

struct slot {
    const struct record *record;
    int64_t due, sent;
    uint64_t position;
    uint64_t pieces; /* of an answer in several datagrams: which are there */
    uint32_t id, octets;
    int code;
    uint8_t tries;
    bool used, right;
};

enum reading { HEAD, BODY, CHUNK_SIZE, CHUNK, LAST_CHUNK };

struct connection {
    struct target *target;
    struct slot *slots;
    uint16_t *free; /* of protocols with request ids: slots that are free; the others use the slots as a ring */
    uint32_t used, head;
    int fd;
    bool connected, listed, closes, writing;
    char *in, *out;
    size_t in_size, begin, end, out_size, out_begin, out_end;
    enum reading reading; /* of an HTTP answer: up to `scan` octets of it are understood */
    size_t scan, need;
    int code;
};

struct target {
    enum protocol protocol;
    struct sockaddr_storage address;
    socklen_t address_length;
    uint32_t count, in_flight;
    struct connection *connections;
    struct connection **open; /* ring of connections with a free slot */
    uint32_t open_head, open_count;
    const char *cursor; /* each target walks the pool by itself, past what is for the others */
    uint64_t position;
    bool exhausted, has_some;
};

static struct kind { uint64_t sent, answered, wrong, lost, identifiers, longest, histogram[BUCKETS]; } kinds[KINDS];
static struct target targets[TARGETS];
static int target_count, poller;
static uint64_t codes[CODES], octets_in, octets_out, again, reconnects, checked, per_second[SECONDS];
static uint64_t check_every = 16, in_flight;
static int64_t now, started, stop_at, last_answer, latest_send;
static const char *pool, *pool_end;
static uint64_t part, parts = 1, settled; /* settled: all that was to be sent before it elsewhere is answered */
static double rate, speed = 1;
static bool scheduled, once, spread;
static char wrong_sample[256];
static size_t wrong_length;

static void die(const char *what) {
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static int64_t clock_now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static bool has_ids(enum protocol protocol) { return protocol == TCP || protocol == UDP || protocol == DNS; }
static bool is_datagram(enum protocol protocol) { return protocol == UDP || protocol == DNS; }
static const char *octets_of(const struct record *record) { return (const char *)(record + 1); }
static uint32_t be32(const char *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }

static uint32_t bucket_of(uint64_t value) {
    if (value < SUB) return value;
    int shift = 63 - __builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUB + (uint32_t)((value >> shift) - SUB);
}

/* ---- the pool ---- */

static void load_pool(const char *name) {
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status)) die(name);
    size_t size = (status.st_size + HUGE_PAGE) & ~(HUGE_PAGE - 1);
    char *room = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) die("no room for the pool");
    room = (char *)(((uintptr_t)room + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
    madvise(room, size, MADV_HUGEPAGE);
    for (off_t done = 0; done < status.st_size;) {
        ssize_t got = read(fd, room + done, status.st_size - done);
        if (got <= 0) die(name);
        done += got;
    }
    close(fd);
    pool = room;
    pool_end = room + status.st_size;
    for (struct target *t = targets; t < targets + target_count; t++) t->cursor = pool;
    for (const char *p = pool; p < pool_end;) {
        const struct record *record = (const struct record *)p;
        if ((size_t)(pool_end - p) < sizeof *record) { errno = 0; die("the pool ends within a request"); }
        p = octets_of(record) + record->length + record->marker;
        if (p > pool_end || record->target >= target_count || record->kind >= KINDS) {
            errno = 0;
            die("the pool is not one that these targets can be asked from");
        }
    }
}

static void step(struct target *t, const struct record *record) {
    t->cursor = octets_of(record) + record->length + record->marker;
    t->position++;
}

/* The next request of ours for a target; NULL when there is none any more. */
static const struct record *peek(struct target *t) {
    while (!t->exhausted && now < stop_at) {
        if (t->cursor == pool_end) {
            if ((t->exhausted = once || !t->has_some)) break;
            t->cursor = pool;
        }
        const struct record *record = (const struct record *)t->cursor;
        if (record->target == t - targets && t->position % parts == part) {
            t->has_some = true;
            return record;
        }
        step(t, record);
    }
    return NULL;
}

static bool is_open_loop(void) { return rate > 0 || scheduled; }

static int64_t due_at(const struct target *t, const struct record *record) {
    if (rate > 0) return started + (int64_t)(t->position / rate * 1e9);
    return scheduled ? started + (int64_t)(record->at * 1000.0 / speed) : now;
}

/* ---- connections ---- */

static void list_open(struct connection *c) {
    struct target *t = c->target;
    if (c->listed || !c->connected || c->closes || c->used >= t->in_flight) return;
    c->listed = true;
    t->open[(t->open_head + t->open_count++) % t->count] = c;
}

static void start_connection(struct connection *c) {
    struct target *t = c->target;
    int type = is_datagram(t->protocol) ? SOCK_DGRAM : SOCK_STREAM, one = 1, buffer = RECEIVE_BUFFER;
    c->fd = socket(t->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("no socket");
    if (type == SOCK_STREAM) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    else if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer))
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (spread && t->address.ss_family == AF_INET) { /* a network of its own for each: 127.0.N.1 and so on */
        uint32_t number = c - t->connections + 1;
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(0x7f000001u + (number << 8));
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("cannot send from 127.0.N.1");
    }
    if (connect(c->fd, (struct sockaddr *)&t->address, t->address_length) && errno != EINPROGRESS) die("cannot connect");
    c->connected = type == SOCK_DGRAM;
    c->begin = c->end = c->out_begin = c->out_end = c->scan = c->head = c->used = 0;
    c->reading = HEAD;
    c->closes = false;
    c->writing = !c->connected;
    for (uint32_t i = 0; i < t->in_flight; i++) {
        c->slots[i].used = false;
        c->free[i] = t->in_flight - 1 - i;
    }
    struct epoll_event event = {.events = c->connected ? EPOLLIN : EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event)) die("epoll");
    list_open(c);
}

static void lose(struct slot *slot) {
    kinds[slot->record->kind].lost++;
    slot->used = false;
    in_flight--;
}

/* The server hung up: what it owed is lost. */
static void renew(struct connection *c) {
    bool was_connected = c->connected;
    for (uint32_t i = 0; i < c->target->in_flight; i++)
        if (c->slots[i].used) lose(&c->slots[i]);
    close(c->fd);
    c->connected = false;
    if (!was_connected) die("cannot connect"); /* refused, at the start or because the server is gone */
    reconnects++;
    start_connection(c);
}

static void watch(struct connection *c, bool writing) {
    if (c->writing == writing) return;
    c->writing = writing;
    struct epoll_event event = {.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

/* Room for `more` octets behind `end`. */
static void make_room(char **buffer, size_t *size, size_t *begin, size_t *end, size_t more) {
    if (*begin == *end) *begin = *end = 0;
    if (*size - *end >= more) return;
    if (*begin) {
        memmove(*buffer, *buffer + *begin, *end - *begin);
        *end -= *begin;
        *begin = 0;
    }
    while (*size - *end < more) *size = *size ? *size * 2 : 1 << 14;
    if (*size > 2 * GREATEST_ANSWER || !(*buffer = realloc(*buffer, *size))) die("an answer or a request is too long");
}

static void flush_stream(struct connection *c) {
    while (c->out_begin < c->out_end) {
        ssize_t sent = send(c->fd, c->out + c->out_begin, c->out_end - c->out_begin, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) watch(c, true); /* any other fault is met again when the answer is read */
            return;
        }
        c->out_begin += sent;
        octets_out += sent;
    }
    watch(c, false);
}

/* Datagrams stand in `out` with their lengths before them. One that the kernel refuses is asked again in time. */
static void flush_datagrams(struct connection *c) {
    struct mmsghdr messages[BURST];
    struct iovec pieces[BURST];
    while (c->out_begin < c->out_end) {
        unsigned count = 0;
        for (; count < BURST && c->out_begin < c->out_end; count++) {
            uint32_t length;
            memcpy(&length, c->out + c->out_begin, 4);
            pieces[count] = (struct iovec){c->out + c->out_begin + 4, length};
            messages[count].msg_hdr = (struct msghdr){.msg_iov = &pieces[count], .msg_iovlen = 1};
            c->out_begin += 4 + length;
            octets_out += length;
        }
        for (unsigned done = 0; done < count;) {
            int sent = sendmmsg(c->fd, messages + done, count - done, MSG_NOSIGNAL);
            done += sent > 0 ? sent : 1;
        }
    }
}

static void flush_out(struct connection *c) {
    if (is_datagram(c->target->protocol)) flush_datagrams(c);
    else flush_stream(c);
}

static void write_out(struct connection *c, const struct slot *slot) {
    const struct record *record = slot->record;
    enum protocol protocol = c->target->protocol;
    make_room(&c->out, &c->out_size, &c->out_begin, &c->out_end, record->length + 4);
    if (is_datagram(protocol)) {
        memcpy(c->out + c->out_end, &record->length, 4);
        c->out_end += 4;
    }
    char *to = c->out + c->out_end;
    memcpy(to, octets_of(record), record->length);
    c->out_end += record->length;
    uint32_t id = htonl(slot->id);
    uint16_t short_id = htons(slot->id & 0xffff);
    if (protocol == DNS) memcpy(to, &short_id, 2);
    else if (has_ids(protocol)) memcpy(to + 8, &id, 4);
}

static void dispatch(struct connection *c, const struct record *record, int64_t due) {
    uint32_t in_all = c->target->in_flight;
    uint32_t number = has_ids(c->target->protocol) ? c->free[in_all - 1 - c->used] : (c->head + c->used) % in_all;
    struct slot *slot = &c->slots[number];
    uint32_t id = (((slot->id >> SLOT_BITS) + 1) << SLOT_BITS) | number;
    *slot = (struct slot){.record = record, .due = due, .sent = now, .position = c->target->position, .id = id, .tries = 1, .used = true};
    c->used++;
    in_flight++;
    kinds[record->kind].sent++;
    if (now - due > latest_send) latest_send = now - due;
    write_out(c, slot);
}

/* Whether what must be answered before has been: only targets other than the first can be waited for. In a closed loop
 * these do not run ahead of the first; in an open loop the clock holds them back. */
static bool may_leave(const struct target *to, const struct record *record) {
    if (to != targets && !is_open_loop() && !targets->exhausted && to->position > targets->position) return false;
    if (record->after <= settled) return true;
    settled = UINT64_MAX;
    for (struct target *t = targets + 1; t < targets + target_count; t++) {
        if (peek(t) && t->position < settled) settled = t->position;
        for (uint32_t i = 0; i < t->count * t->in_flight; i++) {
            const struct slot *slot = &t->connections[i / t->in_flight].slots[i % t->in_flight];
            if (slot->used && slot->position < settled) settled = slot->position;
        }
    }
    return record->after <= settled;
}

/* Sends up to EVENTS requests that are due and find a free slot; false when there is no other. */
static bool send_some(struct target *t) {
    struct connection *touched[EVENTS];
    int count = 0;
    while (count < EVENTS && t->open_count) {
        const struct record *record = peek(t);
        int64_t due = record ? due_at(t, record) : 0;
        if (!record || due > now || due >= stop_at || !may_leave(t, record)) break;
        struct connection *c = t->open[t->open_head];
        t->open_head = (t->open_head + 1) % t->count;
        t->open_count--;
        c->listed = false;
        if (!c->connected || c->closes) continue;
        dispatch(c, record, due);
        list_open(c);
        if (!count || touched[count - 1] != c) touched[count++] = c;
        step(t, record);
    }
    for (int i = 0; i < count; i++) flush_out(touched[i]);
    return count == EVENTS;
}

static void send_due(void) {
    for (struct target *t = targets; t < targets + target_count; t++)
        while (send_some(t)) continue;
}

/* ---- answers ---- */

static bool is_right(struct connection *c, const struct record *record, int code, const char *answer, size_t length) {
    if (code != (record->code ? record->code : GOOD[c->target->protocol])) return false;
    if (!record->marker || ++checked % check_every) return true;
    return memmem(answer, length, octets_of(record) + record->length, record->marker);
}

static void keep_sample(const char *answer, size_t length) {
    if (wrong_length) return;
    wrong_length = length < sizeof wrong_sample ? length : sizeof wrong_sample;
    memcpy(wrong_sample, answer, wrong_length);
}

static void take(struct slot *slot, int code, bool right) {
    const struct record *record = slot->record;
    struct kind *kind = &kinds[record->kind];
    codes[code < 0 || code >= CODES ? MALFORMED : code]++;
    slot->used = false;
    in_flight--;
    last_answer = now;
    kind->answered++;
    kind->wrong += !right;
    if (!right) return;
    uint64_t took = now - (is_open_loop() ? slot->due : slot->sent);
    kind->histogram[bucket_of(took)]++;
    kind->identifiers += record->identifiers;
    if (took > kind->longest) kind->longest = took;
    uint64_t second = (now - started) / 1000000000;
    per_second[second < SECONDS ? second : SECONDS - 1] += record->identifiers;
}

static struct slot *slot_of(struct connection *c, uint32_t id, uint32_t mask) {
    struct slot *slot = &c->slots[id & (SLOTS - 1)];
    return (id & (SLOTS - 1)) < c->target->in_flight && slot->used && ((slot->id ^ id) & mask) == 0 ? slot : NULL;
}

static void give_back(struct connection *c, const struct slot *slot) {
    c->used--;
    c->free[c->target->in_flight - 1 - c->used] = slot - c->slots;
}

static bool line_is(const char *line, const char *name, size_t length) { return !strncasecmp(line, name, length); }

/* Reads the head of an answer; false when it cannot be understood. */
static bool read_head(struct connection *c, const char *head, const char *end) {
    if (end - head < 12 || memcmp(head, "HTTP/1.", 7)) return false;
    c->code = atoi(head + 9);
    c->reading = c->code == 204 || c->code == 304 ? BODY : HEAD;
    c->need = 0;
    for (const char *line = memchr(head, '\n', end - head); line && ++line < end; line = memchr(line, '\n', end - line)) {
        if ((*line | 32) == 'c' && line_is(line, "content-length:", 15)) {
            c->need = strtoul(line + 15, NULL, 10);
            c->reading = BODY;
        } else if ((*line | 32) == 'c' && line_is(line, "connection: close", 17)) c->closes = true;
        else if ((*line | 32) == 't' && line_is(line, "transfer-encoding: chunked", 26)) c->reading = CHUNK_SIZE;
    }
    return c->reading != HEAD && c->need <= GREATEST_ANSWER;
}

/* The length of the HTTP answer at `begin`: 0 when it is not whole yet, -1 when it is none. */
static long http_length(struct connection *c) {
    const char *answer = c->in + c->begin, *line;
    size_t there = c->end - c->begin;
    for (;;) {
        switch (c->reading) {
        case HEAD:
            if (!(line = memmem(answer, there, "\r\n\r\n", 4))) return 0;
            if (!read_head(c, answer, line + 2)) return -1;
            c->scan = line + 4 - answer;
            break;
        case CHUNK_SIZE:
            if (!(line = memmem(answer + c->scan, there - c->scan, "\r\n", 2))) return 0;
            c->need = strtoul(answer + c->scan, NULL, 16) + 2; /* and the end of the line behind it */
            if (c->need > GREATEST_ANSWER) return -1;
            c->scan = line + 2 - answer;
            c->reading = c->need == 2 ? LAST_CHUNK : CHUNK;
            break;
        default:
            if (there - c->scan < c->need) return 0;
            c->scan += c->need;
            if (c->reading != CHUNK) return c->scan;
            c->reading = CHUNK_SIZE;
        }
    }
}

static long redis_length(struct connection *c) {
    const char *answer = c->in + c->begin, *line = memmem(answer, c->end - c->begin, "\r\n", 2);
    if (!line) return 0;
    long head = line + 2 - answer, length = atol(answer + 1);
    c->code = *answer == '-' ? REDIS_ERROR : *answer == '$' && length < 0 ? REDIS_NIL : 0;
    if (*answer != '$' || length < 0) return head;
    if ((size_t)length > GREATEST_ANSWER) return -1;
    return c->end - c->begin < (size_t)(head + length + 2) ? 0 : head + length + 2;
}

static long native_length(struct connection *c) {
    if (c->end - c->begin < ENVELOPE) return 0;
    size_t length = ENVELOPE + (size_t)be32(c->in + c->begin + 16);
    if (length > GREATEST_ANSWER || length < ENVELOPE + 8) return -1;
    c->code = be32(c->in + c->begin + 24);
    return c->end - c->begin < length ? 0 : (long)length;
}

static long (*const LENGTHS[])(struct connection *) = {http_length, native_length, NULL, redis_length, NULL};

/* False when the connection is of no more use. */
static bool take_answers(struct connection *c) {
    while (c->begin < c->end) {
        long length = LENGTHS[c->target->protocol](c);
        if (!length) return true;
        const char *answer = c->in + c->begin;
        bool known = has_ids(c->target->protocol);
        struct slot *slot = known ? slot_of(c, length < 0 ? 0 : be32(answer + 8), ~0u) : c->used ? &c->slots[c->head] : NULL;
        if (slot) {
            int code = length < 0 ? MALFORMED : c->code;
            bool right = length > 0 && is_right(c, slot->record, code, answer, length);
            if (!right) keep_sample(answer, length < 0 ? c->end - c->begin : (size_t)length);
            take(slot, code, right);
        }
        if (length < 0 || (!slot && !known)) return false;
        if (slot && known) give_back(c, slot);
        else if (slot) c->head = (c->head + 1) % c->target->in_flight, c->used--;
        c->begin += length;
        c->scan = 0;
        c->reading = HEAD;
        if (c->closes) return false;
    }
    return true;
}

static void read_stream(struct connection *c) {
    for (;;) {
        make_room(&c->in, &c->in_size, &c->begin, &c->end, 1 << 13);
        size_t room = c->in_size - c->end;
        ssize_t got = recv(c->fd, c->in + c->end, room, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { renew(c); return; }
        now = clock_now();
        c->end += got;
        octets_in += got;
        if (!take_answers(c)) { renew(c); return; }
        list_open(c);
        if ((size_t)got < room) return; /* that was all: another call would only say so */
    }
}

/* True when all datagrams of the slot's answer are there. */
static bool is_whole(struct slot *slot, const char *datagram, size_t length) {
    uint32_t sequence = be32(datagram + 12), count = (be32(datagram + 16) + PIECE - 1) / PIECE;
    if (!(datagram[2] & TRUNCATED) || count <= 1 || count > PIECES) return true;
    if (sequence < PIECES && !(slot->pieces >> sequence & 1)) slot->octets += length - ENVELOPE;
    slot->pieces |= 1ull << (sequence & (PIECES - 1));
    return slot->octets >= be32(datagram + 16);
}

/* The code and the name stand in an answer's first datagram, so that one is judged, whenever it comes. */
static void take_datagram(struct connection *c, const char *datagram, size_t length) {
    bool dns = c->target->protocol == DNS;
    if (length < (dns ? 12 : ENVELOPE + 1)) return;
    const uint8_t *octet = (const uint8_t *)datagram;
    uint32_t id = dns ? (uint32_t)octet[0] << 8 | octet[1] : be32(datagram + 8);
    struct slot *slot = slot_of(c, id, dns ? 0xffff : ~0u);
    if (!slot) return; /* asked twice, answered twice */
    if (dns || be32(datagram + 12) == 0) {
        if (dns) slot->code = octet[3] & 15 ? octet[3] & 15 : octet[6] || octet[7] ? 0 : DNS_EMPTY;
        else slot->code = length < ENVELOPE + 8 ? MALFORMED : (int)be32(datagram + 24);
        slot->right = is_right(c, slot->record, slot->code, datagram, length);
        if (!slot->right) keep_sample(datagram, length);
    }
    if (!dns && !is_whole(slot, datagram, length)) return;
    take(slot, slot->code, slot->right);
    give_back(c, slot);
    list_open(c);
}

static void read_datagrams(struct connection *c) {
    static char room[BURST][DATAGRAM];
    struct mmsghdr messages[BURST];
    struct iovec pieces[BURST];
    for (int i = 0; i < BURST; i++) {
        pieces[i] = (struct iovec){room[i], DATAGRAM};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(c->fd, messages, BURST, MSG_DONTWAIT, NULL);
    if (count < 0 && errno == ECONNREFUSED) die("nobody listens");
    now = clock_now();
    for (int i = 0; i < count; i++) {
        octets_in += messages[i].msg_len;
        take_datagram(c, room[i], messages[i].msg_len);
    }
}

/* Datagrams get lost. One is asked for three times. */
static void ask_again(void) {
    for (int t = 0; t < target_count; t++)
        for (uint32_t i = 0; is_datagram(targets[t].protocol) && i < targets[t].count; i++) {
            struct connection *c = &targets[t].connections[i];
            for (uint32_t number = 0; number < targets[t].in_flight; number++) {
                struct slot *slot = &c->slots[number];
                if (!slot->used || now - slot->sent < slot->tries * ASKED_AGAIN) continue;
                if (slot->tries++ < TRIES) {
                    again++;
                    write_out(c, slot);
                } else {
                    lose(slot);
                    give_back(c, slot);
                    list_open(c);
                }
            }
            flush_out(c);
        }
}

/* ---- the run ---- */

static void handle(struct connection *c, uint32_t events) {
    if (!c->connected) {
        int fault = 0;
        socklen_t length = sizeof fault;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &fault, &length);
        if (fault) { errno = fault; die("cannot connect"); }
        c->connected = true;
        watch(c, false);
        list_open(c);
    } else if (events & EPOLLOUT) flush_out(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    if (is_datagram(c->target->protocol)) read_datagrams(c);
    else read_stream(c);
}

static void wait_for_events(int64_t until, bool sends) {
    struct epoll_event events[EVENTS];
    int64_t left = until > now ? until - now : 0;
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
    if (count < 0 && errno == ENOSYS) count = epoll_wait(poller, events, EVENTS, (int)(left / 1000000));
    now = clock_now();
    for (int i = 0; i < count; i++) {
        handle(events[i].data.ptr, events[i].events);
        if (sends) send_due();
    }
}

static void run(double patience) {
    int64_t next_look = now + LOOKED_AGAIN;
    for (;;) {
        send_due();
        int64_t until = next_look;
        bool more = false;
        for (struct target *t = targets; t < targets + target_count; t++) {
            const struct record *record = peek(t);
            more |= record != NULL;
            if (record && t->open_count && due_at(t, record) < until && may_leave(t, record)) until = due_at(t, record);
        }
        if (!more && !in_flight) return;
        if (!more && now > last_answer + (int64_t)(patience * 1e9)) break;
        wait_for_events(until, true);
        if (now < next_look) continue;
        ask_again();
        next_look = now + LOOKED_AGAIN;
    }
    for (int t = 0; t < target_count; t++)
        for (uint32_t i = 0; i < targets[t].count * targets[t].in_flight; i++) {
            struct connection *c = &targets[t].connections[i / targets[t].in_flight];
            if (c->slots[i % targets[t].in_flight].used) lose(&c->slots[i % targets[t].in_flight]);
        }
}

static void add_target(char *text) {
    if (target_count == TARGETS) die("too many targets");
    struct target *t = &targets[target_count++];
    char *in_flight_text = strrchr(text, ':'), *host, *port, *count = NULL;
    if (in_flight_text) *in_flight_text++ = 0, count = strrchr(text, ':');
    if (!count) die("a target is PROTOCOL:HOST:PORT:CONNECTIONS:IN_FLIGHT");
    *count++ = 0;
    port = strrchr(text, ':');
    host = strchr(text, ':');
    if (!host || host == port) die("a target is PROTOCOL:HOST:PORT:CONNECTIONS:IN_FLIGHT");
    *host++ = *port++ = 0;
    for (t->protocol = HTTP; strcmp(PROTOCOLS[t->protocol], text);)
        if (t->protocol++ == DNS) die("a protocol is http, tcp, udp, redis or dns");
    struct addrinfo *found, hints = {.ai_socktype = is_datagram(t->protocol) ? SOCK_DGRAM : SOCK_STREAM};
    if (getaddrinfo(host, port, &hints, &found)) die("no such host or port");
    memcpy(&t->address, found->ai_addr, t->address_length = found->ai_addrlen);
    freeaddrinfo(found);
    t->count = atoi(count);
    t->in_flight = atoi(in_flight_text);
    if (t->count < 1 || t->in_flight < 1 || t->in_flight > SLOTS) die("1 or more connections, 1 to 1024 in flight");
    t->connections = calloc(t->count, sizeof *t->connections);
    t->open = calloc(t->count, sizeof *t->open);
    for (uint32_t i = 0; i < t->count; i++) {
        struct connection *c = &t->connections[i];
        c->target = t;
        c->slots = calloc(t->in_flight, sizeof *c->slots);
        c->free = calloc(t->in_flight, sizeof *c->free);
    }
}

static void connect_all(void) {
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (int t = 0; t < target_count; t++)
        for (uint32_t i = 0; i < targets[t].count; i++) {
            start_connection(&targets[t].connections[i]);
            for (bool waits = true; waits;) { /* one after the other: a backlog is not what is measured */
                now = clock_now();
                if (!targets[t].connections[i].connected) wait_for_events(now + LOOKED_AGAIN, false);
                waits = !targets[t].connections[i].connected;
            }
        }
}

static void report(double cpu) {
    double seconds = ((last_answer > started ? last_answer : now) - started) / 1e9;
    printf("{\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"octets_in\":%lu,\"octets_out\":%lu,\"again\":%lu,\"reconnects\":%lu,"
           "\"latest_send_us\":%.1f,\"codes\":{", seconds, cpu, octets_in, octets_out, again, reconnects, latest_send / 1e3);
    const char *comma = "";
    for (int i = 0; i < CODES; i++)
        if (codes[i]) printf("%s\"%d\":%lu", comma, i, codes[i]), comma = ",";
    printf("},\"wrong_sample\":\"");
    for (size_t i = 0; i < wrong_length; i++) printf("%02x", (uint8_t)wrong_sample[i]);
    printf("\",\"kinds\":[");
    comma = "";
    for (int k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        printf("%s{\"sent\":%lu,\"answered\":%lu,\"wrong\":%lu,\"lost\":%lu,\"identifiers\":%lu,\"longest_ns\":%lu,\"histogram\":[",
               comma, kind->sent, kind->answered, kind->wrong, kind->lost, kind->identifiers, kind->longest);
        comma = "";
        for (int i = 0; i < BUCKETS; i++)
            if (kind->histogram[i]) printf("%s[%d,%lu]", comma, i, kind->histogram[i]), comma = ",";
        printf("]}");
        comma = ",";
    }
    printf("],\"per_second\":[");
    for (int i = 0; i <= (int)seconds && i < SECONDS; i++) printf("%s%lu", i ? "," : "", per_second[i]);
    printf("]}\n");
}

int main(int count, char **arguments) {
    double seconds = 0, patience = 5;
    const char *pool_name = NULL;
    for (int i = 1; i < count; i++) {
        char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
        if (*name != '-') pool_name = name;
        else if (!strcmp(name, "--once")) once = true;
        else if (!strcmp(name, "--spread")) spread = true;
        else if (!strcmp(name, "--scheduled")) scheduled = once = true;
        else {
            i++;
            if (!strcmp(name, "--target")) add_target(value);
            else if (!strcmp(name, "--seconds")) seconds = atof(value);
            else if (!strcmp(name, "--rate")) rate = atof(value);
            else if (!strcmp(name, "--speed")) speed = atof(value);
            else if (!strcmp(name, "--patience")) patience = atof(value);
            else if (!strcmp(name, "--check")) check_every = strtoul(value, NULL, 10);
            else if (!strcmp(name, "--part")) part = strtoul(value, NULL, 10);
            else if (!strcmp(name, "--parts")) parts = strtoul(value, NULL, 10);
            else if (!strcmp(name, "--core")) {
                cpu_set_t cores;
                CPU_ZERO(&cores);
                CPU_SET(atoi(value), &cores);
                if (sched_setaffinity(0, sizeof cores, &cores)) die("no such core");
            } else die(name);
        }
    }
    if (!pool_name || !target_count || !check_every || !parts || part >= parts || (!once && seconds <= 0))
        die("usage: load POOL --target PROTOCOL:HOST:PORT:CONNECTIONS:IN_FLIGHT … --seconds S | --once | --scheduled");
    prctl(PR_SET_TIMERSLACK, 1);
    load_pool(pool_name);
    connect_all();
    puts("ready");
    fflush(stdout);
    if (fgets((char[16]){0}, 16, stdin) == NULL) return 1;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    now = started = last_answer = clock_now();
    stop_at = seconds > 0 ? started + (int64_t)(seconds * 1e9) : INT64_MAX;
    run(patience);
    getrusage(RUSAGE_SELF, &after);
#define CPU(u) ((u).ru_utime.tv_sec + (u).ru_stime.tv_sec + ((u).ru_utime.tv_usec + (u).ru_stime.tv_usec) / 1e6)
    report(CPU(after) - CPU(before));
    return 0;
}
