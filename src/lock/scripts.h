/* The scripts of src/lock/lua, embedded by src/lock.cmake: one constant for each, with its name,
 * and the library that they are functions of. */
#ifndef WSLOCK_SRC_LOCK_SCRIPTS_H
#define WSLOCK_SRC_LOCK_SCRIPTS_H

#include "wslock/redis/link.h"

extern const struct redis_script lock_script_acquire, lock_script_disconnect, lock_script_endings,
    lock_script_heartbeat, lock_script_inspect, lock_script_join, lock_script_lease,
    lock_script_leave, lock_script_list, lock_script_open, lock_script_operate,
    lock_script_recorded, lock_script_release, lock_script_request_reply, lock_script_report,
    lock_script_report_done, lock_script_request, lock_script_rights, lock_script_status,
    lock_script_sweep, lock_script_takeover, lock_script_verify, lock_script_withdraw;

extern const struct redis_library lock_library;

#endif
