/* Checks files of audit records line by line. */
#include "wslock/audit/verify.h"

#include <inttypes.h>
#include <string.h>

#include "chain.h"
#include "record.h"
#include "sequence.h"
#include "wslock/audit/lines.h"
#include "wslock/base/mem.h"

#define TIME_MARK "{\"time\":\""

_Static_assert(AUDIT_TIME_LEN == RECORD_TIME_LEN && AUDIT_HASH_LEN == CHAIN_HASH_LEN, "lengths");

struct file {
    const char *path;
    struct chain_link first; /* its first record, or seq 0 */
    bool done;
};

struct verify {
    const struct audit_verify_request *request;
    struct audit_verify_result *result;
    struct chain *chain;
    struct sequence sequence;
    const char *path;
    uint64_t line;
    uint64_t first_seq; /* of the first record; 0: none yet */
    bool expected_seen;
};

/* Takes over text. */
static void tell(struct verify *v, char *text) {
    v->result->findings++;
    v->request->on_finding(v->request->ctx, v->path, v->line, text);
    mem_free(text);
}

static bool is_rotation(struct str line) {
    static const char mark[] = "\",\"action\":\"AUDIT_ROTATED\"";
    const size_t at = strlen(TIME_MARK) + RECORD_TIME_LEN;
    return line.len > at + sizeof mark && memcmp(line.p + at, mark, sizeof mark - 1) == 0;
}

static void note_time(struct audit_verify_result *result, struct str line) {
    const size_t at = strlen(TIME_MARK);
    if (line.len < at + RECORD_TIME_LEN || memcmp(line.p, TIME_MARK, at) != 0 ||
        strspn(line.p + at, "0123456789-T:.Z") < RECORD_TIME_LEN) {
        return;
    }
    memcpy(result->last_time, line.p + at, RECORD_TIME_LEN);
    if (result->first_time[0] == '\0') {
        memcpy(result->first_time, line.p + at, RECORD_TIME_LEN);
    }
}

static void check_expected(struct verify *v, const struct chain_link *link) {
    const struct audit_verify_request *r = v->request;
    if (r->expect_hash == NULL || link->seq != r->expect_seq) {
        return;
    }
    v->expected_seen = true;
    if (strcmp(link->hash, r->expect_hash) != 0) {
        tell(v, mem_printf("record %" PRIu64 " has another hash than is expected: the chain was "
                           "made anew, or is another one",
                           link->seq));
    }
}

static void check_line(struct verify *v, struct str line) {
    struct chain_link link;
    bool unchanged = true;
    switch (chain_check_line(v->chain, line, &link)) {
    case CHAIN_MALFORMED:
        tell(v, mem_printf("not an audit record"));
        sequence_skip(&v->sequence);
        return;
    case CHAIN_MISMATCH:
        tell(v, mem_printf("hash does not fit the line's bytes: the line was changed, or chained "
                           "with another key"));
        unchanged = false;
        v->result->changed++;
        break;
    case CHAIN_OK:
        break;
    }
    v->result->records++;
    v->first_seq = v->first_seq == 0 ? link.seq : v->first_seq;
    note_time(v->result, line);
    char *problem = sequence_add(&v->sequence, &link, unchanged, is_rotation(line));
    if (problem != NULL) {
        tell(v, problem);
    }
    check_expected(v, &link);
}

static void check_lines(struct verify *v, struct audit_lines *lines) {
    struct str line;
    for (;;) {
        v->line++;
        switch (audit_lines_next(lines, &line)) {
        case AUDIT_LINE_WHOLE:
            check_line(v, line);
            break;
        case AUDIT_LINE_TOO_LONG:
            tell(v, mem_printf("longer than any audit record"));
            sequence_skip(&v->sequence);
            break;
        case AUDIT_LINE_TORN:
            if (!audit_lines_in_use(lines)) {
                tell(v, mem_printf("the last line is torn: it has no line end"));
                sequence_skip(&v->sequence);
            }
            return;
        case AUDIT_LINE_FAILED:
            tell(v, mem_printf("cannot read on: %s", audit_lines_problem(lines)));
            v->result->unreadable = true;
            return;
        case AUDIT_LINE_END:
            if (v->line == 1 && !audit_lines_in_use(lines)) {
                tell(v, mem_printf("holds no records"));
            }
            return;
        }
    }
}

static void check_file(struct verify *v, const char *path) {
    const char *why = NULL;
    struct audit_lines *lines = audit_lines_open(path, &why);
    v->path = path;
    v->line = 0;
    if (lines == NULL) {
        tell(v, mem_printf("cannot be read: %s", why));
        v->result->unreadable = true;
        return;
    }
    check_lines(v, lines);
    audit_lines_close(&lines);
}

static void find_first(struct verify *v, struct file *file) {
    const char *why = NULL;
    struct audit_lines *lines = audit_lines_open(file->path, &why);
    struct str line = {NULL, 0};
    enum audit_line got = AUDIT_LINE_TOO_LONG;
    while (lines != NULL && (got == AUDIT_LINE_WHOLE || got == AUDIT_LINE_TOO_LONG)) {
        got = audit_lines_next(lines, &line);
        if (got == AUDIT_LINE_WHOLE &&
            chain_check_line(v->chain, line, &file->first) != CHAIN_MALFORMED) {
            break;
        }
        file->first.seq = 0;
    }
    audit_lines_close(&lines);
}

/* Whether a is the one to go on with rather than b: it continues the chain, else it has the next
 * seq behind the head, else the lowest. Files without a record come last. */
static bool is_nearer(const struct chain_link *head, const struct file *a, const struct file *b) {
    const bool a_follows = strcmp(a->first.prev, head->hash) == 0;
    const bool b_follows = strcmp(b->first.prev, head->hash) == 0;
    if ((a->first.seq == 0) != (b->first.seq == 0)) {
        return b->first.seq == 0;
    }
    if (a_follows != b_follows) {
        return a_follows;
    }
    if ((a->first.seq > head->seq) != (b->first.seq > head->seq)) {
        return a->first.seq > head->seq;
    }
    return a->first.seq < b->first.seq;
}

static struct file *next_file(struct verify *v, struct file *files) {
    struct file *next = NULL;
    for (size_t i = 0; i < v->request->count; i++) {
        struct file *file = &files[i];
        if (!file->done && (next == NULL || is_nearer(&v->sequence.head, file, next))) {
            next = file;
        }
    }
    return next;
}

static void check_files(struct verify *v) {
    struct file *files = mem_calloc(v->request->count, sizeof *files);
    struct file *file;
    for (size_t i = 0; i < v->request->count; i++) {
        files[i].path = v->request->paths[i];
        find_first(v, &files[i]);
    }
    while ((file = next_file(v, files)) != NULL) {
        file->done = true;
        check_file(v, file->path);
    }
    mem_free(files);
}

static void tell_missing(struct verify *v) {
    const uint64_t seq = v->request->expect_seq;
    v->line = 0;
    if (v->first_seq == 0 || seq > v->sequence.head.seq) {
        tell(v, mem_printf("record %" PRIu64 " is expected, but the last one is %" PRIu64
                           ": the end was cut off, or the newest file is not among these",
                           seq, v->sequence.head.seq));
    } else if (seq < v->first_seq) {
        tell(v, mem_printf("record %" PRIu64 " is expected, but the first one is %" PRIu64
                           ": older files are not among these",
                           seq, v->first_seq));
    } else {
        tell(v, mem_printf("record %" PRIu64 " is expected, but is not there", seq));
    }
}

void audit_verify_files(const struct audit_verify_request *request,
                        struct audit_verify_result *result) {
    struct verify v = {.request = request, .result = result, .path = request->key_file};
    char *problem = NULL;
    *result = (struct audit_verify_result){0};
    v.chain = chain_create(request->key_file, &problem);
    if (v.chain == NULL) {
        tell(&v, mem_strdup(problem + strlen("audit.hmacKeyFile: ") + strlen(v.path) + 2));
        mem_free(problem);
        result->unreadable = true;
        return;
    }
    check_files(&v);
    if (request->expect_hash != NULL && !v.expected_seen && request->count > 0) {
        tell_missing(&v);
    }
    result->last_seq = v.sequence.head.seq;
    memcpy(result->last_hash, v.sequence.head.hash, sizeof result->last_hash);
    chain_destroy(&v.chain);
}
