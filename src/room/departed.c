/*
 * Keeps a holder whose connection has ended until the store confirms the disconnect. The grace
 * period of its lock counts from the end of the connection. If the store loses the lock, or comes
 * back with an older state, the lock is reported with the remaining grace.
 */
#include "departed.h"

#include "holder.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

static void copy(char **to, struct str *s) {
    if (s->len > 0) {
        memcpy(*to, s->p, s->len);
    }
    s->p = *to;
    *to += s->len;
}

void room_note_departed(struct room_sub *sub, bool prompt) {
    struct room *room = sub->room;
    struct lock_report_member m;
    if (room == NULL || room_assumed_holder(room) != sub || !sub->ops->describe(sub, &m)) {
        return;
    }
    struct room_departed *departed = mem_alloc(sizeof *departed + m.user_id.len + m.username.len +
                                               m.client_id.len + m.page_id.len);
    char *text = (char *)(departed + 1);
    copy(&text, &m.user_id);
    copy(&text, &m.username);
    copy(&text, &m.client_id);
    copy(&text, &m.page_id);
    m.session_id = (struct str){NULL, 0};
    m.gone = true;
    m.prompt = prompt;
    departed->member = m;
    departed->departed_ms = clock_boot_ms();
    mem_free(room->departed);
    room->departed = departed;
    room->ours = m.token;
}

bool room_departed_describe(const struct room *room, struct lock_report_member *out) {
    if (room->departed == NULL) {
        return false;
    }
    *out = room->departed->member;
    out->grace_until_ms = lock_store_now_at_ms(room->rooms->store, room_resource(room)) +
                          room->type->policy->grace_period_ms -
                          (int64_t)(clock_boot_ms() - room->departed->departed_ms);
    return true;
}

void room_departed_forget(struct room *room) {
    mem_free(room->departed);
    room->departed = NULL;
}

void room_departed_settle(struct room *room) {
    const struct lock_view *v = &room->lock.view;
    if (room->departed == NULL || room->rev < room->departed->member.token) {
        return; /* the event of the grant has not come */
    }
    if (v->state != LOCK_STATE_HELD || v->token != room->departed->member.token) {
        room_departed_forget(room);
    }
}

void room_departed_return(struct room *room, struct str user_id, struct str client_id) {
    if (room->departed != NULL && str_eq(room->departed->member.user_id, user_id) &&
        str_eq(room->departed->member.client_id, client_id)) {
        room_departed_forget(room);
    }
}
