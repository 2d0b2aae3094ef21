/* The order of the records of a chain. */
#include "sequence.h"

#include <inttypes.h>
#include <string.h>

#include "wslock/base/mem.h"

static bool follows(const struct chain_link *before, const struct chain_link *link) {
    return link->seq == before->seq + 1 && strcmp(link->prev, before->hash) == 0;
}

static void set_head(struct sequence *s, const struct chain_link *link, bool unchanged) {
    s->begun = true;
    s->head = *link;
    s->head_changed = !unchanged;
    s->unknown = 0;
}

static void remove_gap(struct sequence *s, size_t i) {
    s->gap_count--;
    memmove(&s->gaps[i], &s->gaps[i + 1], (s->gap_count - i) * sizeof s->gaps[0]);
}

static void add_gap(struct sequence *s, uint64_t from, uint64_t to) {
    if (s->gap_count == SEQUENCE_GAPS_MAX) {
        remove_gap(s, 0);
    }
    s->gaps[s->gap_count++] = (struct sequence_gap){from, to};
}

/* Whether seq was missing so far; it is not any more. */
static bool fill_gap(struct sequence *s, uint64_t seq) {
    for (size_t i = 0; i < s->gap_count; i++) {
        const struct sequence_gap gap = s->gaps[i];
        if (seq < gap.from || seq > gap.to) {
            continue;
        }
        remove_gap(s, i);
        if (gap.from < seq) {
            add_gap(s, gap.from, seq - 1);
        }
        if (gap.to > seq) {
            add_gap(s, seq + 1, gap.to);
        }
        return true;
    }
    return false;
}

static char *begin(struct sequence *s, const struct chain_link *link, bool unchanged,
                   bool rotation) {
    const bool lines_before = s->unknown > 0;
    s->first = *link;
    set_head(s, link, unchanged);
    if (link->seq == 1 && strcmp(link->prev, CHAIN_GENESIS) != 0 && unchanged) {
        return mem_printf("seq 1 must have a prev of zeros");
    }
    if (link->seq != 1 && !rotation && !lines_before) {
        add_gap(s, 1, link->seq - 1);
        return mem_printf("the chain begins at seq %" PRIu64 ", in the middle of a file: lines "
                          "before it are missing",
                          link->seq);
    }
    return NULL;
}

static char *jump(struct sequence *s, const struct chain_link *link, bool rotation) {
    const uint64_t due = s->head.seq + 1;
    const bool explained = link->seq - due <= s->unknown;
    set_head(s, link, true);
    if (explained) {
        return NULL;
    }
    add_gap(s, due, link->seq - 1);
    if (link->seq - 1 == due) {
        return mem_printf("seq is %" PRIu64 " where %" PRIu64 " is due: a %s before this line is "
                          "missing or moved",
                          link->seq, due, rotation ? "file" : "line");
    }
    return mem_printf("seq is %" PRIu64 " where %" PRIu64 " is due: %" PRIu64 " records%s before "
                      "this line are missing or moved",
                      link->seq, due, link->seq - due, rotation ? ", perhaps whole files," : "");
}

static char *step_back(struct sequence *s, const struct chain_link *link) {
    const uint64_t due = s->head.seq + 1;
    if (fill_gap(s, link->seq)) {
        return follows(&s->last, link)
                   ? NULL
                   : mem_printf("seq is %" PRIu64 " where %" PRIu64 " is due: the line was moved "
                                "here",
                                link->seq, due);
    }
    if (link->seq == 1 && strcmp(link->prev, CHAIN_GENESIS) == 0 &&
        strcmp(link->hash, s->first.hash) != 0) {
        s->gap_count = 0;
        s->first = *link;
        set_head(s, link, true);
        return mem_printf("seq is 1 where %" PRIu64 " is due: another chain begins here", due);
    }
    return mem_printf("seq is %" PRIu64 " where %" PRIu64 " is due: the line was added, or is a "
                      "copy of another",
                      link->seq, due);
}

static char *place(struct sequence *s, const struct chain_link *link, bool unchanged,
                   bool rotation) {
    const uint64_t due = s->head.seq + 1;
    if (!s->begun) {
        return begin(s, link, unchanged, rotation);
    }
    if (link->seq == due) {
        const bool doubtful = s->head_changed || !unchanged;
        const bool fits = strcmp(link->prev, s->head.hash) == 0;
        set_head(s, link, unchanged);
        return fits || doubtful
                   ? NULL
                   : mem_printf("prev is not the hash of the record before: the line before, or "
                                "this one, was changed and has a new hash");
    }
    if (!unchanged) { /* so its seq may be too */
        sequence_skip(s);
        return NULL;
    }
    if (s->head_changed && follows(&s->last, link)) { /* head is an added line */
        set_head(s, link, true);
        return NULL;
    }
    return link->seq > due ? jump(s, link, rotation) : step_back(s, link);
}

void sequence_skip(struct sequence *s) {
    s->unknown++;
}

char *sequence_add(struct sequence *s, const struct chain_link *link, bool unchanged,
                   bool rotation) {
    char *problem = place(s, link, unchanged, rotation);
    if (unchanged) {
        s->last = *link;
    }
    return problem;
}
