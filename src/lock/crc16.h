/* CRC-16/XMODEM (polynomial 0x1021, initial 0): the hash of keys in Redis Cluster. */
#ifndef WSLOCK_SRC_LOCK_CRC16_H
#define WSLOCK_SRC_LOCK_CRC16_H

#include <stdint.h>

#include "wslock/base/str.h"

uint16_t crc16(struct str bytes);

#endif
