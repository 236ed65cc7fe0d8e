#!/bin/bash
# Readiness of the server: a real query with the operator's account, which also reads the mark. Clients must not see a
# database that is about to be filled from a backup.
. "${BASH_SOURCE[0]%/*}/common.sh"

state=$(
  say 'SELECT state FROM mysql_operator.instance;' |
    timeout 4 mysql --defaults-file="$CLIENT_CNF" --protocol=SOCKET --socket=/run/mysqld/mysqld.sock \
      --connect-timeout=3 --batch --skip-column-names
)
[[ $state == done ]] || {
  say 'the database waits for its restore'
  exit 1
}
