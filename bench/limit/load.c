/* The load generator: N piles on N links of one thread, driven line by line from stdin.
 *
 *     load PORT LINKS FIRST_PILE
 *
 * connects, logs in, prints {"links": N}, then obeys
 *
 *     closed SAMPLES PER_WRITE MS    a cycle of samples and one heartbeat, PER_WRITE frames a write; a link that
 *                                    sent its heartbeat waits for the answer before it goes on
 *     open RATE MS STORM             RATE frames a second over all links by the clock, whatever the server does: a
 *                                    heartbeat, then a sample; halfway STORM links send a record at the same moment
 *     beats RATE MS                  the same, heartbeats only
 *     records MS                     a sample and a record of a new transaction, then wait for the acknowledgement
 *     whole SAMPLES MS               one transaction after the other: SAMPLES samples, a heartbeat and its answer, a
 *                                    record and its acknowledgement; one frame a write
 *     wait MS                        only answer what is asked
 *
 * and prints one line of JSON for each: what was sent and answered, and latencies in microseconds. Latency of the
 * open loop counts from the moment a frame was due, so that a server which stalls cannot hide it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ykc.h"

enum { EVENTS = 1024, RING = 8, FRAMES_MAX = 64, DRAIN_MS = 5000, LOGINS_AT_ONCE = 256 };

struct link {
    int fd;
    uint8_t pile[7], is_in, is_ready, turn;
    uint8_t *in, *out; /* half an answer; what the socket did not take */
    uint32_t in_size, out_size, answers, transaction, begun_ms, sent_upto;
    int64_t due_ns[RING], record_ns;
    uint8_t ring_from, ring_held;
};

struct latencies {
    uint64_t buckets[64 * 40], count, max_ns;
};

static struct link *links;
static int poll_fd, link_count, *ready;
static unsigned ready_from, ready_held;
static int closed_samples, closed_per_write, is_records, is_whole, is_beats_only; /* what a link does when it is ready */
static uint64_t sent, samples_sent, records_sent, unsent, answered, acknowledged, refused, lost_links;
static struct latencies beats, records;

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int64_t unix_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

/* -- latencies: 64 steps to every power of two, so within 1.6 % ----------------------------------------------- */

static void note(struct latencies *into, int64_t ns) {
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns, shift = 0;
    if (value > into->max_ns) into->max_ns = value;
    while (value >> shift >= 128) shift++;
    into->buckets[shift * 64 + (value >> shift)]++;
    into->count++;
}

static double quantile_us(const struct latencies *of, double share) {
    uint64_t wanted = (uint64_t)((double)of->count * share), seen = 0;
    for (int i = 0; i < 64 * 40; i++) {
        seen += of->buckets[i];
        if (seen > wanted) {
            int shift = i < 128 ? 0 : i / 64 - 1;
            return (double)((uint64_t)(i - shift * 64) << shift) / 1e3;
        }
    }
    return (double)of->max_ns / 1e3;
}

static void print_latencies(const char *name, const struct latencies *of) {
    printf(", \"%s\": {\"count\": %lu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}", name,
           of->count, quantile_us(of, 0.5), quantile_us(of, 0.99), quantile_us(of, 0.999), (double)of->max_ns / 1e3);
}

/* -- frames of one pile ------------------------------------------------------------------------------------- */

static void bcd(uint8_t *at, int bytes, uint64_t number) {
    for (int i = bytes - 1; i >= 0; i--, number /= 100) at[i] = (uint8_t)(number / 10 % 10 << 4 | number % 10);
}

static uint8_t *put_serial(uint8_t *at, const struct link *link) {
    at = put_bytes(at, link->pile, 7);
    *at++ = 0x01;
    bcd(at, 6, 260303114000ULL);
    bcd(at + 6, 2, link->transaction % 10000);
    at[0] = (uint8_t)(link->transaction / 10000); /* the year's place: more than 10,000 transactions a pile */
    return at + 8;
}

static uint8_t *put_time(uint8_t *at, int64_t at_ms) {
    time_t seconds = (time_t)(at_ms / 1000 + 8 * 3600);
    struct tm civil;
    gmtime_r(&seconds, &civil);
    put_u16(at, (uint32_t)(civil.tm_sec * 1000 + at_ms % 1000));
    at[2] = (uint8_t)civil.tm_min;
    at[3] = (uint8_t)civil.tm_hour;
    at[4] = (uint8_t)civil.tm_mday;
    at[5] = (uint8_t)(civil.tm_mon + 1);
    at[6] = (uint8_t)(civil.tm_year - 100);
    return at + 7;
}

static uint32_t energy_e4kwh(const struct link *link) {
    return (uint32_t)(((uint32_t)unix_ms() - link->begun_ms) / 100) * 2; /* 7.2 kW */
}

static size_t put_heartbeat(uint8_t *out, struct link *link) {
    uint8_t *at = put_bytes(out + HEAD, link->pile, 7);
    at[0] = 1;
    at[1] = 0;
    return enclose(out, HEARTBEAT, 0, 9);
}

static size_t put_sample(uint8_t *out, struct link *link, uint32_t energy) {
    uint8_t *at = put_serial(out + HEAD, link);
    at = put_bytes(at, link->pile, 7);
    at = put_bytes(at, "\x01\x03\x02\x01", 4); /* gun 1, charging, home unknown, plugged */
    at = put_u16(put_u16(at, 3800 + energy % 64), 190);
    *at++ = 80;
    memset(at, 0, 8);
    at += 8;
    *at++ = 50;
    *at++ = 75;
    at = put_u16(put_u16(at, energy / 1200), 30);
    at = put_u32(put_u32(put_u32(at, energy), energy), energy * 3 / 2);
    put_u16(at, 0);
    samples_sent++;
    return enclose(out, SAMPLE, 0, SAMPLE_BODY);
}

/* A record of an hour and 7 kWh at 1.50 yuan, all of it at the flat rate. */
static size_t put_record(uint8_t *out, struct link *link) {
    uint32_t energy = 70000;
    int64_t at_ms = unix_ms();
    uint8_t *at = put_serial(out + HEAD, link);
    at = put_bytes(at, link->pile, 7);
    *at++ = 1;
    at = put_time(put_time(at, at_ms - 3600000), at_ms);
    for (int tier = 0; tier < 4; tier++) {
        uint32_t held = tier == 2 ? energy : 0;
        at = put_u32(put_u32(put_u32(put_u32(at, 150000), held), held), held * 3 / 2);
    }
    at = put_u32(at, link->transaction * energy);
    *at++ = 0;
    at = put_u32(at, (link->transaction + 1) * energy);
    *at++ = 0;
    at = put_u32(put_u32(put_u32(at, energy), energy), energy * 3 / 2);
    memset(at, 0, 17);
    at += 17;
    *at++ = 1;
    at = put_time(at, at_ms);
    *at++ = 0x41;
    memset(at, 0, 8);
    records_sent++;
    return enclose(out, RECORD, 0, RECORD_BODY);
}

/* -- sockets ------------------------------------------------------------------------------------------------ */

static void lose(struct link *link) {
    if (link->fd < 0) return;
    close(link->fd);
    link->fd = -1;
    lost_links++;
}

static void send_all(struct link *link, const uint8_t *data, size_t size) {
    if (link->fd < 0) return;
    ssize_t done = link->out_size ? 0 : write(link->fd, data, size);
    if (done < 0 && errno != EAGAIN) { lose(link); return; }
    if (done < 0) done = 0;
    if ((size_t)done == size) return;
    link->out = realloc(link->out, link->out_size + size - (size_t)done);
    memcpy(link->out + link->out_size, data + done, size - (size_t)done);
    link->out_size += (uint32_t)(size - (size_t)done);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = link};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, link->fd, &event);
}

static void flush(struct link *link) {
    ssize_t done = write(link->fd, link->out, link->out_size);
    if (done < 0) { if (errno != EAGAIN) lose(link); return; }
    link->out_size -= (uint32_t)done;
    memmove(link->out, link->out + done, link->out_size);
    if (link->out_size) return;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, link->fd, &event);
}

static void make_ready(struct link *link) {
    if (link->is_ready) return;
    link->is_ready = 1;
    ready[(ready_from + ready_held++) % (unsigned)link_count] = (int)(link - links);
}

static void expect(struct link *link, int64_t due_ns) {
    link->due_ns[(link->ring_from + link->ring_held++) % RING] = due_ns;
}

static void answer_seen(struct link *link, const uint8_t *frame, size_t size, int64_t at_ns) {
    uint8_t out[64];
    if (frame[5] == LOGIN_ANSWER) {
        link->is_in = frame[HEAD + 7] == 0;
        refused += !link->is_in;
    } else if (frame[5] == HEARTBEAT_ANSWER && link->ring_held) {
        note(&beats, at_ns - link->due_ns[link->ring_from]);
        link->ring_from = (link->ring_from + 1) % RING;
        link->ring_held--;
        link->answers++;
        answered++;
        make_ready(link);
    } else if (frame[5] == RECORD_ANSWER && link->record_ns) {
        note(&records, at_ns - link->record_ns);
        link->record_ns = 0;
        acknowledged++;
        make_ready(link);
    } else if (frame[5] == CLOCK_ORDER && size == HEAD + 14 + 2) {
        memcpy(out + HEAD, frame + HEAD, 14);
        send_all(link, out, enclose(out, CLOCK_ANSWER, (uint16_t)u16(frame + 2), 14));
    }
}

static void receive(struct link *link) {
    static uint8_t in[4096 + 512];
    size_t held = link->in_size, at = 0;
    if (held) memcpy(in, link->in, held);
    ssize_t got = read(link->fd, in + held, 4096);
    if (got <= 0) { if (got == 0 || errno != EAGAIN) lose(link); return; }
    int64_t at_ns = now_ns();
    held += (size_t)got;
    while (at < held) {
        long whole = frame_at(in + at, held - at);
        if (whole == 0) break;
        if (whole < 0) { at++; continue; }
        answer_seen(link, in + at, (size_t)whole, at_ns);
        at += (size_t)whole;
    }
    link->in_size = (uint32_t)(held - at);
    if (link->in_size) {
        link->in = realloc(link->in, link->in_size);
        memcpy(link->in, in + at, link->in_size);
    }
}

static void turn(int timeout_ms) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;
        if (link->fd >= 0 && events[i].events & EPOLLOUT) flush(link);
        if (link->fd >= 0 && events[i].events & ~(uint32_t)EPOLLOUT) receive(link);
    }
}

static int connect_all(int port, uint64_t first_pile) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, open = 0;
    for (int i = 0; i < link_count; i++) {
        struct link *link = &links[i];
        there.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i / 1000)); /* 127.0.0.1, 127.0.0.2, … */
        link->fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = there.sin_addr};
        bind(link->fd, (struct sockaddr *)&here, sizeof here);
        there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(link->fd, (struct sockaddr *)&there, sizeof there)) { perror("load: connect"); return -1; }
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(link->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, link->fd, &event);
        bcd(link->pile, 7, first_pile + (uint64_t)i);
        link->begun_ms = (uint32_t)unix_ms();
        uint8_t frame[64], *at = put_bytes(frame + HEAD, link->pile, 7);
        at = put_bytes(at, "\0\2\20V1.0.0\0\0\1", 12);
        memset(at, 0, 11);
        send_all(link, frame, enclose(frame, LOGIN, 0, 30));
        for (open += 1; open >= LOGINS_AT_ONCE; turn(0), open = 0);
    }
    int64_t until_ns = now_ns() + 60000000000LL;
    for (int in = 0; in < link_count && now_ns() < until_ns;) {
        turn(20);
        in = 0;
        for (int i = 0; i < link_count; i++) in += links[i].is_in;
        if (refused || lost_links) return -1;
    }
    return 0;
}

/* -- what is obeyed ----------------------------------------------------------------------------------------- */

static void go_on(struct link *link) {
    static uint8_t out[FRAMES_MAX * 80 + 256];
    size_t size = 0;
    int must_wait = 0;
    if (is_records) {
        link->transaction++;
        size = put_sample(out, link, 70000);
        size += put_record(out + size, link);
        sent += 2;
        link->record_ns = now_ns();
        must_wait = 1;
    }
    for (int i = 0; !is_records && i < closed_per_write; i++, sent++) {
        if (is_whole && link->turn > closed_samples) {
            link->turn = 0;
            size += put_record(out + size, link);
            link->transaction++;
            link->record_ns = now_ns();
            must_wait = 1;
        } else if (link->turn++ < closed_samples) {
            size += put_sample(out + size, link, energy_e4kwh(link));
        } else {
            if (!is_whole) link->turn = 0;
            size += put_heartbeat(out + size, link);
            expect(link, now_ns());
            must_wait = 1;
        }
    }
    send_all(link, out, size);
    if (!must_wait) make_ready(link);
}

static void open_send(struct link *link, int64_t due_ns) {
    uint8_t out[128];
    if (link->ring_held == RING || link->out_size > 4096 || link->fd < 0) { unsent++; return; }
    sent++;
    if (is_beats_only || (link->turn ^= 1)) {
        expect(link, due_ns);
        send_all(link, out, put_heartbeat(out, link));
    } else {
        send_all(link, out, put_sample(out, link, energy_e4kwh(link)));
    }
}

static void storm(int count) {
    static uint32_t storms;
    uint8_t out[256];
    storms++;
    for (int i = 0; i < count && i < link_count; i++) {
        uint32_t running = links[i].transaction;
        links[i].transaction = 5000 + storms;
        size_t size = put_record(out, &links[i]);
        links[i].transaction = running;
        links[i].record_ns = now_ns();
        send_all(&links[i], out, size);
        sent++;
    }
}

static int is_quiet(void) {
    for (int i = 0; i < link_count; i++)
        if (links[i].fd >= 0 && (links[i].ring_held || links[i].record_ns)) return 0;
    return 1;
}

static void begin(void) {
    sent = samples_sent = unsent = answered = acknowledged = 0;
    memset(&beats, 0, sizeof beats);
    memset(&records, 0, sizeof records);
    ready_from = ready_held = 0;
    for (int i = 0; i < link_count; i++) links[i].answers = links[i].is_ready = links[i].turn = 0;
}

static void report(double seconds) {
    uint32_t least = ~0u, most = 0;
    for (int i = 0; i < link_count; i++) {
        if (links[i].answers < least) least = links[i].answers;
        if (links[i].answers > most) most = links[i].answers;
    }
    printf("{\"seconds\": %.4f, \"frames\": %lu, \"samples\": %lu, \"unsent\": %lu, \"answered\": %lu, "
           "\"acknowledged\": %lu, \"lost_links\": %lu, \"least_answers\": %u, \"most_answers\": %u",
           seconds, sent, samples_sent, unsent, answered, acknowledged, lost_links, least, most);
    print_latencies("heartbeats", &beats);
    print_latencies("records", &records);
    printf("}\n");
    fflush(stdout);
}

static void drive(double rate, int64_t span_ms, int storm_size, int is_closed) {
    begin();
    int64_t from_ns = now_ns(), end_ns = from_ns + span_ms * 1000000, storm_ns = from_ns + span_ms * 500000;
    int64_t now = from_ns;
    uint64_t step = 0;
    for (int i = 0; is_closed && i < link_count; i++) make_ready(&links[i]);
    while (now < end_ns) {
        unsigned many = ready_held;
        for (unsigned i = 0; is_closed && i < many; i++) {
            struct link *link = &links[ready[ready_from]];
            ready_from = (ready_from + 1) % (unsigned)link_count;
            ready_held--;
            link->is_ready = 0;
            go_on(link);
        }
        for (int burst = 0; rate > 0 && burst < 256; burst++) {
            int64_t due_ns = from_ns + (int64_t)((double)step * 1e9 / rate);
            if (due_ns > now) break;
            open_send(&links[step++ % (uint64_t)link_count], due_ns);
        }
        if (storm_size && now >= storm_ns) {
            storm(storm_size);
            storm_size = 0;
        }
        turn(is_closed ? (ready_held ? 0 : 1) : rate > 0 ? 0 : 1);
        now = now_ns();
    }
    for (int64_t last_ns = now + DRAIN_MS * 1000000LL; !is_quiet() && now_ns() < last_ns;) turn(1);
    report((double)(now_ns() - from_ns) / 1e9); /* until the last answer, so that nothing is counted unserved */
    for (int i = 0; i < link_count; i++) links[i].ring_held = 0, links[i].record_ns = 0;
}

int main(int count, char **words) {
    if (count != 4) { fprintf(stderr, "usage: load PORT LINKS FIRST_PILE\n"); return 2; }
    crc_fill();
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    link_count = atoi(words[2]);
    links = calloc((size_t)link_count, sizeof *links);
    ready = calloc((size_t)link_count, sizeof *ready);
    poll_fd = epoll_create1(0);
    if (connect_all(atoi(words[1]), strtoull(words[3], NULL, 10))) {
        fprintf(stderr, "load: %lu logins refused, %lu links lost\n", refused, lost_links);
        return 1;
    }
    printf("{\"links\": %d}\n", link_count);
    fflush(stdout);
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        int storm_size = 0, span_ms = 0;
        double rate = 0;
        is_records = is_whole = is_beats_only = 0;
        if (sscanf(line, "closed %d %d %d", &closed_samples, &closed_per_write, &span_ms) == 3 &&
            closed_per_write <= FRAMES_MAX)
            drive(0, span_ms, 0, 1);
        else if (sscanf(line, "open %lf %d %d", &rate, &span_ms, &storm_size) == 3)
            drive(rate, span_ms, storm_size, 0);
        else if (sscanf(line, "beats %lf %d", &rate, &span_ms) == 2)
            is_beats_only = 1, drive(rate, span_ms, 0, 0);
        else if (sscanf(line, "whole %d %d", &closed_samples, &span_ms) == 2)
            is_whole = closed_per_write = 1, drive(0, span_ms, 0, 1);
        else if (sscanf(line, "records %d", &span_ms) == 1)
            is_records = 1, drive(0, span_ms, 0, 1);
        else if (sscanf(line, "wait %d", &span_ms) == 1)
            drive(0, span_ms, 0, 0);
        else {
            fprintf(stderr, "load: cannot obey: %s", line);
            return 2;
        }
    }
    return 0;
}
