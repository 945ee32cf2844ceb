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
