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
     .doc = "Address to bind, `0.0.0.0` or `::` for all. Required without `systemdSocket`."},
    {INT(LISTEN, "port", port), .fallback = "0", .max = 65535, RESTART,
     .doc = "`0` is any free port, which the log names. Required without `systemdSocket`."},
    {SECTION("tls"), PRESENT(LISTEN, tls), .fallback = "false", .null_means = "no TLS", RESTART,
     .doc = "TLS of this listener."},
    {SECRET_FILE(LISTEN, "tls.certificate", tls_certificate_file), .required = true,
     .doc = "PEM file with the certificate and its chain."},
    {SECRET_FILE(LISTEN, "tls.key", tls_key_file), .required = true,
     .doc = "PEM file with the private key."},
    {TEXT(LISTEN, "tls.minVersion", tls_min_version), .fallback = "1.2",
     .check = config_check_tls_version, .shape = "`\"1.2\"` or `\"1.3\"`",
     .doc = "The lowest TLS version that is accepted."},
    {BOOL(LISTEN, "plaintext", plaintext), .fallback = "false", RESTART,
     .doc = "Must be `true` if there is no `tls`: for a listener behind a proxy that does TLS."},
    {STRINGS(LISTEN, "trustedProxies", trusted_proxies), .fallback = "[]",
     .check = config_check_cidr, .shape = "networks such as `10.0.0.0/8`",
     .doc = "Proxies whose `X-Forwarded-For` is used."},
    {TEXT(LISTEN, "systemdSocket", systemd_socket), .check = config_check_fd_name,
     .null_means = "the daemon binds the address", RESTART,
     .doc =
         "The `FileDescriptorName=` of a socket that systemd passes. Exactly one socket must have "
         "it."},
    {BOOL(LISTEN, "ipv6Only", ipv6_only), .fallback = "false", RESTART,
     .doc = "`::` also serves IPv4 unless this is `true`, or another listener has an IPv4 address "
            "with the same port."},
};

static const struct config_row KEY_ROWS[] = {
    {TEXT(KEYS, "kid", kid), .check = config_check_text,
     .null_means = "for tokens without a `kid`, or with one that no other key of this `alg` has",
     .doc = "The key's id, as tokens name it."},
    {TEXT(KEYS, "alg", alg), .required = true, .check = config_check_alg,
     .shape = "a JWS algorithm",
     .doc = "The only algorithm that this key is used with. The key is unused unless "
            "`auth.algorithms` has it."},
    {SECRET_FILE(KEYS, "secretFile", secret_file), .null_means = "none",
     .doc = "The shared secret of `HS256`, `HS384` or `HS512`."},
    {SECRET_FILE(KEYS, "publicKeyFile", public_key_file), .null_means = "none",
     .doc = "PEM file with the public key of any other algorithm."},
};

static const struct config_row POLICY_ROWS[] = {
    {DURATION(POLICY, "lockTtl", lock_ttl_ms), .fallback = "5m", .max = HOURS(24),
     .doc = "A lock expires after this long without a heartbeat."},
    {DURATION(POLICY, "heartbeatInterval", heartbeat_interval_ms), .fallback = "60s",
     .max = HOURS(12),
     .doc = "How often a holder is to send a heartbeat; at most half of `lockTtl`."},
    {COUNT(POLICY, "maxConcurrentTabLocksPerUser", max_tab_locks), .fallback = "5", .min = 1,
     .max = 10000, .null_means = "no limit",
     .doc = "How many children of one document a user may have locked at once."},
    {COUNT(POLICY, "maxViewersPerChild", max_viewers), .fallback = "null", .min = 1, .max = 1000000,
     .null_means = "no limit", .doc = "How many connections may view one resource."},
    {CHOICE(POLICY, "upgrade", upgrade, UPGRADE), .fallback = "deny",
     .doc = "When another user has the lock: an acquire is refused, gets a place in the queue, or "
            "asks the holder."},
    {COUNT(POLICY, "maxWaiters", max_waiters), .fallback = "100", .min = 1, .max = 1000,
     .doc = "Length of the queue for one resource."},
    {BOOL(POLICY, "requests", requests), .fallback = "false",
     .doc = "Requests to the holder are possible under `deny` and `queue` too."},
    {DURATION(POLICY, "requestTimeout", request_timeout_ms), .fallback = "2m", .max = HOURS(1),
     .doc = "A request without an answer ends after this long."},
    {DURATION(POLICY, "claimWindow", claim_window_ms), .fallback = "30s", .max = HOURS(1),
     .doc = "How long a lock stays reserved for the user whose turn it is."},
    {CHOICE(POLICY, "disconnect", disconnect, DISCONNECT), .fallback = "grace",
     .doc =
         "When the holder's connection breaks: the lock is released at once, kept for "
         "`gracePeriod`, or kept for `gracePeriod` unless another member of the room claims it."},
    {DURATION(POLICY, "gracePeriod", grace_period_ms), .fallback = "30s", .max = HOURS(1),
     .doc = "How long a tab may come back for its lock after its connection broke."},
    {CHOICE(POLICY, "takeover", takeover, TAKEOVER), .fallback = "request",
     .doc = "Whether an administrator takes a lock at once, after the holder was asked, or never."},
    {DURATION(POLICY, "takeoverTimeout", takeover_timeout_ms), .fallback = "30s", .max = HOURS(1),
     .doc =
         "Under `takeover: request` the lock moves after this long, whatever the holder answers."},
    {BOOL(POLICY, "urgentTakeover", urgent_takeover), .fallback = "false",
     .doc = "Allows takeovers marked `urgent`, which skip that wait. The audit record says so."},
    {STRINGS(POLICY, "editorRoles", editor_roles), .fallback = "null", .check = config_check_text,
     .null_means = "every valid token may edit", .doc = "An editor needs one of these roles."},
    {STRINGS(POLICY, "takeoverRoles", takeover_roles), .fallback = "null",
     .check = config_check_text, .null_means = "`auth.adminRoles`",
     .doc = "A takeover needs one of these roles."},
    {DURATION(POLICY, "idleRelease", idle_release_ms), .fallback = "null", .max = HOURS(24),
     .null_means = "never",
     .doc = "The lock is released after this long without a heartbeat that says `active`."},
    {CHOICE(POLICY, "presence", presence, PRESENCE), .fallback = "full",
     .doc = "`minimal` leaves display names and expiry times out of all messages."},
    {COUNT(POLICY, "presenceMaxListed", presence_max_listed), .fallback = "200", .min = 1,
     .max = 10000, .doc = "How many users of a room are listed; further ones are only counted."},
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
     .shape = "an IP address", RESTART, .doc = "Never use a public address."},
    {INT(ROOT, "ops.port", ops.port), .fallback = "9464", .max = 65535, RESTART,
     .doc = "`0` is any free port, which the log names."},
    {TEXT(ROOT, "ops.socket", ops.socket), .fallback = "/run/wslockd/ops.sock",
     .check = config_check_socket_path, .null_means = "none", RESTART,
     .doc =
         "Unix socket with the same requests, mode 0660. Its permissions decide who has access."},
    {SECRET_FILE(ROOT, "ops.tokenFile", ops.token_file),
     .null_means = "only the open paths are served", RESTART,
     .doc = "The bearer token for the paths `/v1/…`, on TCP."},
    {DURATION(ROOT, "ops.readyGrace", ops.ready_grace_ms), .fallback = "15s", .max = HOURS(1),
     RESTART, .doc = "`/readyz` stays 200 for this long after the store went away."},

    {SECTION("paths"), RESTART, .doc = "The paths of the two framings."},
    {TEXT(ROOT, "paths.native", paths.native), .fallback = "/ws", .check = config_check_url_path,
     .shape = "a path", RESTART, .doc = "WebSocket with the subprotocol `wslock.v1`."},
    {TEXT(ROOT, "paths.socketio", paths.socketio), .fallback = "/socket.io/",
     .check = config_check_url_path, .shape = "a path", RESTART,
     .doc = "Socket.IO 5 on Engine.IO 4. A slash is added at the end if it is missing."},
    {BOOL(ROOT, "paths.polling", paths.polling), .fallback = "true", RESTART,
     .doc = "Engine.IO's HTTP long-polling beside WebSocket."},

    {STRINGS(ROOT, "allowedOrigins", allowed_origins), .fallback = "[]",
     .check = config_check_origin,
     .shape = "`scheme://host[:port]`, `\"null\"`, `file://`, or only `\"*\"`",
     .doc = "Origins of pages that may connect, compared exactly. A client that sends no `Origin` "
            "passes. `\"null\"` is every page without an origin of its own: sandboxed frames, "
            "local files."},
    {TEXT(ROOT, "instance", instance), .check = config_check_instance, RESTART,
     .null_means = "host name and port of the first listener",
     .doc = "This daemon's label in messages, logs and audit records."},
    {DURATION(ROOT, "drainTimeout", drain_timeout_ms), .fallback = "10s", .max = HOURS(1),
     .doc = "How long a stop may take."},

    {SECTION("auth"),
     .doc = "Who may connect. At least one key is required, in `auth.keys` or `auth.jwks`."},
    {TEXT(ROOT, "auth.issuer", auth.issuer), .check = config_check_text,
     .null_means = "not checked", .doc = "The `iss` that a token must have."},
    {STRINGS(ROOT, "auth.audience", auth.audience), .lone = true, .check = config_check_text,
     .null_means = "not checked", .doc = "A token's `aud` must name one of these."},
    {STRINGS(ROOT, "auth.algorithms", auth.algorithms), .fallback = "[RS256, ES256]",
     .check = config_check_alg, .shape = &ALG_NAMES[2], .doc = "The algorithms that are accepted."},
    {ITEMS(ROOT, "auth.keys", CONFIG_TYPE_LIST, auth.keys, auth.key_count, struct config_key),
     .scope = &KEY_SCOPE, .fallback = "[]", .doc = "Keys in files, each bound to one algorithm."},
    {SECTION("auth.jwks"), .null_means = "none",
     .doc = "A JSON Web Key Set (RFC 7517), from `url` or `file`."},
    {TEXT(ROOT, "auth.jwks.url", auth.jwks_url), .check = config_check_url, .shape = "a URL",
     .null_means = "none",
     .doc = "Fetched every `refresh`, and when a token names an unknown key. `http` is only for "
            "loopback addresses."},
    {SECRET_FILE(ROOT, "auth.jwks.file", auth.jwks_file), .null_means = "none",
     .doc = "Read at start and at a reload."},
    {DURATION(ROOT, "auth.jwks.refresh", auth.jwks_refresh_ms), .fallback = "10m",
     .max = HOURS(24 * 7), .doc = "How often `url` is fetched."},
    {DURATION(ROOT, "auth.jwks.cooldown", auth.jwks_cooldown_ms), .fallback = "30s",
     .max = HOURS(24), .doc = "Shortest time between two fetches; at most `refresh`."},
    {DURATION(ROOT, "auth.jwks.maxAge", auth.jwks_max_age_ms), .fallback = "24h",
     .max = HOURS(24 * 365),
     .doc = "Keys that could not be fetched again for this long are dropped; at least `refresh`."},
    {DURATION(ROOT, "auth.clockSkew", auth.clock_skew_ms), .fallback = "30s", .max = MINUTES(10),
     .doc = "How far the issuer's clock may differ."},
    {SECTION("auth.claims"), .doc = "The claims that describe a token's user: a claim's name, or a "
                                    "JSON pointer (RFC 6901) that starts with `/`."},
    {TEXT(ROOT, "auth.claims.userId", auth.claim_user_id), .fallback = "sub",
     .check = config_check_claim, .shape = "a claim",
     .doc = "The user's id, a text or an integer."},
    {TEXT(ROOT, "auth.claims.username", auth.claim_username), .fallback = "name",
     .check = config_check_claim, .shape = "a claim",
     .doc = "The display name. If it is missing or blank, the id is used."},
    {TEXT(ROOT, "auth.claims.roles", auth.claim_roles), .fallback = "/realm_access/roles",
     .check = config_check_claim, .shape = "a claim",
     .doc = "A list of texts, or one text. Only roles that `adminRoles`, `editorRoles` or "
            "`takeoverRoles` name are kept."},
    {STRINGS(ROOT, "auth.adminRoles", auth.admin_roles), .fallback = "[lock-admin]",
     .check = config_check_text, .doc = "A user with one of these roles is an administrator."},
    {TEXT(ROOT, "auth.cookie", auth.cookie), .check = config_check_cookie, .null_means = "none",
     .doc =
         "Name of a cookie that may carry the token; the first 8 cookies of that name are tried."},
    {DURATION(ROOT, "auth.authTimeout", auth.auth_timeout_ms), .fallback = "5s", .max = MINUTES(10),
     .doc = "A connection without an accepted token is closed after this long."},

    {SECTION("redis"), RESTART,
     .doc =
         "The store. Exactly one of `url`, `embedded`, `sentinel` and `cluster` says where it is."},
    {TEXT(ROOT, "redis.url", redis.url), .fallback = "redis://127.0.0.1:6379/0", .secret = true,
     .shape = "a URL", .null_means = "one of the other three", RESTART,
     .doc = "`redis://user:password@host:port/database`, `unix:/path?db=0`, or `rediss://` if "
            "hiredis has TLS. User and password are percent-decoded."},
    {BOOL(ROOT, "redis.embedded", redis.embedded), .fallback = "false", RESTART,
     .doc = "A private `redis-server` as a child process."},
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
     .doc = "Some of its nodes. The daemon finds the others. `url` may also lead to one node; its "
            "database must be 0 then."},
    {SECRET_FILE(ROOT, "redis.passwordFile", redis.password_file), .null_means = "none", RESTART,
     .doc = "The password, if it is not in `url`."},
    {SECTION("redis.tls"), PRESENT(ROOT, redis.use_tls), .fallback = "false",
     .null_means = "TLS only with `rediss://`", RESTART,
     .doc = "TLS to the store, Sentinel or Cluster, if hiredis has TLS."},
    {SECRET_FILE(ROOT, "redis.tls.ca", redis.tls_ca_file), .null_means = "the system's", RESTART,
     .doc = "PEM file with the authorities that may sign the store's certificate."},
    {SECRET_FILE(ROOT, "redis.tls.certificate", redis.tls_certificate_file), .null_means = "none",
     RESTART, .doc = "The daemon's own certificate; together with `key`."},
    {SECRET_FILE(ROOT, "redis.tls.key", redis.tls_key_file), .null_means = "none", RESTART,
     .doc = "The daemon's own private key; together with `certificate`."},
    {TEXT(ROOT, "redis.keyPrefix", redis.key_prefix), .fallback = "wslock",
     .check = config_check_key_prefix, RESTART, .doc = "Prefix of every key in the store."},
    {INT(ROOT, "redis.shards", redis.shards), .fallback = "16", .min = 1, .max = 4096, RESTART,
     .doc = "Number of shards of the store; the same for all its daemons."},
    {DURATION(ROOT, "redis.commandTimeout", redis.command_timeout_ms), .fallback = "2s",
     .max = MINUTES(1), RESTART,
     .doc = "A command fails after this long without an answer. An attempt to connect fails after "
            "the same time, but at most 1s."},
    {DURATION(ROOT, "redis.startTimeout", redis.start_timeout_ms), .fallback = "10s",
     .max = HOURS(1), RESTART, .doc = "How long a start waits for the store before exit 3."},
    {DURATION(ROOT, "redis.lease", redis.lease_ms), .fallback = "10s", .max = MINUTES(10), RESTART,
     .doc = "An instance counts as dead after this long without a renewal. It renews every third "
            "of it. The store is away when renewals, or reading its events, have failed for two "
            "thirds of it."},
    {INT(ROOT, "redis.waitReplicas", redis.wait_replicas), .fallback = "0", .max = 16, RESTART,
     .doc =
         "Number of replicas that must have a grant, a turn or a takeover before clients are told "
         "of it. If they have not after `commandTimeout`, the outcome is unknown. See "
         "[operations.md](operations.md#replicas)."},

    {.path = "default",
     .type = CONFIG_TYPE_STRUCT,
     .scope = &CONFIG_POLICY,
     .offset = FIELD(ROOT, default_policy, struct config_policy),
     .doc = "Settings for every resource type."},
    {ITEMS(ROOT, "resourceTypes", CONFIG_TYPE_NAMED, types, type_count, struct config_policy),
     .scope = &CONFIG_POLICY, .fallback = "{}",
     .doc = "Settings for one resource type, in place of those in `default`: a mapping from the "
            "type's name to the same keys."},
    {FLAG(ROOT, "unknownResourceTypes", reject_unknown_types, UNKNOWN_TYPES), .fallback = "default",
     .doc = "A type that is not in `resourceTypes` gets `default`, or is "
            "refused."},
    {FLAG(ROOT, "twoPartIds", reject_two_part_ids, TWO_PART_IDS), .fallback = "normalize",
     .doc = "`type:id` becomes `type:id:main`, or is refused."},

    {SECTION("limits"), .doc = "Limits of one instance."},
    {COUNT(ROOT, "limits.maxConnections", limits.max_connections), .fallback = "100000", .min = 1,
     .max = 10000000, .doc = "Connections in total."},
    {COUNT(ROOT, "limits.maxConnectionsPerAddress", limits.max_connections_per_address),
     .fallback = "null", .min = 1, .max = 10000000, .null_means = "no limit",
     .doc = "Connections from one address. A whole hospital may have one address."},
    {COUNT(ROOT, "limits.handshakesPerSecond", limits.handshakes_per_second), .fallback = "500",
     .min = 1, .max = 1000000, .doc = "Handshakes and HTTP requests from one address per second."},
    {COUNT(ROOT, "limits.maxConnectionsPerUser", limits.max_connections_per_user), .fallback = "50",
     .min = 1, .max = 1000000, .doc = "Connections of one user."},
    {COUNT(ROOT, "limits.maxRoomsPerConnection", limits.max_rooms_per_connection), .fallback = "64",
     .min = 1, .max = 10000, .doc = "Resources that one connection may have joined."},
    {SIZE(ROOT, "limits.maxMessageBytes", limits.max_message_bytes), .fallback = "16KiB",
     .min = KIB(1), .max = MIB(1), .doc = "Length of one message from a client."},
    {SIZE(ROOT, "limits.maxHeaderBytes", limits.max_header_bytes), .fallback = "16KiB",
     .min = KIB(1), .max = CONFIG_MAX_HEADER_BYTES,
     .doc = "Length of a request's first line and headers. A longer request is answered with 431."},
    {COUNT(ROOT, "limits.messagesPerSecond", limits.messages_per_second), .fallback = "20",
     .min = 1, .max = 1000000, .doc = "Messages of one connection per second, on average."},
    {COUNT(ROOT, "limits.messageBurst", limits.message_burst), .fallback = "200", .min = 1,
     .max = 1000000,
     .doc = "Messages of one connection at once. The default allows three for each of "
            "`maxRoomsPerConnection` rooms when a client comes back."},
    {SIZE(ROOT, "limits.sendQueueBytes", limits.send_queue_bytes), .fallback = "256KiB",
     .min = KIB(4), .max = MIB(64),
     .doc = "Output queued for a slow reader before its connection is closed (4408)."},
    {DURATION(ROOT, "limits.pingInterval", limits.ping_interval_ms), .fallback = "25s",
     .max = HOURS(1), .doc = "How often a connection is pinged."},
    {DURATION(ROOT, "limits.pongTimeout", limits.pong_timeout_ms), .fallback = "20s",
     .max = HOURS(1),
     .doc = "A connection that does not answer a ping for this long is closed (4408)."},

    {SECTION("audit"), .doc = "The audit log."},
    {TEXT(ROOT, "audit.file", audit.file), .fallback = "/var/log/wslockd/audit.jsonl",
     .check = config_check_text, .shape = "a path, or `\"-\"`", .reload = CONFIG_RELOAD_NAME,
     .doc = "`-` is standard output."},
    {CHOICE(ROOT, "audit.fsync", audit.fsync, FSYNC), .fallback = "batch",
     .doc = "`batch`: records are on disk before an administrator's action is answered."},
    {CHOICE(ROOT, "audit.onFailure", audit.on_failure, ON_FAILURE), .fallback = "stop-admin",
     .doc = "What is refused while records cannot be written: administrators' actions, also all "
            "requests for a lock, or nothing ([details](audit.md#what-a-full-disk-stops))."},
    {SECRET_FILE(ROOT, "audit.hmacKeyFile", audit.hmac_key_file), .null_means = "plain SHA-256",
     .doc = "Makes the hash chain keyed (HMAC-SHA-256). The key of standard output changes only "
            "with a restart."},
    {DURATION(ROOT, "audit.checkpoint", audit.checkpoint_ms), .fallback = "1h",
     .max = HOURS(24 * 7),
     .doc = "How often an `AUDIT_CHECKPOINT` is written, also to the journal. Checkpoints show if "
            "the end of the file was cut off."},
    {FLAG(ROOT, "audit.freeText", audit.omit_free_text, FREE_TEXT), .fallback = "keep",
     .doc = "`omit` leaves out text that people typed, since it may name patients."},

    {SECTION("log"), .doc = "The operator's log, on standard error."},
    {CHOICE(ROOT, "log.level", log.level, LOG_LEVELS), .fallback = "info",
     .doc = "The lowest level that is written."},
    {CHOICE(ROOT, "log.format", log.format, LOG_FORMATS), .fallback = "text",
     .doc = "`event key=value`, or one JSON object per line."},

    {SECTION("tickets"), .doc = "Lock tickets for an application's save handler."},
    {SECRET_FILE(ROOT, "tickets.signingKeyFile", ticket_signing_key_file),
     .null_means = "no tickets",
     .doc = "PEM file with an ES256 private key. `lock:acquired` and `lock:renewed` then have a "
            "field `ticket`. If there are several keys, the first signs."},
};

const struct config_scope CONFIG_ROOT = SCOPE(ROOT_ROWS, struct config);

const char *config_row_name(const struct config_row *row, const char *prefix) {
    size_t len = strlen(prefix);
    const char *name = row->path;

    if (len > 0) {
        if (strncmp(row->path, prefix, len) != 0 || row->path[len] != '.') {
            return NULL;
        }
        name += len + 1;
    }
    return strchr(name, '.') != NULL ? NULL : name;
}
