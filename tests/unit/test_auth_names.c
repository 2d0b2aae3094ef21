/* How a token's display name is shown, and what is said of it. */
#include "auth_support.h"

static const char CUT[] = "the display name was cut";
static const char CLEANED[] =
    "characters that must not be shown were taken out of the display name";
static const char BOTH[] =
    "the display name was cut, and characters that must not be shown were taken out of it";
static const char BLANK[] = "the display name is blank: the user id stands for it";

/* One that has a single key, and the claims of `user` (JSON) with a name (JSON, without quotes). */
static struct auth_identity *identity_of(struct fixture *f, const char *user, struct str name) {
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    struct auth_identity *id = NULL;
    struct buf claims;

    buf_init(&claims);
    buf_printf(&claims, "{\"sub\":%s,\"exp\":1800000060,\"name\":\"", user);
    buf_append(&claims, name.p, name.len);
    buf_append_str(&claims, "\"}");
    if (verify(f, make_token(&signer, NULL, (struct str){claims.data, claims.len}), &id) !=
        AUTH_OK) {
        fail_msg("refused: %.*s", (int)claims.len, claims.data);
    }
    buf_fini(&claims);
    return id;
}

static void setup_fixture(struct fixture *f) {
    fixture_init(f);
    add_key(f, NULL, "HS256", write_file(f, "a", SECRET, 32));
    fixture_load(f);
}

static void check(struct fixture *f, struct str name, struct str expected, const char *note) {
    struct auth_identity *id = identity_of(f, "\"the-user\"", name);

    if (!str_eqz(expected, id->username)) {
        fail_msg("%.*s: \"%s\" (%zu bytes)", (int)name.len, name.p, id->username,
                 strlen(id->username));
    }
    if (note != NULL) {
        assert_string_equal(id->name_note, note);
    } else {
        assert_null(id->name_note);
    }
    assert_string_equal(id->user_id, "the-user");
    auth_identity_destroy(&id);
}

/* Letters of every script, emoji, accents by themselves: as they are. */
static void test_kept(void **state) {
    static const char *const NAMES[] = {
        "Ann",
        "Änne SSmith-O'Brien, Jr.",
        "Nguyễn Thị Hạnh",
        "Ze\u0301e\u0323",
        "Мария Ивановна",
        "محمد عبد الله",
        "יעל כהן",
        "राम कुमार",
        "สมชาย ใจดี",
        "山田　太郎",
        "葛\U000e0100城",
        "김민수",
        "👩🏽 ❤️ 🏳️",
        "a\u00a0b\u202fc\u2003d",
        "\\\"<b>&'\\\\",
        "\uf8ff\uffff\U0010ffff\ufffd",
    };
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        const char *shown = NAMES[i][0] == '\\' ? "\"<b>&'\\" : NAMES[i];
        check(&f, str_of(NAMES[i]), str_of(shown), NULL);
    }
    fixture_fini(&f);
}

/* Written as JSON escapes, as surrogates above U+FFFF. */
static void append_escape(struct buf *out, uint32_t code) {
    if (code < 0x10000) {
        buf_printf(out, "\\u%04x", code);
    } else {
        buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                   0xdc00 + ((code - 0x10000) & 0x3ff));
    }
}

/* Every one of them, before, between and behind what is seen. */
static void test_taken_out(void **state) {
    static const uint32_t RANGES[][2] = {
        {0x00, 0x1f},       {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
        {0x180e, 0x180e},   {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff},   {0xfff9, 0xfffb}, {0x34f, 0x34f},     {0x115f, 0x1160},
        {0x3164, 0x3164},   {0xffa0, 0xffa0}, {0x1d173, 0x1d17a}, {0xe0001, 0xe0001},
        {0xe0020, 0xe007f},
    };
    struct fixture f;
    struct buf name;

    (void)state;
    setup_fixture(&f);
    buf_init(&name);
    for (size_t i = 0; i < ARRAY_LEN(RANGES); i++) {
        for (uint32_t code = RANGES[i][0]; code <= RANGES[i][1]; code++) {
            buf_reset(&name);
            append_escape(&name, code);
            buf_append_str(&name, "An");
            append_escape(&name, code);
            append_escape(&name, code);
            buf_append_str(&name, "n B");
            append_escape(&name, code);
            check(&f, (struct str){name.data, name.len}, str_of("Ann B"), CLEANED);
            /* by itself nothing is left */
            buf_reset(&name);
            append_escape(&name, code);
            check(&f, (struct str){name.data, name.len}, str_of("the-user"), BLANK);
        }
    }
    buf_fini(&name);
    fixture_fini(&f);
}

/* White space of any kind is nobody's name; beside a letter it stays. */
static void test_blank(void **state) {
    static const uint32_t SPACES[] = {0x20,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
                                      0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
                                      0x202f, 0x205f, 0x3000, 0x2800, 0xfe0f, 0xe0100};
    struct fixture f;
    struct buf name;

    (void)state;
    setup_fixture(&f);
    buf_init(&name);
    for (size_t i = 0; i < ARRAY_LEN(SPACES); i++) {
        buf_reset(&name);
        append_escape(&name, SPACES[i]);
        check(&f, (struct str){name.data, name.len}, str_of("the-user"), BLANK);
        buf_append_str(&name, "\\u200b \\t");
        append_escape(&name, SPACES[i]);
        check(&f, (struct str){name.data, name.len}, str_of("the-user"), BLANK);
    }
    check(&f, str_of(" A "), str_of(" A "), NULL);
    check(&f, str_of(""), str_of("the-user"), NULL);
    buf_reset(&name);
    for (int i = 0; i < 300; i++) {
        buf_append_char(&name, ' ');
    }
    buf_append_str(&name, "Ann");
    check(&f, (struct str){name.data, name.len}, str_of("the-user"), BLANK);
    buf_fini(&name);
    fixture_fini(&f);
}

/* pad times "x", then `end` again and again, far over the bound. */
static void check_cut(struct fixture *f, size_t pad, const char *end, size_t expected) {
    struct buf name;

    buf_init(&name);
    for (size_t i = 0; i < pad; i++) {
        buf_append_char(&name, 'x');
    }
    while (name.len < 600) {
        buf_append_str(&name, end);
    }
    check(f, (struct str){name.data, name.len}, (struct str){name.data, expected}, CUT);
    buf_fini(&name);
}

static void test_cut(void **state) {
    struct fixture f;
    struct buf name;

    (void)state;
    setup_fixture(&f);
    check_cut(&f, 0, "x", 256);
    for (size_t pad = 0; pad < 8; pad++) {
        check_cut(&f, pad, "ä", pad + (256 - pad) / 2 * 2);
        check_cut(&f, pad, "語", pad + (256 - pad) / 3 * 3);
        check_cut(&f, pad, "🚀", pad + (256 - pad) / 4 * 4);
        /* marks stay with what they belong to: decomposed accents, emoji with a skin tone */
        check_cut(&f, pad, "e\u0301", pad + (256 - pad) / 3 * 3);
        check_cut(&f, pad, "o\u0302\u0323", pad + (256 - pad) / 5 * 5);
        check_cut(&f, pad, "👍🏽", pad + (256 - pad) / 8 * 8);
        check_cut(&f, pad, "葛\U000e0100", pad + (256 - pad) / 7 * 7);
        check_cut(&f, pad, "कॉ", pad + (256 - pad) / 6 * 6); /* Devanagari */
        check_cut(&f, pad, "क\u0951", pad + (256 - pad) / 6 * 6);
        check_cut(&f, pad, "কি", pad + (256 - pad) / 6 * 6); /* Bengali */
        check_cut(&f, pad, "கௌ", pad + (256 - pad) / 6 * 6); /* Tamil */
        check_cut(&f, pad, "ก็", pad + (256 - pad) / 6 * 6);  /* Thai */
        check_cut(&f, pad, "ก้ำ", pad + (256 - pad) / 9 * 9);
        check_cut(&f, pad, "កើ", pad + (256 - pad) / 6 * 6);                 /* Khmer */
        check_cut(&f, pad, "က\u103b\u102d", pad + (256 - pad) / 9 * 9);      /* Myanmar */
        check_cut(&f, pad, "\u1112\u1161\u11ab", pad + (256 - pad) / 9 * 9); /* Hangul in parts */
    }
    /* one letter under nothing but marks is cut among these */
    check_cut(&f, 1, "\u0301", 255);
    check_cut(&f, 2, "\u0301", 1);
    check_cut(&f, 0, "\u0301", 256);

    buf_init(&name);
    for (size_t len = 254; len <= 258; len++) {
        buf_reset(&name);
        buf_printf(&name, "%0*d", (int)len, 0);
        check(&f, (struct str){name.data, name.len}, (struct str){name.data, len < 256 ? len : 256},
              len <= 256 ? NULL : CUT);
    }
    /* what is taken out does not count */
    buf_reset(&name);
    for (int i = 0; i < 256; i++) {
        buf_append_str(&name, "\\u202ex");
    }
    struct buf shown;
    buf_init(&shown);
    for (int i = 0; i < 256; i++) {
        buf_append_char(&shown, 'x');
    }
    check(&f, (struct str){name.data, name.len}, (struct str){shown.data, shown.len}, CLEANED);
    buf_append_str(&name, "x");
    check(&f, (struct str){name.data, name.len}, (struct str){shown.data, shown.len}, BOTH);
    /* as long as the token takes */
    buf_reset(&name);
    while (name.len < 5900) {
        buf_append_char(&name, 'x');
    }
    check(&f, (struct str){name.data, name.len}, (struct str){shown.data, shown.len}, CUT);
    buf_fini(&name);
    buf_fini(&shown);
    fixture_fini(&f);
}

/* The id stays as the token has it, also where the name is made of it. */
static void test_id_as_name(void **state) {
    struct auth_identity *id;
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    id = identity_of(&f, "\"a\\u202eb\\u202c\\u200b \"", str_of("\\u200b"));
    assert_string_equal(id->user_id, "a\u202eb\u202c\u200b ");
    assert_string_equal(id->username, "ab ");
    assert_string_equal(id->name_note, BLANK);
    auth_identity_destroy(&id);
    id = identity_of(&f, "17", str_of(" "));
    assert_string_equal(id->user_id, "17");
    assert_string_equal(id->username, "17");
    auth_identity_destroy(&id);
    fixture_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),       cmocka_unit_test(test_taken_out),
        cmocka_unit_test(test_blank),      cmocka_unit_test(test_cut),
        cmocka_unit_test(test_id_as_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
