/* What the three programs here share: the checksum, the frame's envelope, and the bodies they read or write.
 *
 * Written by hand in plain C as the limit that the gateway is measured against. No state, no allocation.
 */
#ifndef PILEGATE_LIMIT_YKC_H
#define PILEGATE_LIMIT_YKC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { START = 0x68, AROUND = 4, LEAST = 4, HEAD = 6, SAMPLE_BODY = 60, RECORD_BODY = 158 };
enum { LOGIN = 0x01, LOGIN_ANSWER, HEARTBEAT, HEARTBEAT_ANSWER, SAMPLE = 0x13, RECORD = 0x3B, RECORD_ANSWER = 0x40,
       CLOCK_ANSWER = 0x55, CLOCK_ORDER = 0x56 };

static uint16_t crc_table[8][256];

/* Slicing-by-8: table k advances a byte by k further zero bytes. */
static void crc_fill(void) {
    for (int i = 0; i < 256; i++) {
        uint16_t value = (uint16_t)i;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xA001 : value >> 1;
        crc_table[0][i] = value;
    }
    for (int i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            crc_table[k][i] = (crc_table[k - 1][i] >> 8) ^ crc_table[0][crc_table[k - 1][i] & 0xFF];
}

static inline uint16_t crc16(const uint8_t *data, size_t size) {
    uint16_t crc = 0xFFFF;
    size_t i = 0;
    for (; i + 8 <= size; i += 8)
        crc = crc_table[7][(data[i] ^ crc) & 0xFF] ^ crc_table[6][(data[i + 1] ^ (crc >> 8)) & 0xFF] ^
              crc_table[5][data[i + 2]] ^ crc_table[4][data[i + 3]] ^ crc_table[3][data[i + 4]] ^
              crc_table[2][data[i + 5]] ^ crc_table[1][data[i + 6]] ^ crc_table[0][data[i + 7]];
    for (; i < size; i++) crc = (crc >> 8) ^ crc_table[0][(crc ^ data[i]) & 0xFF];
    return crc;
}

static inline uint32_t u16(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8; }
static inline uint32_t u32(const uint8_t *at) { return u16(at) | u16(at + 2) << 16; }

static inline uint8_t *put_u16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static inline uint8_t *put_u32(uint8_t *at, uint32_t value) { return put_u16(put_u16(at, value), value >> 16); }

static inline uint8_t *put_bytes(uint8_t *at, const void *data, size_t size) {
    memcpy(at, data, size);
    return at + size;
}

/* The envelope around a body that already stands at frame + HEAD; returns the frame's size. */
static inline size_t enclose(uint8_t *frame, uint8_t kind, uint16_t sequence, size_t body) {
    frame[0] = START;
    frame[1] = (uint8_t)(body + 4);
    put_u16(frame + 2, sequence);
    frame[4] = 0;
    frame[5] = kind;
    put_u16(frame + HEAD + body, crc16(frame + 2, body + 4));
    return HEAD + body + 2;
}

/* Size of the whole, checked frame at data; 0 when it is not complete yet, -1 when it is none. */
static inline long frame_at(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    if (data[0] != START || data[1] < LEAST) return -1;
    size_t whole = data[1] + AROUND;
    if (size < whole) return 0;
    uint16_t crc = crc16(data + 2, whole - 4), told = (uint16_t)u16(data + whole - 2);
    return told == crc || told == (uint16_t)(crc << 8 | crc >> 8) ? (long)whole : -1;
}

struct sample {
    uint8_t serial[16], pile[7], cable_code[8];
    uint8_t gun, state, homed, plugged, cable_temp, soc_percent, battery_temp;
    uint16_t voltage_dv, current_da, charge_min, remain_min, fault_bits;
    uint32_t energy_e4kwh, loss_energy_e4kwh, amount_e4yuan;
};

static inline void read_sample(const uint8_t *body, struct sample *into) {
    memcpy(into->serial, body, 16);
    memcpy(into->pile, body + 16, 7);
    into->gun = body[23];
    into->state = body[24];
    into->homed = body[25];
    into->plugged = body[26];
    into->voltage_dv = (uint16_t)u16(body + 27);
    into->current_da = (uint16_t)u16(body + 29);
    into->cable_temp = body[31];
    memcpy(into->cable_code, body + 32, 8);
    into->soc_percent = body[40];
    into->battery_temp = body[41];
    into->charge_min = (uint16_t)u16(body + 42);
    into->remain_min = (uint16_t)u16(body + 44);
    into->energy_e4kwh = u32(body + 46);
    into->loss_energy_e4kwh = u32(body + 50);
    into->amount_e4yuan = u32(body + 54);
    into->fault_bits = (uint16_t)u16(body + 58);
}

#endif
