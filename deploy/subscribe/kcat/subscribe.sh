#!/usr/bin/env bash
# Prints token-events.v1 with kcat and jq, one line per event: position, event id, type, late, token ref. It keeps no place and opens nothing.
#
#   KAFKA_BROKERS=127.0.0.1:9092 deploy/subscribe/kcat/subscribe.sh                 from the beginning, and on
#   … subscribe.sh -e                                                               until the end as of now
#   … subscribe.sh -o s@1795324800000                                               from a time (ms since 1970; times.receivedAt)
#
# TOPIC is token-events.v1 if not set. awk drops an id that was seen: the same id is the same change.
set -euo pipefail
kcat -q -b "${KAFKA_BROKERS:-127.0.0.1:9092}" -X isolation.level=read_committed -C -t "${TOPIC:-token-events.v1}" -o beginning -u -J "$@" |
  jq -r --unbuffered '(.payload | fromjson) as $event
    | ["\(.topic)/\(.partition)/\(.offset)", $event.eventId, $event.type, $event.late, $event.token.ref // "-"] | @tsv' |
  awk -F '\t' '!seen[$2]++ { print; fflush() }'
