/* `wslockctl audit verify`: the chain over files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/audit/verify.h"
#include "wslock/base/jsonw.h"

#include "audit.h"
#include "text.h"

struct output {
    bool json;
    struct buf line;
    uint64_t findings;
};

static void on_finding(void *ctx, const char *path, uint64_t line, const char *text) {
    struct output *o = ctx;
    struct jsonw w;

    buf_reset(&o->line);
    if (o->json) {
        buf_append_str(&o->line, o->findings == 0 ? "{\"findings\":[\n" : ",\n");
        jsonw_init(&w, &o->line);
        jsonw_object_open(&w);
        jsonw_kcstr(&w, "file", path);
        if (line > 0) {
            jsonw_ki64(&w, "line", (int64_t)line);
        }
        jsonw_kcstr(&w, "message", text);
        jsonw_object_close(&w);
    } else {
        ctl_append_printable(&o->line, str_of(path));
        if (line > 0) {
            buf_printf(&o->line, ":%" PRIu64, line);
        }
        buf_append_str(&o->line, ": ");
        ctl_append_printable(&o->line, str_of(text));
        buf_append_str(&o->line, "\n");
    }
    o->findings++;
    fwrite(o->line.data, 1, o->line.len, stdout);
}

static void print_json(struct output *o, const struct audit_verify_result *r, size_t files) {
    struct jsonw w;

    buf_reset(&o->line);
    buf_append_str(&o->line, o->findings == 0 ? "{\"findings\":[" : "\n");
    buf_append_str(&o->line, "],\"summary\":");
    jsonw_init(&w, &o->line);
    jsonw_object_open(&w);
    jsonw_ki64(&w, "files", (int64_t)files);
    jsonw_ki64(&w, "records", (int64_t)r->records);
    jsonw_kcstr(&w, "firstTime", r->first_time[0] != '\0' ? r->first_time : NULL);
    jsonw_kcstr(&w, "lastTime", r->last_time[0] != '\0' ? r->last_time : NULL);
    jsonw_ki64(&w, "lastSeq", (int64_t)r->last_seq);
    jsonw_kcstr(&w, "lastHash", r->last_seq != 0 ? r->last_hash : NULL);
    jsonw_ki64(&w, "findings", (int64_t)r->findings);
    jsonw_object_close(&w);
    buf_append_str(&o->line, "}\n");
    fwrite(o->line.data, 1, o->line.len, stdout);
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static void print_summary(const struct audit_verify_result *r, size_t files, bool keyed) {
    if (r->changed > 1 && r->changed == r->records) {
        printf("No record verifies: %s\n", keyed ? "is this the key of these files, and are they "
                                                   "keyed?"
                                                 : "is the chain keyed? Then give --key-file");
    }
    printf("%zu file%s, %" PRIu64 " record%s", files, plural(files), r->records,
           plural(r->records));
    if (r->first_time[0] != '\0') {
        printf(" from %s to %s", r->first_time, r->last_time);
    }
    if (r->last_seq != 0) {
        printf(", the last is %" PRIu64 ":%s", r->last_seq, r->last_hash);
    }
    printf(": %" PRIu64 " finding%s\n", r->findings, plural(r->findings));
}

/* SEQ:HASH. The hash is borrowed. */
static bool read_expected(const char *text, struct audit_verify_request *request) {
    const size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 18 || text[0] == '0' || text[digits] != ':') {
        return false;
    }
    request->expect_seq = strtoull(text, NULL, 10);
    request->expect_hash = text + digits + 1;
    return strlen(request->expect_hash) == AUDIT_HASH_LEN &&
           strspn(request->expect_hash, "0123456789abcdef") == AUDIT_HASH_LEN;
}

/* what: the key and the checkpoint. */
static enum ctl_exit verify(const struct ctl_options *options,
                            const struct audit_verify_request *what) {
    struct output output = {.json = options->json};
    struct audit_verify_request request = *what;
    struct audit_verify_result result;

    buf_init(&output.line);
    request.paths = options->words;
    request.count = options->word_count;
    request.on_finding = on_finding;
    request.ctx = &output;
    audit_verify_files(&request, &result);
    if (options->json) {
        print_json(&output, &result, options->word_count);
    } else {
        print_summary(&result, options->word_count, request.key_file != NULL);
    }
    buf_fini(&output.line);
    if (result.unreadable) {
        return CTL_MISSING;
    }
    return result.findings == 0 ? CTL_OK : CTL_FAILED;
}

enum ctl_exit ctl_audit_verify(const struct ctl_options *options) {
    struct audit_verify_request request = {.key_file = options->key_file};
    struct config *config = NULL;
    enum ctl_exit result;

    if (options->expect != NULL && !read_expected(options->expect, &request)) {
        ctl_complain("--expect %s: a number, a colon and a hash of 64 hexadecimal digits, from "
                     "audit_checkpoint in the daemon's log",
                     options->expect);
        return CTL_USAGE;
    }
    if (options->key_file == NULL && (options->config_file != NULL || options->state_dir != NULL)) {
        config = ctl_load_config(options);
        if (config == NULL) {
            return CTL_MISSING;
        }
        request.key_file = config->audit.hmac_key_file;
    }
    result = verify(options, &request);
    config_destroy(&config);
    return result;
}
