/* MessagePack, as far as scripts use it. */
#include "msgpack.h"

#define NUMBER_LIMIT ((uint64_t)1 << 53)

enum { NIL = 0xc0, FALSE = 0xc2, TRUE = 0xc3, BIN8 = 0xc4, BIN16, BIN32, EXT8, EXT16, EXT32 };
enum { FLOAT32 = 0xca, FLOAT64, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64 };
enum { FIXEXT1 = 0xd4, FIXEXT16 = 0xd8, STR8, STR16, STR32, ARRAY16, ARRAY32, MAP16, MAP32 };

/* ---- reading ---- */

static size_t bytes_left(const struct msgpack *m) {
    return (size_t)(m->end - m->p);
}

static uint64_t fail(struct msgpack *m) {
    m->ok = false;
    m->p = m->end;
    return 0;
}

/* count bytes, big-endian. */
static uint64_t take(struct msgpack *m, size_t count) {
    uint64_t value = 0;

    if (bytes_left(m) < count) {
        return fail(m);
    }
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | *m->p++;
    }
    return value;
}

static struct str take_bytes(struct msgpack *m, uint64_t len) {
    struct str s = {(const char *)m->p, (size_t)len};

    if (bytes_left(m) < len) {
        fail(m);
        return (struct str){NULL, 0};
    }
    m->p += len;
    return s;
}

/* The tag of the list's next item; NIL at the end. */
static unsigned next_tag(struct msgpack_list *list) {
    if (list->left == 0) {
        return NIL;
    }
    list->left--;
    return (unsigned)take(list->m, 1);
}

/* The length of an array that begins with this tag. False: the tag of something else. */
static bool array_length(struct msgpack *m, unsigned tag, uint64_t *count) {
    if ((tag & 0xf0) == 0x90) {
        *count = tag & 0x0f;
        return true;
    }
    *count = tag == ARRAY16 ? take(m, 2) : tag == ARRAY32 ? take(m, 4) : 0;
    return tag == ARRAY16 || tag == ARRAY32;
}

/* An item takes at least one byte, so a count above the bytes left is malformed. */
static void begin_list(struct msgpack *m, struct msgpack_list *list, unsigned tag) {
    uint64_t count;

    *list = (struct msgpack_list){m, 0};
    if (!array_length(m, tag, &count) || count > bytes_left(m)) {
        fail(m);
        return;
    }
    list->left = (size_t)count;
}

void msgpack_open(struct msgpack *m, struct msgpack_list *list, struct str bytes) {
    static const unsigned char nothing[1];

    m->p = bytes.len > 0 ? (const unsigned char *)bytes.p : nothing;
    m->end = m->p + bytes.len;
    m->ok = true;
    begin_list(m, list, (unsigned)take(m, 1));
}

bool msgpack_list(struct msgpack_list *list, struct msgpack_list *inner) {
    unsigned tag = next_tag(list);

    if (tag == NIL || tag == FALSE) {
        *inner = (struct msgpack_list){list->m, 0};
        return false;
    }
    begin_list(list->m, inner, tag);
    return list->m->ok;
}

struct str msgpack_str(struct msgpack_list *list) {
    struct msgpack *m = list->m;
    unsigned tag = next_tag(list);

    if ((tag & 0xe0) == 0xa0) {
        return take_bytes(m, tag & 0x1f);
    }
    switch (tag) {
    case NIL:
    case FALSE:
        break;
    case STR8:
    case BIN8:
        return take_bytes(m, take(m, 1));
    case STR16:
    case BIN16:
        return take_bytes(m, take(m, 2));
    case STR32:
    case BIN32:
        return take_bytes(m, take(m, 4));
    default:
        fail(m);
    }
    return (struct str){NULL, 0};
}

static int64_t within_limit(struct msgpack *m, uint64_t size, bool negative) {
    if (size >= NUMBER_LIMIT) {
        return (int64_t)fail(m);
    }
    return negative ? -(int64_t)size : (int64_t)size;
}

static int64_t take_signed(struct msgpack *m, size_t count) {
    uint64_t raw = take(m, count), sign = (uint64_t)1 << (count * 8 - 1);

    if (!(raw & sign)) {
        return within_limit(m, raw, false);
    }
    return within_limit(m, sign - (raw & (sign - 1)), true);
}

int64_t msgpack_int(struct msgpack_list *list) {
    struct msgpack *m = list->m;
    unsigned tag = next_tag(list);

    if (tag < 0x80) {
        return tag;
    }
    if (tag >= 0xe0) {
        return (int64_t)tag - 0x100;
    }
    switch (tag) {
    case NIL:
    case FALSE:
        return 0;
    case TRUE:
        return 1;
    case UINT8:
    case UINT16:
    case UINT32:
    case UINT64:
        return within_limit(m, take(m, (size_t)1 << (tag - UINT8)), false);
    case INT8:
    case INT16:
    case INT32:
    case INT64:
        return take_signed(m, (size_t)1 << (tag - INT8));
    default:
        return (int64_t)fail(m);
    }
}

/* Skips the bytes after a tag. Returns how many items follow as part of this one. */
static uint64_t skip_one(struct msgpack *m, unsigned tag) {
    static const unsigned char fixed[] = {
        [FLOAT32] = 4, [FLOAT64] = 8, [UINT8] = 1, [UINT16] = 2, [UINT32] = 4,
        [UINT64] = 8,  [INT8] = 1,    [INT16] = 2, [INT32] = 4,  [INT64] = 8,
    };
    uint64_t count;

    if (tag < 0x80 || tag >= 0xe0 || tag == NIL || tag == FALSE || tag == TRUE) {
        return 0;
    }
    if (array_length(m, tag, &count)) {
        return count;
    }
    if ((tag & 0xf0) == 0x80 || tag == MAP16 || tag == MAP32) {
        return 2 * (tag == MAP16 ? take(m, 2) : tag == MAP32 ? take(m, 4) : tag & 0x0f);
    }
    if ((tag & 0xe0) == 0xa0) {
        take_bytes(m, tag & 0x1f);
    } else if (tag == STR8 || tag == BIN8) {
        take_bytes(m, take(m, 1));
    } else if (tag == STR16 || tag == BIN16) {
        take_bytes(m, take(m, 2));
    } else if (tag == STR32 || tag == BIN32) {
        take_bytes(m, take(m, 4));
    } else if (tag >= FLOAT32 && tag <= INT64) {
        take_bytes(m, fixed[tag]);
    } else {
        fail(m);
    }
    return 0;
}

static void skip(struct msgpack *m, uint64_t items) {
    while (items > 0 && m->ok) {
        items--;
        items += skip_one(m, (unsigned)take(m, 1));
        if (items > bytes_left(m)) {
            fail(m);
        }
    }
}

void msgpack_list_end(struct msgpack_list *list) {
    skip(list->m, list->left);
    list->left = 0;
}

struct str msgpack_raw(struct msgpack_list *list) {
    const char *begin = (const char *)list->m->p;

    if (list->left == 0 || !list->m->ok) {
        return (struct str){NULL, 0};
    }
    list->left--;
    skip(list->m, 1);
    return list->m->ok ? (struct str){begin, (size_t)((const char *)list->m->p - begin)}
                       : (struct str){NULL, 0};
}

/* ---- writing ---- */

static void put(struct buf *out, unsigned tag, uint64_t value, size_t count) {
    unsigned char bytes[9] = {(unsigned char)tag};

    for (size_t i = 0; i < count; i++) {
        bytes[count - i] = (unsigned char)(value >> (8 * i));
    }
    buf_append(out, bytes, count + 1);
}

void msgpack_put_str(struct buf *out, struct str value) {
    if (value.len < 32) {
        put(out, (unsigned)(0xa0 | value.len), 0, 0);
    } else if (value.len <= 0xff) {
        put(out, STR8, value.len, 1);
    } else if (value.len <= 0xffff) {
        put(out, STR16, value.len, 2);
    } else {
        put(out, STR32, value.len, 4);
    }
    buf_append(out, value.p, value.len);
}

void msgpack_put_int(struct buf *out, int64_t value) {
    if (value < 0) {
        put(out, INT64, (uint64_t)value, 8);
    } else if (value < 0x80) {
        put(out, (unsigned)value, 0, 0);
    } else if (value <= UINT32_MAX) {
        put(out, UINT32, (uint64_t)value, 4);
    } else {
        put(out, UINT64, (uint64_t)value, 8);
    }
}

void msgpack_put_false(struct buf *out) {
    put(out, FALSE, 0, 0);
}
