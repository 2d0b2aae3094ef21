/* The table of all keys. */
#include "table.h"

#include <assert.h>
#include <string.h>

/* offsetof; the compiler also checks that the field has the type of the row. */
#define FIELD(owner, field, ctype)                                                                 \
    (offsetof(owner, field) + 0 * sizeof(&((owner *)0)->field == (ctype *)0))

#define BOOL(owner, path_, field)                                                                  \
    .path = (path_), .type = CONFIG_TYPE_BOOL, .offset = FIELD(owner, field, bool)
#define INT(owner, path_, field)                                                                   \
    .path = (path_), .type = CONFIG_TYPE_INT, .offset = FIELD(owner, field, int)
#define COUNT(owner, path_, field)                                                                 \
    .path = (path_), .type = CONFIG_TYPE_COUNT, .offset = FIELD(owner, field, int64_t)
#define DURATION(owner, path_, field)                                                              \
    .path = (path_), .type = CONFIG_TYPE_DURATION, .min = 100,                                     \
    .offset = FIELD(owner, field, int64_t)
#define SIZE(owner, path_, field)                                                                  \
    .path = (path_), .type = CONFIG_TYPE_SIZE, .offset = FIELD(owner, field, int64_t)
#define TEXT(owner, path_, field)                                                                  \
    .path = (path_), .type = CONFIG_TYPE_TEXT, .offset = FIELD(owner, field, char *)
#define SECRET_FILE(owner, path_, field)                                                           \
    .path = (path_), .type = CONFIG_TYPE_FILE, .offset = FIELD(owner, field, char *)
#define CHOICE(owner, path_, field, words_)                                                        \
    .path = (path_), .type = CONFIG_TYPE_CHOICE, .offset = offsetof(owner, field), .words = (words_)
#define FLAG(owner, path_, field, words_)                                                          \
    .path = (path_), .type = CONFIG_TYPE_FLAG, .offset = FIELD(owner, field, bool),                \
    .words = (words_)
#define STRINGS(owner, path_, field)                                                               \
    .path = (path_), .type = CONFIG_TYPE_STRINGS,                                                  \
    .offset = FIELD(owner, field, struct config_strings)
#define SECTION(path_) .path = (path_), .type = CONFIG_TYPE_SECTION
#define PRESENT(owner, field) .present = true, .offset = FIELD(owner, field, bool)
#define ITEMS(owner, path_, type_, field, count_, item)                                            \
    .path = (path_), .type = (type_), .offset = FIELD(owner, field, item *),                       \
    .count_offset = FIELD(owner, count_, size_t)

#define RESTART .reload = CONFIG_RELOAD_RESTART
#define SECONDS(n) ((int64_t)(n)*1000)
#define MINUTES(n) SECONDS((n)*60)
#define HOURS(n) MINUTES((n)*60)
#define KIB(n) ((int64_t)(n)*1024)
#define MIB(n) KIB((n)*1024)

#define ROOT struct config
#define LISTEN struct config_listen
#define KEYS struct config_key
#define POLICY struct config_policy

static_assert(sizeof(enum config_upgrade) == sizeof(unsigned) &&
                  sizeof(enum log_level) == sizeof(unsigned),
              "CHOICE rows are stored as unsigned");

static const char ALG_NAMES[] = /* ", `HS256`, `HS384`" and so on */
#define ALG(id, name, family, digest, size_bytes, group) ", `" name "`"
#include "wslock/config/algs.def"
#undef ALG
    ;
static const char *const UPGRADE[] = {"deny", "queue", "request", NULL};
static const char *const DISCONNECT[] = {"release", "grace", "prompt", NULL};
static const char *const TAKEOVER[] = {"immediate", "request", "never", NULL};
static const char *const PRESENCE[] = {"full", "minimal", NULL};
static const char *const UNKNOWN_TYPES[] = {"default", "reject", NULL};
static const char *const TWO_PART_IDS[] = {"normalize", "reject", NULL};
static const char *const FSYNC[] = {"batch", "none", NULL};
static const char *const ON_FAILURE[] = {"stop-admin", "stop-all", "continue", NULL};
static const char *const FREE_TEXT[] = {"keep", "omit", NULL};
static const char *const LOG_LEVELS[] = {"error", "warn", "info", "debug", NULL};
static const char *const LOG_FORMATS[] = {"text", "json", NULL};

static const struct config_row LISTEN_ROWS[] = {
    {TEXT(LISTEN, "address", address), .check = config_check_address, .shape = "an IP address",
     .null_means = "with `systemdSocket`", RESTART,
     .doc = "Where to listen, `0.0.0.0` or `::` for everywhere. Needed without `systemdSocket`."},
    {INT(LISTEN, "port", port), .fallback = "0", .max = 65535, RESTART,
     .doc = "`0` is any free port, which the log tells. Needed without `systemdSocket`."},
    {SECTION("tls"), PRESENT(LISTEN, tls), .fallback = "false", .null_means = "no TLS", RESTART,
     .doc = "TLS of this listener."},
    {SECRET_FILE(LISTEN, "tls.certificate", tls_certificate_file), .required = true, RESTART,
     .doc = "PEM file with the certificate and its chain."},
    {SECRET_FILE(LISTEN, "tls.key", tls_key_file), .required = true, RESTART,
     .doc = "PEM file with the private key."},
    {TEXT(LISTEN, "tls.minVersion", tls_min_version), .fallback = "1.2",
     .check = config_check_tls_version, .shape = "`\"1.2\"` or `\"1.3\"`", RESTART,
     .doc = "The lowest version of TLS that is spoken."},
    {BOOL(LISTEN, "plaintext", plaintext), .fallback = "false", RESTART,
     .doc = "Must be `true` where there is no `tls`: behind a proxy that does TLS."},
    {STRINGS(LISTEN, "trustedProxies", trusted_proxies), .fallback = "[]",
     .check = config_check_cidr, .shape = "networks such as `10.0.0.0/8`",
     .doc = "Whose `X-Forwarded-For` counts."},
    {TEXT(LISTEN, "systemdSocket", systemd_socket), .check = config_check_fd_name,
     .null_means = "the daemon binds by itself", RESTART,
     .doc = "The `FileDescriptorName=` of a socket handed over by systemd."},
    {BOOL(LISTEN, "ipv6Only", ipv6_only), .fallback = "false", RESTART,
     .doc = "`::` serves IPv4 too unless this is `true`, or another listener has an IPv4 address "
            "with the same port."},
};

static const struct config_row KEY_ROWS[] = {
    {TEXT(KEYS, "kid", kid), .check = config_check_text,
     .null_means = "for tokens that name none, or one that no other key of this `alg` has",
     .doc = "The key's id, as tokens name it."},
    {TEXT(KEYS, "alg", alg), .required = true, .check = config_check_alg,
     .shape = "a JWS algorithm",
     .doc =
         "The one algorithm that this key is used with; unused unless it is in `auth.algorithms`."},
    {SECRET_FILE(KEYS, "secretFile", secret_file), .null_means = "none",
     .doc = "The shared secret of `HS256`, `HS384` or `HS512`."},
    {SECRET_FILE(KEYS, "publicKeyFile", public_key_file), .null_means = "none",
     .doc = "PEM file with the public key of any other algorithm."},
};

static const struct config_row POLICY_ROWS[] = {
    {DURATION(POLICY, "lockTtl", lock_ttl_ms), .fallback = "5m", .max = HOURS(24),
     .doc = "A lock without a heartbeat for this long expires."},
    {DURATION(POLICY, "heartbeatInterval", heartbeat_interval_ms), .fallback = "60s",
     .max = HOURS(12),
     .doc = "How often a holder is asked to say that it is there; at most half of `lockTtl`."},
    {COUNT(POLICY, "maxConcurrentTabLocksPerUser", max_tab_locks), .fallback = "5", .min = 1,
     .max = 10000, .null_means = "no limit",
     .doc = "How many children of one document a user may hold at once."},
    {COUNT(POLICY, "maxViewersPerChild", max_viewers), .fallback = "null", .min = 1, .max = 1000000,
     .null_means = "no limit", .doc = "How many connections may view one resource."},
    {CHOICE(POLICY, "upgrade", upgrade, UPGRADE), .fallback = "deny",
     .doc = "Who wants a held lock is refused, waits in a queue, or asks the holder."},
    {COUNT(POLICY, "maxWaiters", max_waiters), .fallback = "100", .min = 1, .max = 1000,
     .doc = "Length of the queue for one resource."},
    {BOOL(POLICY, "requests", requests), .fallback = "false",
     .doc = "Asking the holder is possible under `deny` and `queue` too."},
    {DURATION(POLICY, "requestTimeout", request_timeout_ms), .fallback = "2m", .max = HOURS(1),
     .doc = "A request without an answer ends after this long."},
    {DURATION(POLICY, "claimWindow", claim_window_ms), .fallback = "30s", .max = HOURS(1),
     .doc = "How long a lock stays reserved for the one whose turn it is."},
    {CHOICE(POLICY, "disconnect", disconnect, DISCONNECT), .fallback = "grace",
     .doc = "When the holder's connection breaks: the lock is released at once, kept for "
            "`gracePeriod`, or kept while the room is asked who wants it."},
    {DURATION(POLICY, "gracePeriod", grace_period_ms), .fallback = "30s", .max = HOURS(1),
     .doc = "How long the tab of a broken connection may come back for its lock."},
    {CHOICE(POLICY, "takeover", takeover, TAKEOVER), .fallback = "request",
     .doc = "An administrator takes a lock at once, after the holder was asked, or never."},
    {DURATION(POLICY, "takeoverTimeout", takeover_timeout_ms), .fallback = "30s", .max = HOURS(1),
     .doc = "Under `takeover: request` the lock moves after this long, whatever the holder says."},
    {BOOL(POLICY, "urgentTakeover", urgent_takeover), .fallback = "false",
     .doc = "A takeover marked `urgent` skips that wait, and the audit record says so."},
    {STRINGS(POLICY, "editorRoles", editor_roles), .fallback = "null", .check = config_check_text,
     .null_means = "every valid token may edit", .doc = "Roles of which an editor needs one."},
    {STRINGS(POLICY, "takeoverRoles", takeover_roles), .fallback = "null",
     .check = config_check_text, .null_means = "`auth.adminRoles`",
     .doc = "Roles of which a takeover needs one."},
    {DURATION(POLICY, "idleRelease", idle_release_ms), .fallback = "null", .max = HOURS(24),
     .null_means = "never",
     .doc = "Releases the lock after this long without a heartbeat that says `active`."},
    {CHOICE(POLICY, "presence", presence, PRESENCE), .fallback = "full",
     .doc = "`minimal` keeps display names and expiry times out of every message."},
    {COUNT(POLICY, "presenceMaxListed", presence_max_listed), .fallback = "200", .min = 1,
     .max = 10000, .doc = "How many users of a room are listed; the rest are only counted."},
};

#define SCOPE(rows_, type)                                                                         \
    { .rows = (rows_), .count = ARRAY_LEN(rows_), .size_bytes = sizeof(type) }

static const struct config_scope LISTEN_SCOPE = SCOPE(LISTEN_ROWS, struct config_listen);
static const struct config_scope KEY_SCOPE = SCOPE(KEY_ROWS, struct config_key);
const struct config_scope CONFIG_POLICY = SCOPE(POLICY_ROWS, struct config_policy);

static const struct config_row ROOT_ROWS[] = {
    {ITEMS(ROOT, "listen", CONFIG_TYPE_LIST, listen, listen_count, struct config_listen),
     .scope = &LISTEN_SCOPE, .required = true, RESTART,
     .doc = "The public listeners, one or more. Adding, moving or removing one needs a restart."},

    {SECTION("ops"), PRESENT(ROOT, ops.enabled), .fallback = "true",
     .null_means = "no operations endpoint", RESTART,
     .doc = "The operations endpoint: health, metrics and the operator's requests."},
    {TEXT(ROOT, "ops.address", ops.address), .fallback = "127.0.0.1", .check = config_check_address,
     .shape = "an IP address", RESTART, .doc = "Never a public one."},
    {INT(ROOT, "ops.port", ops.port), .fallback = "9464", .max = 65535, RESTART,
     .doc = "`0` is any free port, which the log tells."},
    {TEXT(ROOT, "ops.socket", ops.socket), .fallback = "/run/wslockd/ops.sock",
     .check = config_check_socket_path, .null_means = "none", RESTART,
     .doc = "Unix socket with the same requests, mode 0660: its permissions decide who may."},
    {SECRET_FILE(ROOT, "ops.tokenFile", ops.token_file), .null_means = "only the open paths",
     RESTART, .doc = "The bearer token of every path but `/healthz`, `/readyz`, `/metrics`."},
    {DURATION(ROOT, "ops.readyGrace", ops.ready_grace_ms), .fallback = "15s", .max = HOURS(1),
     RESTART, .doc = "`/readyz` stays 200 while the store is away for less than this."},

    {SECTION("paths"), RESTART, .doc = "Where the two framings are served."},
    {TEXT(ROOT, "paths.native", paths.native), .fallback = "/ws", .check = config_check_url_path,
     .shape = "a path", RESTART, .doc = "WebSocket with the subprotocol `wslock.v1`."},
    {TEXT(ROOT, "paths.socketio", paths.socketio), .fallback = "/socket.io/",
     .check = config_check_url_path, .shape = "a path", RESTART,
     .doc = "Socket.IO 5 on Engine.IO 4; a slash is put at its end."},
    {BOOL(ROOT, "paths.polling", paths.polling), .fallback = "true", RESTART,
     .doc = "Engine.IO's HTTP long-polling beside WebSocket."},

    {STRINGS(ROOT, "allowedOrigins", allowed_origins), .fallback = "[]",
     .check = config_check_origin,
     .shape = "`scheme://host[:port]`, `\"null\"`, `file://`, or only `\"*\"`",
     .doc = "Pages that may connect, compared exactly; a client that sends no `Origin` passes. "
            "`\"null\"` is every page without an origin of its own: sandboxed frames, local "
            "files."},
    {TEXT(ROOT, "instance", instance), .check = config_check_instance, RESTART,
     .null_means = "host name and port of the first listener",
     .doc = "This daemon's label in messages, logs and audit records."},
    {DURATION(ROOT, "drainTimeout", drain_timeout_ms), .fallback = "10s", .max = HOURS(1),
     .doc = "How long a stop may take."},

    {SECTION("auth"), .doc = "Who is let in. Some key is needed: in `auth.keys` or `auth.jwks`."},
    {TEXT(ROOT, "auth.issuer", auth.issuer), .check = config_check_text,
     .null_means = "not checked", .doc = "The `iss` that a token must have."},
    {STRINGS(ROOT, "auth.audience", auth.audience), .lone = true, .check = config_check_text,
     .null_means = "not checked", .doc = "A token's `aud` must name one of these."},
    {STRINGS(ROOT, "auth.algorithms", auth.algorithms), .fallback = "[RS256, ES256]",
     .check = config_check_alg, .shape = &ALG_NAMES[2], .doc = "What may ever be accepted."},
    {ITEMS(ROOT, "auth.keys", CONFIG_TYPE_LIST, auth.keys, auth.key_count, struct config_key),
     .scope = &KEY_SCOPE, .fallback = "[]", .doc = "Keys in files, each bound to one algorithm."},
    {SECTION("auth.jwks"), .null_means = "none",
     .doc = "A JSON Web Key Set (RFC 7517), from `url` or `file`."},
    {TEXT(ROOT, "auth.jwks.url", auth.jwks_url), .check = config_check_url, .shape = "a URL",
     .null_means = "none", .doc = "Fetched, and again when a token names an unknown key."},
    {SECRET_FILE(ROOT, "auth.jwks.file", auth.jwks_file), .null_means = "none",
     .doc = "Read at start and at a reload."},
    {DURATION(ROOT, "auth.jwks.refresh", auth.jwks_refresh_ms), .fallback = "10m",
     .max = HOURS(24 * 7), .doc = "How often `url` is fetched."},
    {DURATION(ROOT, "auth.jwks.cooldown", auth.jwks_cooldown_ms), .fallback = "30s",
     .max = HOURS(24), .doc = "Least time between two fetches; at most `refresh`."},
    {DURATION(ROOT, "auth.jwks.maxAge", auth.jwks_max_age_ms), .fallback = "24h",
     .max = HOURS(24 * 365),
     .doc = "Keys that could not be fetched anew for this long are dropped; at least `refresh`."},
    {DURATION(ROOT, "auth.clockSkew", auth.clock_skew_ms), .fallback = "30s", .max = MINUTES(10),
     .doc = "How far the issuer's clock may be off."},
    {SECTION("auth.claims"), .doc = "Where a token says who its user is: a claim's name, or a JSON "
                                    "pointer (RFC 6901) that starts with `/`."},
    {TEXT(ROOT, "auth.claims.userId", auth.claim_user_id), .fallback = "sub",
     .check = config_check_claim, .shape = "a claim",
     .doc = "The user's id, a text or an integer."},
    {TEXT(ROOT, "auth.claims.username", auth.claim_username), .fallback = "name",
     .check = config_check_claim, .shape = "a claim",
     .doc = "The display name; the id where a token has none, or a blank one."},
    {TEXT(ROOT, "auth.claims.roles", auth.claim_roles), .fallback = "/realm_access/roles",
     .check = config_check_claim, .shape = "a claim",
     .doc = "A list of texts. Those that `adminRoles`, `editorRoles` or `takeoverRoles` name are "
            "kept."},
    {STRINGS(ROOT, "auth.adminRoles", auth.admin_roles), .fallback = "[lock-admin]",
     .check = config_check_text, .doc = "Roles that make an administrator."},
    {TEXT(ROOT, "auth.cookie", auth.cookie), .check = config_check_cookie, .null_means = "none",
     .doc = "Name of a cookie that may carry the token; the first 8 of a request are tried."},
    {DURATION(ROOT, "auth.authTimeout", auth.auth_timeout_ms), .fallback = "5s", .max = MINUTES(10),
     .doc = "A connection without an accepted token is closed after this."},

    {SECTION("redis"), RESTART,
     .doc = "The store. One of `url`, `embedded`, `sentinel` and `cluster` says where it is."},
    {TEXT(ROOT, "redis.url", redis.url), .fallback = "redis://127.0.0.1:6379/0", .secret = true,
     .shape = "a URL", .null_means = "another of the four", RESTART,
     .doc = "`redis://user:password@host:port/database`, `unix:/path?db=0`, or `rediss://` where "
            "hiredis has TLS. User and password are percent-decoded."},
    {BOOL(ROOT, "redis.embedded", redis.embedded), .fallback = "false", RESTART,
     .doc = "A private `redis-server` as a child."},
    {SECTION("redis.sentinel"), .droppable = true, .null_means = "none", RESTART,
     .doc = "Asks Redis Sentinel for the master."},
    {TEXT(ROOT, "redis.sentinel.master", redis.sentinel_master), .required = true,
     .check = config_check_text, RESTART, .doc = "The master's name."},
    {STRINGS(ROOT, "redis.sentinel.nodes", redis.sentinel_nodes), .required = true,
     .check = config_check_node, .shape = "`host:port`", RESTART, .doc = "The Sentinels."},
    {TEXT(ROOT, "redis.sentinel.username", redis.sentinel_username), .check = config_check_text,
     .null_means = "none", RESTART, .doc = "For the Sentinels themselves."},
    {SECRET_FILE(ROOT, "redis.sentinel.passwordFile", redis.sentinel_password_file),
     .null_means = "none", RESTART, .doc = "For the Sentinels themselves."},
    {SECTION("redis.cluster"), .droppable = true, .null_means = "none", RESTART,
     .doc = "A Redis Cluster."},
    {STRINGS(ROOT, "redis.cluster.nodes", redis.cluster_nodes), .required = true,
     .check = config_check_node, .shape = "`host:port`", RESTART,
     .doc = "Some of its nodes; the others are found."},
    {SECRET_FILE(ROOT, "redis.passwordFile", redis.password_file), .null_means = "none", RESTART,
     .doc = "The password, where it is not in `url`."},
    {SECTION("redis.tls"), PRESENT(ROOT, redis.use_tls), .fallback = "false",
     .null_means = "TLS only with `rediss://`", RESTART,
     .doc = "TLS to the store, Sentinel or Cluster, where hiredis has it."},
    {SECRET_FILE(ROOT, "redis.tls.ca", redis.tls_ca_file), .null_means = "the system's", RESTART,
     .doc = "PEM file with the authorities that may sign the store's certificate."},
    {SECRET_FILE(ROOT, "redis.tls.certificate", redis.tls_certificate_file), .null_means = "none",
     RESTART, .doc = "The daemon's own certificate; together with `key`."},
    {SECRET_FILE(ROOT, "redis.tls.key", redis.tls_key_file), .null_means = "none", RESTART,
     .doc = "The daemon's own private key; together with `certificate`."},
    {TEXT(ROOT, "redis.keyPrefix", redis.key_prefix), .fallback = "wslock",
     .check = config_check_key_prefix, RESTART, .doc = "Front of every key in the store."},
    {INT(ROOT, "redis.shards", redis.shards), .fallback = "16", .min = 1, .max = 4096, RESTART,
     .doc = "Parts that documents are spread over; the same for all daemons of one store."},
    {DURATION(ROOT, "redis.commandTimeout", redis.command_timeout_ms), .fallback = "2s",
     .max = MINUTES(1), RESTART,
     .doc = "A command without an answer has failed after this, an attempt to connect after "
            "this, at most 1s."},
    {DURATION(ROOT, "redis.startTimeout", redis.start_timeout_ms), .fallback = "10s",
     .max = HOURS(1), RESTART, .doc = "How long a start waits for the store before exit 3."},
    {DURATION(ROOT, "redis.lease", redis.lease_ms), .fallback = "10s", .max = MINUTES(10), RESTART,
     .doc =
         "An instance that is silent for this long counts as dead. Renewed every third of it; the "
         "store is away when that, or reading its events, has failed for two thirds."},
    {INT(ROOT, "redis.waitReplicas", redis.wait_replicas), .fallback = "0", .max = 16, RESTART,
     .doc = "Replicas that must have a grant before it is told."},

    {.path = "default",
     .type = CONFIG_TYPE_STRUCT,
     .scope = &CONFIG_POLICY,
     .offset = FIELD(ROOT, default_policy, struct config_policy),
     .doc = "What holds for every resource type."},
    {ITEMS(ROOT, "resourceTypes", CONFIG_TYPE_NAMED, types, type_count, struct config_policy),
     .scope = &CONFIG_POLICY, .fallback = "{}",
     .doc = "What holds for one type of resource, over `default`: a mapping from the type's name "
            "to the same keys."},
    {FLAG(ROOT, "unknownResourceTypes", reject_unknown_types, UNKNOWN_TYPES), .fallback = "default",
     .doc = "A type that is not in `resourceTypes` gets `default`, or is "
            "refused."},
    {FLAG(ROOT, "twoPartIds", reject_two_part_ids, TWO_PART_IDS), .fallback = "normalize",
     .doc = "`type:id` becomes `type:id:main`, or is refused."},

    {SECTION("limits"), .doc = "Limits of one instance."},
    {COUNT(ROOT, "limits.maxConnections", limits.max_connections), .fallback = "100000", .min = 1,
     .max = 10000000, RESTART, .doc = "Connections in all."},
    {COUNT(ROOT, "limits.maxConnectionsPerAddress", limits.max_connections_per_address),
     .fallback = "null", .min = 1, .max = 10000000, .null_means = "no limit",
     .doc = "Connections from one address; a hospital may sit behind one."},
    {COUNT(ROOT, "limits.handshakesPerSecond", limits.handshakes_per_second), .fallback = "500",
     .min = 1, .max = 1000000, .doc = "New connections from one address in a second."},
    {COUNT(ROOT, "limits.maxConnectionsPerUser", limits.max_connections_per_user), .fallback = "50",
     .min = 1, .max = 1000000, .doc = "Connections of one user."},
    {COUNT(ROOT, "limits.maxRoomsPerConnection", limits.max_rooms_per_connection), .fallback = "64",
     .min = 1, .max = 10000, .doc = "Resources that one connection is in."},
    {SIZE(ROOT, "limits.maxMessageBytes", limits.max_message_bytes), .fallback = "16KiB",
     .min = KIB(1), .max = MIB(1), .doc = "Length of one message from a client."},
    {SIZE(ROOT, "limits.maxHeaderBytes", limits.max_header_bytes), .fallback = "16KiB",
     .min = KIB(1), .max = CONFIG_MAX_HEADER_BYTES,
     .doc = "Length of a request's first line and headers; more is answered with 431."},
    {COUNT(ROOT, "limits.messagesPerSecond", limits.messages_per_second), .fallback = "20",
     .min = 1, .max = 1000000, .doc = "Messages of one connection in the long run."},
    {COUNT(ROOT, "limits.messageBurst", limits.message_burst), .fallback = "200", .min = 1,
     .max = 1000000,
     .doc = "Messages of one connection at once: three for each of `maxRoomsPerConnection` when it "
            "comes back, by default."},
    {SIZE(ROOT, "limits.sendQueueBytes", limits.send_queue_bytes), .fallback = "256KiB",
     .min = KIB(4), .max = MIB(64),
     .doc = "What may wait for a slow reader before its connection is closed (4408)."},
    {DURATION(ROOT, "limits.pingInterval", limits.ping_interval_ms), .fallback = "25s",
     .max = HOURS(1), .doc = "How often a connection is pinged."},
    {DURATION(ROOT, "limits.pongTimeout", limits.pong_timeout_ms), .fallback = "20s",
     .max = HOURS(1), .doc = "A ping without an answer ends the connection (4408) after this."},

    {SECTION("audit"), .doc = "The audit trail."},
    {TEXT(ROOT, "audit.file", audit.file), .fallback = "/var/log/wslockd/audit.jsonl",
     .check = config_check_text, .shape = "a path, or `\"-\"`", RESTART,
     .doc = "`-` is standard output."},
    {CHOICE(ROOT, "audit.fsync", audit.fsync, FSYNC), .fallback = "batch", RESTART,
     .doc = "`batch`: on disk before an administrator's action is answered."},
    {CHOICE(ROOT, "audit.onFailure", audit.on_failure, ON_FAILURE), .fallback = "stop-admin",
     .doc = "What is refused while records cannot be written: administrators' actions, whatever "
            "begins something, or nothing ([exactly](audit.md#what-a-full-disk-stops))."},
    {SECRET_FILE(ROOT, "audit.hmacKeyFile", audit.hmac_key_file), .null_means = "plain SHA-256",
     RESTART, .doc = "Makes the hash chain keyed (HMAC-SHA-256)."},
    {DURATION(ROOT, "audit.checkpoint", audit.checkpoint_ms), .fallback = "1h",
     .max = HOURS(24 * 7), RESTART,
     .doc = "How often an `AUDIT_CHECKPOINT` is written, also to the journal: shows a cut tail."},
    {FLAG(ROOT, "audit.freeText", audit.omit_free_text, FREE_TEXT), .fallback = "keep",
     .doc = "`omit` leaves out the words people type: they may name patients."},

    {SECTION("log"), .doc = "The operator's log, on standard error."},
    {CHOICE(ROOT, "log.level", log.level, LOG_LEVELS), .fallback = "info",
     .doc = "The least important lines that are written."},
    {CHOICE(ROOT, "log.format", log.format, LOG_FORMATS), .fallback = "text",
     .doc = "`event key=value`, or a JSON object a line."},

    {SECTION("tickets"), .doc = "Lock tickets for an application's save handler."},
    {SECRET_FILE(ROOT, "tickets.signingKeyFile", ticket_signing_key_file),
     .null_means = "no tickets",
     .doc = "PEM file with an ES256 private key: `lock:acquired` and `lock:renewed` then carry "
            "`ticket`. Of several keys the first signs."},
};

const struct config_scope CONFIG_ROOT = SCOPE(ROOT_ROWS, struct config);

const char *config_row_name(const struct config_row *row, const char *prefix) {
    size_t len = strlen(prefix);
    const char *name = row->path;

    if (len > 0) {
        if (strncmp(row->path, prefix, len) != 0 || row->path[len] != '.')
            return NULL;
        name += len + 1;
    }
    return strchr(name, '.') ? NULL : name;
}
