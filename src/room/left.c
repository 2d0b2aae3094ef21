/*
 * A holder whose connection ended while the store cannot be told, or has not told of it yet. Its
 * lock is in grace from that moment: if the store comes back without it, or as it was before, that
 * is reported, with what is left of the grace.
 */
#include "left.h"

#include "holder.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

static void copy(char **to, struct str *s) {
    if (s->len > 0)
        memcpy(*to, s->p, s->len);
    s->p = *to;
    *to += s->len;
}

void room_note_left(struct room_sub *sub, bool prompt) {
    struct room *room = sub->room;
    struct lock_report_member m;
    if (!room || room_believer(room, &m) != sub)
        return;
    struct room_left *left =
        mem_alloc(sizeof *left + m.user_id.len + m.username.len + m.client_id.len + m.page_id.len);
    char *text = (char *)(left + 1);
    copy(&text, &m.user_id);
    copy(&text, &m.username);
    copy(&text, &m.client_id);
    copy(&text, &m.page_id);
    m.session_id = (struct str){NULL, 0};
    m.gone = true;
    m.prompt = prompt;
    left->member = m;
    left->left_ms = clock_boot_ms();
    mem_free(room->left);
    room->left = left;
    room->ours = m.token;
}

bool room_left_describe(const struct room *room, struct lock_report_member *out) {
    if (!room->left)
        return false;
    *out = room->left->member;
    out->grace_until_ms = lock_store_now_ms(room->rooms->store) + room->policy->grace_period_ms -
                          (int64_t)(clock_boot_ms() - room->left->left_ms);
    return true;
}

void room_left_forget(struct room *room) {
    mem_free(room->left);
    room->left = NULL;
}

void room_left_settle(struct room *room) {
    const struct lock_view *v = &room->lock.view;
    if (!room->left || room->rev < room->left->member.token)
        return; /* the feed has not told of the grant yet */
    if (v->state != LOCK_STATE_HELD || v->token != room->left->member.token)
        room_left_forget(room);
}

void room_left_return(struct room *room, struct str user_id, struct str client_id) {
    if (room->left && str_eq(room->left->member.user_id, user_id) &&
        str_eq(room->left->member.client_id, client_id))
        room_left_forget(room);
}
