/* Gives auth the fetcher, and a thread for what would hold up the loop. */
#include "key_source.h"

#include "wslock/base/mem.h"

static void start(void *ctx, const struct auth_fetch *fetch) {
    const struct key_source *source = ctx;
    const struct fetch_request request = {
        .url = fetch->url,
        .accept = "application/jwk-set+json, application/json",
        .max_bytes = fetch->max_bytes,
        .timeout_ms = fetch->timeout_ms,
        .done = fetch->done,
        .ctx = fetch->ctx,
    };
    fetcher_start(source->fetcher, &request);
}

static void cancel(void *ctx) {
    const struct key_source *source = ctx;
    fetcher_cancel(source->fetcher);
}

struct queued_work {
    uv_work_t request;
    struct auth_work *work;
};

static void run(uv_work_t *request) {
    struct auth_work *work = CONTAINER_OF(request, struct queued_work, request)->work;
    work->run(work);
}

static void after_run(uv_work_t *request, int status) {
    struct queued_work *q = CONTAINER_OF(request, struct queued_work, request);
    (void)status; /* nothing cancels it */
    q->work->done(q->work);
    mem_free(q);
}

static void queue_work(void *ctx, struct auth_work *work) {
    const struct key_source *source = ctx;
    struct queued_work *q = mem_zalloc(sizeof *q);
    q->work = work;
    if (uv_queue_work(source->loop, &q->request, run, after_run) != 0) {
        mem_exhausted();
    }
}

struct auth_key_source key_source_of(struct key_source *source, struct wheel *wheel) {
    return (struct auth_key_source){wheel, start, cancel, queue_work, source};
}
