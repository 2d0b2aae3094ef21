/* CRC-16/XMODEM. */
#include "crc16.h"

uint16_t crc16(struct str bytes) {
    static uint16_t table[256]; /* filled by the first call */
    uint16_t crc = 0;

    if (table[1] == 0) {
        for (unsigned i = 0; i < 256; i++) {
            unsigned value = i << 8;

            for (int bit = 0; bit < 8; bit++) {
                value = value & 0x8000 ? value << 1 ^ 0x1021 : value << 1;
            }
            table[i] = (uint16_t)value;
        }
    }
    for (size_t i = 0; i < bytes.len; i++) {
        crc = (uint16_t)(crc << 8 ^ table[(crc >> 8 ^ (unsigned char)bytes.p[i]) & 0xff]);
    }
    return crc;
}
