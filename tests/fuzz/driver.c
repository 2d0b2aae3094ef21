/*
 * Stands in for libFuzzer where the compiler has none (gcc): takes the same arguments, runs every
 * file of the given folders, then -runs=N inputs made from them and from the -dict= words by
 * chance. The seed is fixed unless -seed=N says otherwise, and is printed. Options it does not know
 * are skipped. The input that crashed stands in the file that -artifact_prefix= begins.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __asan_set_death_callback(void (*callback)(void)) __attribute__((weak));

#define MAX_PIECES 4096u

struct piece {
    uint8_t *data;
    size_t len;
};

struct pool {
    struct piece items[MAX_PIECES];
    size_t count;
};

static struct pool seeds, words;
static uint64_t random_state = 1;
static size_t max_len = 4096;
static const char *artifact_prefix = "./";
static const uint8_t *running;
static size_t running_len;

/* xorshift64*: the same inputs on every machine. */
static size_t below(size_t bound) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (size_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % bound;
}

static void keep_input(void) {
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof path, "%scrash", artifact_prefix);
    f = running != NULL ? fopen(path, "wb") : NULL;
    if (f == NULL) {
        return;
    }
    (void)fwrite(running, 1, running_len, f);
    (void)fclose(f);
    (void)fprintf(stderr, "the input stands in %s\n", path);
}

static void on_abort(int signal_number) {
    keep_input();
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void add(struct pool *pool, const void *data, size_t len) {
    struct piece *p;

    if (pool->count == MAX_PIECES) {
        return;
    }
    p = &pool->items[pool->count++];
    p->data = malloc(len + 1);
    if (p->data == NULL) {
        abort();
    }
    memcpy(p->data, data, len);
    p->len = len;
}

static void add_file(struct pool *pool, const char *path) {
    uint8_t *data = malloc(max_len);
    FILE *f = fopen(path, "rb");

    if (data != NULL && f != NULL) {
        add(pool, data, fread(data, 1, max_len, f));
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    free(data);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_folder(const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        char path[1024];

        (void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            add_file(&seeds, path);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

/* A dictionary's lines: [name=]"text", with \\, \" and \xNN. */
static void add_word(const char *line) {
    const char *p = strchr(line, '"');
    uint8_t word[256];
    size_t len = 0;

    if (*line == '#' || p == NULL) {
        return;
    }
    for (p++; *p && *p != '"' && len < sizeof word; p++) {
        unsigned byte;

        if (*p == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &byte) == 1) {
            word[len++] = (uint8_t)byte;
            p += 3;
            continue;
        }
        p += *p == '\\' && p[1];
        word[len++] = (uint8_t)*p;
    }
    add(&words, word, len);
}

static void add_dictionary(const char *path) {
    FILE *f = fopen(path, "r");
    char line[1024];

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        add_word(line);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

/* Puts `len` bytes in at `at`, over what stands there or before it. */
static size_t splice(uint8_t *data, size_t size, size_t at, const uint8_t *more, size_t len,
                     int over) {
    if (at + len > max_len) {
        return size;
    }
    if (over) {
        memcpy(data + at, more, len);
        return at + len > size ? at + len : size;
    }
    if (size + len > max_len) {
        return size;
    }
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, more, len);
    return size + len;
}

static size_t mutate(uint8_t *data, size_t size) {
    size_t at = below(size + 1);
    const struct piece *p;
    uint8_t byte;
    size_t from;

    switch (below(6)) {
    case 0:
        if (at < size) {
            data[at] ^= (uint8_t)(1u << below(8));
        }
        return size;
    case 1:
        byte = (uint8_t)below(256);
        return splice(data, size, at, &byte, 1, (int)below(2));
    case 2:
        from = at < size ? below(size - at) + 1 : 0;
        memmove(data + at, data + at + from, size - at - from);
        return size - from;
    case 3:
        if (words.count == 0) {
            return size;
        }
        p = &words.items[below(words.count)];
        return splice(data, size, at, p->data, p->len, (int)below(2));
    case 4:
        p = &seeds.items[below(seeds.count)];
        from = below(p->len + 1);
        return splice(data, size, at, p->data + from, below(p->len - from + 1), (int)below(2));
    default:
        return below(8) == 0 ? at : size;
    }
}

static void run(const uint8_t *data, size_t size) {
    running = data;
    running_len = size;
    (void)LLVMFuzzerTestOneInput(data, size);
    running = NULL;
}

static void run_random(void) {
    const struct piece *seed = &seeds.items[below(seeds.count)];
    uint8_t *data = malloc(max_len + 1), *exact;
    size_t size = seed->len < max_len ? seed->len : max_len;

    if (data == NULL) {
        abort();
    }
    memcpy(data, seed->data, size);
    for (size_t i = below(16) + 1; i > 0; i--) {
        size = mutate(data, size);
    }
    exact = malloc(size > 0 ? size : 1); /* of its own length: reading beyond is seen */
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, data, size);
    run(exact, size);
    free(exact);
    free(data);
}

static void take_option(const char *option, unsigned long *runs) {
    const char *value = strchr(option, '=');

    if (value == NULL) {
        return;
    }
    value++;
    if (strncmp(option, "-runs=", 6) == 0) {
        *runs = strtoul(value, NULL, 10);
    } else if (strncmp(option, "-seed=", 6) == 0) {
        random_state = strtoull(value, NULL, 10) | 1;
    } else if (strncmp(option, "-max_len=", 9) == 0) {
        max_len = strtoul(value, NULL, 10);
    } else if (strncmp(option, "-timeout=", 9) == 0) {
        (void)alarm((unsigned)strtoul(value, NULL, 10) * 60);
    } else if (strncmp(option, "-dict=", 6) == 0) {
        add_dictionary(value);
    } else if (strncmp(option, "-artifact_prefix=", 17) == 0) {
        artifact_prefix = value;
    }
}

static void empty(struct pool *pool) {
    for (size_t i = 0; i < pool->count; i++) {
        free(pool->items[i].data);
    }
    pool->count = 0;
}

int main(int argc, char **argv) {
    unsigned long runs = 0;

    (void)signal(SIGABRT, on_abort);
    if (__asan_set_death_callback) {
        __asan_set_death_callback(keep_input);
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            take_option(argv[i], &runs);
        }
    }
    (void)fprintf(stderr, "seed %llu, %lu runs\n", (unsigned long long)random_state, runs);
    add(&seeds, "", 0);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            add_folder(argv[i]);
        }
    }
    for (size_t i = 0; i < seeds.count; i++) {
        run(seeds.items[i].data, seeds.items[i].len);
    }
    for (unsigned long i = 0; i < runs; i++) {
        run_random();
    }
    empty(&seeds);
    empty(&words);
    return 0;
}
