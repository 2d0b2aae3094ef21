# Audit records of wslockd as documents of the Elastic Common Schema:
#
#   wslockctl audit merge FILE... | jq -c -f ecs.jq
#
# What has no field in ECS stands under `wslockd`, with its name in the record.

def category:
  if test("^SESSION_") then ["session"]
  elif . == "AUTH_FAILED" then ["authentication"]
  elif . == "CONFIG_RELOADED" then ["configuration"]
  elif test("^(AUDIT|STORE|DRAIN)_") then ["process"]
  else ["api"]
  end;

def type:
  if . == "SESSION_OPENED" or . == "AUDIT_STARTED" then ["start"]
  elif . == "SESSION_CLOSED" or . == "SESSION_TERMINATED" or . == "AUDIT_STOPPED" then ["end"]
  elif . == "AUTH_FAILED" then ["start", "denied"]
  elif test("DENIED$|REJECTED$") then ["denied"]
  elif . == "ADMIN_QUERY" or test("^RESOURCE_") then ["access"]
  elif test("^(LOCK|TAKEOVER|RESERVATION|QUEUE)_") or . == "CONFIG_RELOADED" then ["change"]
  else ["info"]
  end;

def person: if . then {id, name, roles} | del(.[] | nulls) else null end;

{
  "@timestamp": .time,
  ecs: {version: "8.11.0"},
  event: {
    kind: "event",
    module: "wslockd",
    dataset: "wslockd.audit",
    action,
    category: (.action | category),
    type: (.action | type),
    outcome,
    reason,
    sequence: .seq,
    id: (.eventId // .hash),
    hash
  },
  service: {type: "wslockd", name: "wslockd", node: {name: .instance}},
  user: (.user | person),
  source: (if .address then {ip: .address} else null end),
  user_agent: (if .userAgent then {original: .userAgent} else null end),
  related: {user: ([.user.id, .previousHolder.id, .admin.id] | map(strings) | unique)},
  wslockd: (del(.time, .action, .outcome, .user, .reason, .address, .userAgent, .instance, .seq, .hash))
}
| del(.[] | nulls)
| del(.event.reason | nulls)
| del(.related | select(.user == []))
