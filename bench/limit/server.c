/* The plain server: one thread, epoll, one read and at most one write a turn of a link.
 *
 * Checks every frame, answers logins, heartbeats and records, decodes samples and counts them. It keeps nothing:
 * no capture, no sessions, no disk. Prints its port, serves until stdin closes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ykc.h"

enum { READ = 64 << 10, EVENTS = 512, FILES = 32768 };

struct link {
    uint8_t *rest; /* what waits for the end of its frame; NULL when nothing does */
    uint32_t size;
};

static struct link links[FILES];
static uint64_t frames, samples, energy_e4kwh;

static size_t answer(const uint8_t *frame, size_t size, uint8_t *out) {
    const uint8_t *body = frame + HEAD;
    uint16_t sequence = (uint16_t)u16(frame + 2);
    struct sample sample;
    switch (frame[5]) {
    case LOGIN:
        put_bytes(out + HEAD, body, 7)[0] = 0;
        return enclose(out, LOGIN_ANSWER, sequence, 8);
    case HEARTBEAT:
        put_bytes(out + HEAD, body, 8)[0] = 0;
        return enclose(out, HEARTBEAT_ANSWER, sequence, 9);
    case RECORD:
        put_bytes(out + HEAD, body, 16)[0] = 0;
        return enclose(out, RECORD_ANSWER, sequence, 17);
    case SAMPLE:
        if (size == HEAD + SAMPLE_BODY + 2) {
            read_sample(body, &sample);
            energy_e4kwh += sample.energy_e4kwh;
            samples++;
        }
    }
    return 0;
}

static void drop(int fd) {
    free(links[fd].rest);
    links[fd] = (struct link){0};
    close(fd);
}

static void serve(int fd) {
    static uint8_t in[READ + 512], out[READ];
    struct link *link = &links[fd];
    size_t held = link->size, at = 0, owed = 0;
    if (held) memcpy(in, link->rest, held);
    ssize_t got = read(fd, in + held, READ);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) drop(fd);
        return;
    }
    held += (size_t)got;
    while (at < held) {
        long whole = frame_at(in + at, held - at);
        if (whole == 0) break;
        if (whole < 0) { at++; continue; }
        frames++;
        owed += answer(in + at, (size_t)whole, out + owed);
        at += (size_t)whole;
    }
    link->size = (uint32_t)(held - at);
    if (link->size) {
        link->rest = realloc(link->rest, link->size);
        memcpy(link->rest, in + at, link->size);
    } else if (link->rest) {
        free(link->rest);
        link->rest = NULL;
    }
    if (owed && write(fd, out, owed) != (ssize_t)owed) drop(fd);
}

int main(void) {
    crc_fill();
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    if (bind(door, (struct sockaddr *)&here, length) || listen(door, 4096) ||
        getsockname(door, (struct sockaddr *)&here, &length)) {
        perror("server");
        return 1;
    }
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door}, events[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                printf("{\"frames\": %lu, \"samples\": %lu, \"energy_e4kwh\": %lu}\n", frames, samples, energy_e4kwh);
                return 0;
            }
            if (fd != door) { serve(fd); continue; }
            int fresh;
            while ((fresh = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                if (fresh >= FILES) { close(fresh); continue; }
                setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fresh};
                epoll_ctl(poll, EPOLL_CTL_ADD, fresh, &event);
            }
        }
    }
}
