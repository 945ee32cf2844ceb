/* The plain decoder: frames cut, checked and read into a struct, from memory or from a capture file.
 *
 * Loaded by the harness with ctypes, so that it runs in one process, turn by turn, with what it is compared to.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ykc.h"

struct tally {
    uint64_t frames, samples, bad_bytes, energy_e4kwh;
    struct sample last;
};

void limit_begin(void) { crc_fill(); }

/* Decode everything in memory; bytes that belong to no frame are counted and passed over. */
void limit_decode(const uint8_t *data, size_t size, struct tally *tally) {
    size_t at = 0;
    while (at < size) {
        long whole = frame_at(data + at, size - at);
        if (whole <= 0) {
            tally->bad_bytes++;
            at++;
            continue;
        }
        tally->frames++;
        if (data[at + 5] == SAMPLE && whole == HEAD + SAMPLE_BODY + 2) {
            read_sample(data + at + HEAD, &tally->last);
            tally->samples++;
            tally->energy_e4kwh += tally->last.energy_e4kwh;
        }
        at += (size_t)whole;
    }
}

/* -- AA F5: two start bytes, two of length, a sum of eight bits ------------------------------------------------ */

enum { F5_AROUND = 9, F5_HEAD = 8, F5_STATUS = 104, F5_STATUS_LEAST = 169 };

struct status {
    uint8_t pile[32], gun, gun_type, state, soc_percent, connection, card_no[32], start_time[8];
    uint16_t dc_voltage, dc_current, va, ia, remain_min;
    uint32_t alarm, amount_fen, duration_s, energy;
};

static void read_status(const uint8_t *body, struct status *into) {
    memcpy(into->pile, body + 4, 32);
    into->gun = body[37];
    into->gun_type = body[38];
    into->state = body[39];
    into->soc_percent = body[40];
    into->alarm = u32(body + 41);
    into->connection = body[45];
    into->amount_fen = u32(body + 46);
    into->dc_voltage = (uint16_t)u16(body + 58);
    into->dc_current = (uint16_t)u16(body + 60);
    into->va = (uint16_t)u16(body + 67);
    into->ia = (uint16_t)u16(body + 73);
    into->remain_min = (uint16_t)u16(body + 79);
    into->duration_s = u32(body + 81);
    into->energy = u32(body + 85);
    memcpy(into->card_no, body + 104, 32);
    memcpy(into->start_time, body + 137, 8);
}

/* Size of the whole frame at data whose sum is right, 0 when there is none. */
static size_t f5_at(const uint8_t *data, size_t size) {
    uint8_t sum = 0;
    if (size < F5_AROUND || data[0] != 0xAA || data[1] != 0xF5) return 0;
    size_t whole = u16(data + 2);
    if (whole < F5_AROUND || whole > size) return 0;
    for (size_t i = 6; i < whole - 1; i++) sum = (uint8_t)(sum + data[i]);
    return sum == data[whole - 1] ? whole : 0;
}

/* Decode AA F5 frames in memory; the states of all that were seen are added up. */
void limit_decode_aaf5(const uint8_t *data, size_t size, struct tally *tally) {
    static struct status status;
    for (size_t at = 0, whole; at < size; at += whole ? whole : 1) {
        whole = f5_at(data + at, size - at);
        tally->bad_bytes += !whole;
        tally->frames += whole > 0;
        if (whole >= F5_AROUND + F5_STATUS_LEAST && u16(data + at + 6) == F5_STATUS) {
            read_status(data + at + F5_HEAD, &status);
            tally->samples++;
            tally->energy_e4kwh += status.energy * 100;
        }
    }
}

/* Decode a capture of the daemon's own form, read in blocks of a megabyte; -1 when it cannot be opened. */
int limit_capture(const char *path, struct tally *tally) {
    enum { BLOCK = 1 << 20, FILE_HEADER = 24, RECORD_HEADER = 16, PSEUDO = 8 };
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    setvbuf(file, NULL, _IONBF, 0);
    static uint8_t block[2 * BLOCK];
    size_t held = 0, at = FILE_HEADER, got;
    while ((got = fread(block + held, 1, BLOCK, file)) > 0) {
        held += got;
        while (at + RECORD_HEADER <= held) {
            size_t size = u32(block + at + 8);
            if (size > BLOCK - RECORD_HEADER) { fclose(file); return -2; }
            if (at + RECORD_HEADER + size > held) break;
            if (size > PSEUDO && block[at + RECORD_HEADER + 1] <= 1)
                limit_decode(block + at + RECORD_HEADER + PSEUDO, size - PSEUDO, tally);
            at += RECORD_HEADER + size;
        }
        memmove(block, block + at, held - at);
        held -= at;
        at = 0;
    }
    fclose(file);
    return 0;
}
