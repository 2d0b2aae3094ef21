# Audit records of wslockd as AuditEvent resources of FHIR R4:
#
#   wslockctl audit merge FILE... | jq -c -f fhir.jq

def dicom($code; $display): {system: "http://dicom.nema.org/resources/ontology/DCM", code: $code, display: $display};

def type:
  if test("^SESSION_") or . == "AUTH_FAILED" then dicom("110114"; "User Authentication")
  elif . == "ADMIN_QUERY" then dicom("110112"; "Query")
  elif test("^(ACCESS_DENIED|STALE_TOKEN_REJECTED)$") then dicom("110113"; "Security Alert")
  elif test("^(AUDIT|STORE|DRAIN|CONFIG)_") then dicom("110100"; "Application Activity")
  else {
    system: "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", code: "access",
    display: "Access/View Record Lifecycle Event"
  }
  end;

# R: nothing is changed; E: something was done.
def verb: if . == "ADMIN_QUERY" or test("^RESOURCE_") then "R" else "E" end;

def agent($part; $requestor): if . then {
    type: {text: $part},
    who: ({identifier: {value: .id}, display: .name} | del(.[] | nulls)),
    role: (if .roles then (.roles | map({text: .})) else null end),
    requestor: $requestor
  } | del(.[] | nulls) else empty end;

def detail($names): . as $record | [$names[] | . as $name | select($record[$name] != null)
  | {type: $name, valueString: ($record[$name] | tostring)}];

. as $record
| (.admin != null and .admin.id != .user.id) as $by_admin
| {
  resourceType: "AuditEvent",
  type: (.action | type),
  subtype: [{system: "urn:wslockd:audit:action", code: .action}],
  action: (.action | verb),
  recorded: .time,
  outcome: (if .outcome == "success" then "0" else "4" end),
  purposeOfEvent: (if .reason then [{text: .reason}] else null end),
  agent: ([
    (.user | agent("user"; $by_admin | not)),
    (.previousHolder | agent("previous holder"; false)),
    (if $by_admin then .admin | agent("administrator"; true) else empty end)
  ] | if . != [] then .
    elif $record.address then [{type: {text: "client"}, who: {display: "not authenticated"}, requestor: true}]
    else [{type: {text: "daemon"}, who: {display: "wslockd"}, requestor: false}]
    end),
  source: {site: .instance, observer: {display: "wslockd"}, type: [{
    system: "http://terminology.hl7.org/CodeSystem/security-source-type", code: "4", display: "Application Server"}]},
  entity: [{
    what: (if .resourceId then {identifier: {system: "urn:wslockd:resource", value: .resourceId}} else {display: "wslockd"} end),
    detail: ($record | detail(["fence", "rev", "heldMs", "decision", "answer", "previousDirty", "revision", "sessionId", "clientId",
      "tokenId", "issuer", "userAgent", "lockRequestId", "ref", "detail", "eventId", "recovered", "seq", "prev", "hash"]))
  }]
}
| if $record.address then .agent |= map(if .requestor then .network = {address: $record.address, type: "2"} else . end) else . end
| del(.[] | nulls)
