/*
 * The configuration as one struct. Made by config_load_* from one table of keys, which also writes
 * `--print-config` and docs/configuration.md. All durations in milliseconds. Every pointer belongs
 * to the struct config.
 *
 * The daemon owns the configuration in force; modules have a pointer to it. It stays where it is: a
 * reload (config_exchange) exchanges the values of the keys that a reload may change. So a module
 * reads such a value where it uses it, keeps no pointer into it beyond a call, and has a *_reload
 * function if it has made something from it. A policy is kept by its handle, struct
 * config_resource_type.
 */
#ifndef WSLOCK_CONFIG_CONFIG_H
#define WSLOCK_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/log.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define CONFIG_NO_LIMIT (-1)          /* a limit that is null */
#define CONFIG_MAX_HEADER_BYTES 65536 /* upper bound of maxHeaderBytes */

struct config_strings {
    char **items;
    size_t count;
    bool set; /* false: the key is absent or null */
};

enum config_upgrade { CONFIG_UPGRADE_DENY, CONFIG_UPGRADE_QUEUE, CONFIG_UPGRADE_REQUEST };
enum config_disconnect {
    CONFIG_DISCONNECT_RELEASE,
    CONFIG_DISCONNECT_GRACE,
    CONFIG_DISCONNECT_PROMPT
};
enum config_takeover { CONFIG_TAKEOVER_IMMEDIATE, CONFIG_TAKEOVER_REQUEST, CONFIG_TAKEOVER_NEVER };
enum config_presence { CONFIG_PRESENCE_FULL, CONFIG_PRESENCE_MINIMAL };
enum config_fsync { CONFIG_FSYNC_BATCH, CONFIG_FSYNC_NONE };
enum config_on_failure {
    CONFIG_ON_FAILURE_STOP_ADMIN,
    CONFIG_ON_FAILURE_STOP_ALL,
    CONFIG_ON_FAILURE_CONTINUE
};

/* The settings of a resource type: `default` overridden by `resourceTypes.<type>`. */
struct config_policy {
    const char *type; /* "other" for types that the configuration does not name, as in metrics */
    int64_t lock_ttl_ms;
    int64_t heartbeat_interval_ms;
    int64_t max_tab_locks; /* or CONFIG_NO_LIMIT */
    int64_t max_viewers;   /* or CONFIG_NO_LIMIT */
    enum config_upgrade upgrade;
    int64_t max_waiters;
    bool requests;
    int64_t request_timeout_ms;
    int64_t claim_window_ms;
    enum config_disconnect disconnect;
    int64_t grace_period_ms;
    enum config_takeover takeover;
    int64_t takeover_timeout_ms;
    bool urgent_takeover;
    struct config_strings editor_roles;   /* !set: every valid token may edit */
    struct config_strings takeover_roles; /* !set: auth.adminRoles */
    int64_t idle_release_ms;              /* or CONFIG_NO_LIMIT */
    enum config_presence presence;
    int64_t presence_max_listed;
};

struct config_listen {
    char *address;
    int port; /* 0: any free port (shown in the log) */
    bool tls;
    char *tls_certificate_file, *tls_key_file;
    char *tls_min_version; /* "1.2" or "1.3" */
    bool plaintext;
    struct config_strings trusted_proxies; /* CIDR texts, checked */
    char *systemd_socket;                  /* or NULL */
    bool ipv6_only;                        /* `::` leaves IPv4 alone */
};

struct config_key {
    char *kid; /* or NULL */
    char *alg;
    char *secret_file, *public_key_file; /* exactly one; a `credential:NAME` is already resolved */
};

struct config {
    struct config_listen *listen;
    size_t listen_count;

    struct {
        bool enabled; /* false when `ops: null` */
        char *address;
        int port;         /* 0: any free port */
        bool ipv6_only;   /* not a key: another listener has the port for IPv4 */
        char *socket;     /* or NULL */
        char *token_file; /* or NULL */
        int64_t ready_grace_ms;
    } ops;

    struct {
        char *native, *socketio;
        bool polling;
    } paths;

    struct config_strings allowed_origins;
    char *instance; /* default: host name and the first listener's port */
    int64_t drain_timeout_ms;

    struct {
        char *issuer; /* or NULL */
        struct config_strings audience;
        struct config_strings algorithms;
        struct config_key *keys;
        size_t key_count;
        char *jwks_url, *jwks_file; /* at most one */
        int64_t jwks_refresh_ms, jwks_cooldown_ms, jwks_max_age_ms;
        int64_t clock_skew_ms;
        char *claim_user_id, *claim_username, *claim_roles;
        struct config_strings admin_roles;
        char *cookie; /* or NULL */
        int64_t auth_timeout_ms;
    } auth;

    struct {
        /* From url; exactly one of host and unix_path unless embedded, sentinel or cluster is set.
         */
        char *host;
        int port;
        char *unix_path;
        bool use_tls;
        char *username, *password; /* secret; from url or passwordFile */
        int database;
        bool embedded;
        char *sentinel_master;
        struct config_strings sentinel_nodes;
        char *sentinel_username, *sentinel_password;
        struct config_strings cluster_nodes;
        char *tls_ca_file, *tls_certificate_file, *tls_key_file;
        char *key_prefix;
        int shards;
        int64_t command_timeout_ms, start_timeout_ms, lease_ms;
        int wait_replicas;
        char *url, *password_file, *sentinel_password_file; /* private: as given in the file */
    } redis;

    struct config_policy default_policy;
    struct config_policy *types;
    size_t type_count;
    bool reject_unknown_types;
    bool reject_two_part_ids;

    struct {
        int64_t max_connections;
        int64_t max_connections_per_address; /* or CONFIG_NO_LIMIT */
        int64_t handshakes_per_second;
        int64_t max_connections_per_user;
        int64_t max_rooms_per_connection;
        int64_t max_message_bytes;
        int64_t max_header_bytes; /* of a request: its line and its headers */
        int64_t messages_per_second, message_burst;
        int64_t send_queue_bytes;
        int64_t ping_interval_ms, pong_timeout_ms;
    } limits;

    struct {
        char *file; /* "-": standard output */
        enum config_fsync fsync;
        enum config_on_failure on_failure;
        char *hmac_key_file; /* or NULL */
        int64_t checkpoint_ms;
        bool omit_free_text;
    } audit;

    struct {
        enum log_level level;
        enum log_format format;
    } log;

    char *ticket_signing_key_file; /* or NULL */

    /* Set by `--dev` only, by no key of the file. */
    bool dev;
    char *state_dir; /* where the embedded Redis and development keys live; or NULL */

    bool instance_derived, own_page_derived; /* private: from the first listener's port */
    struct config_node *root; /* private: the tree that was read, with line numbers */
};

/* A problem found: `file:line: key: text`. */
typedef void (*config_problem_cb)(void *ctx, const char *file, int line, const char *key,
                                  const char *text);

/* Reads and checks everything, reporting every problem; NULL if there was any. The caller owns the
 * result. Relative file names are taken as they are. `path` must live as long as the result. */
struct config *config_load_file(const char *path, config_problem_cb on_problem,
                                void *ctx) MUST_CHECK;
/* The same from memory; `name` stands for the file in problems, and must live as long as the
 * result. */
struct config *config_load_text(const char *name, const char *text, size_t len,
                                config_problem_cb on_problem, void *ctx) MUST_CHECK;
/* What --dev uses: see docs/configuration.md. Nothing is made: see config_make_dev. The file
 * `dev-key` in state_dir is the secret of the HS256 key `dev`; roles stand in the claim `roles`.
 * The keys of the file `path`, when it is not NULL, go over the defaults of --dev; addresses other
 * than loopback are refused. allowedOrigins follows the first listener's port unless the file names
 * it. NULL with a problem reported. */
struct config *config_load_dev(const char *state_dir, const char *path,
                               config_problem_cb on_problem, void *ctx) MUST_CHECK;
/* Makes state_dir, mode 0700, and `dev-key` in it, mode 0600. False with a problem reported. */
bool config_make_dev(const char *state_dir, config_problem_cb on_problem, void *ctx) MUST_CHECK;
/* Whether the directory is there or can be made, and under --dev its `dev-key` will do if it is
 * there; nothing is made. */
bool config_check_state_dir(const struct config *c, const char *state_dir,
                            config_problem_cb on_problem, void *ctx) MUST_CHECK;
/* The state_dir of --dev and of the embedded Redis: the given one, or if that is NULL of
 * $STATE_DIRECTORY (systemd) the first, $XDG_STATE_HOME/wslockd, ~/.local/state/wslockd. Heap. */
char *config_state_dir(const char *given) MUST_CHECK;
/* The first listener has got this port. Where the file said 0, what is derived from the port (the
 * default of `instance`, allowedOrigins of --dev) is derived anew. Before anyone else has a
 * pointer into it. */
void config_bound_port(struct config *c, int port);
void config_destroy(struct config **c); /* wipes secrets */
/* Whether next may take the place of current. False with each key reported, as a problem of next,
 * that differs and that a reload cannot change. Call config_bound_port on next first. */
bool config_may_reload(const struct config *current, const struct config *next,
                       config_problem_cb on_problem, void *ctx) MUST_CHECK;
/* Exchanges the values of all keys that a reload may change. */
void config_exchange(struct config *current, struct config *next);

/* Reports settings that are valid but work badly. Each text begins with "warning: ". */
void config_warn(const struct config *c, config_problem_cb on_problem, void *ctx);
/* Whether the file gives this key (such as "listen[0].port") a value other than null. */
bool config_gives(const struct config *c, const char *key);
/* A problem outside of the configuration, such as in a file that a key names. The text begins with
 * the key: "ops.tokenFile: /path: Permission denied". */
typedef void (*config_finding_cb)(void *ctx, const char *finding);
/* Reports a finding as a problem at its key's line. */
void config_complain(const struct config *c, const char *finding, config_problem_cb on_problem,
                     void *ctx);

/* The policy of a type; NULL if unknown types are rejected. */
const struct config_policy *config_policy_for(const struct config *c, struct str type);

/* A resource type: the handle of its policy. It lives as long as struct config_types; what it
 * points to changes with a reload, so the policy itself is not kept beyond a call. */
struct config_resource_type {
    const struct config_policy *policy;
};
struct config_types;

/* c must outlive the result. */
struct config_types *config_types_create(const struct config *c);
void config_types_destroy(struct config_types **types);
/* All types that the configuration does not name share one handle; NULL if those are rejected. */
const struct config_resource_type *config_types_find(const struct config_types *types,
                                                     struct str type);
/* Call it after config_exchange. A type that the new configuration does not name any more gets the
 * policy of `default`. Callers that keep a handle must find it again: an unnamed type has another
 * handle than a named one. */
void config_types_reload(struct config_types *types);
/* The settings of a policy as a JSON object, and where each comes from: the name of each is
 * {"value", "from", "file", "line"}. value: a duration is text as in the file. from:
 * "resourceTypes.T.name", "default.name" or "built-in", which has neither file nor line. type: of
 * the resource; a type without a name in the configuration gets "default". */
void config_explain(const struct config *c, const struct config_policy *policy, struct str type,
                    struct jsonw *w);
/* The file that was read; NULL under --dev. */
const char *config_file_name(const struct config *c);
/* How long a client may assume that it has its lock without a sign of the server (protocol §6). */
int64_t config_liveness_ms(const struct config_policy *policy);

/* The effective configuration as YAML that config_load_text reads again, secrets masked. */
void config_print(const struct config *c, struct buf *out);
/* docs/configuration.md's reference part, from the table of keys. */
void config_write_reference(struct buf *out);
/* The same for wslockd.yaml(5), in man(7). */
void config_write_man_reference(struct buf *out);

#endif
