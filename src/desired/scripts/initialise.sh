#!/bin/bash
# Init container of the database's pod: turns an empty claim into a data directory that waits for its restore. It works
# in data.partial, which becomes data in one step when everything is on disk: killed before, it starts over; afterwards
# it only says the server's version. It never touches a claim that has data.
. "${BASH_SOURCE[0]%/*}/common.sh"
report_failures
require_claim_uid

readonly VOLUME=/var/lib/mysql
readonly DATA=$VOLUME/data
readonly PARTIAL=$VOLUME/data.partial
readonly BOOTSTRAP=/tmp/bootstrap.sql
readonly CONFIG=/etc/mysql-operator/config/my.cnf
readonly OPERATOR_ACCOUNT=/etc/mysql-operator/init/init.sql

# Sets `version` to that of the image's server, as 9.7.4.
read_version() {
  local text
  text=$(mysqld --version) || die 'the image has no mysqld that runs: use an official-style MySQL image'
  [[ $text =~ Ver\ ([0-9]+\.[0-9]+\.[0-9]+) ]] || die 'mysqld does not say its version: use an official-style MySQL image'
  version=${BASH_REMATCH[1]}
}

# Sets `impossible` to a hash that no known password has, of the plugin that the operator's account has: root@localhost
# is never without a password, and nobody can be it until the restore Job has set the real one.
make_impossible_hash() {
  local noise
  noise=$(head -c 8192 /dev/urandom | tr -dc A-Za-z0-9)
  ((${#noise} >= 62)) || die '/dev/urandom gives no random bytes: this node cannot make a password'
  if [[ $(<"$OPERATOR_ACCOUNT") == *mysql_native_password* ]]; then
    impossible="'mysql_native_password' AS '*$(printf '%s' "$noise" | sha1sum | head -c 40 | tr a-f A-F)'"
  else
    # 20 characters of salt, 43 of digest, of which the last has only 4 bits.
    impossible="'caching_sha2_password' AS 0x$(printf '$A$005$%s.' "${noise:0:62}" | od -An -v -tx1 | tr -d ' \n')"
  fi
}

# One statement a line, which is how --init-file reads. The first one that fails ends the file without a word, so the
# last one makes what is looked for afterwards.
write_bootstrap() {
  make_impossible_hash
  {
    cat -- "$OPERATOR_ACCOUNT"
    say "ALTER USER 'root'@'localhost' IDENTIFIED WITH $impossible ACCOUNT LOCK;"
    say 'CREATE DATABASE mysql_operator;'
    say 'CREATE TABLE mysql_operator.instance (id TINYINT NOT NULL PRIMARY KEY, claim_uid CHAR(36) NOT NULL,' \
      'state VARCHAR(16) NOT NULL, restored_from VARCHAR(255) NULL) ENGINE=InnoDB;'
    say "INSERT INTO mysql_operator.instance VALUES (1, '$CLAIM_UID', 'pending', NULL);"
    say 'CREATE TABLE mysql_operator.bootstrapped (id TINYINT NOT NULL PRIMARY KEY) ENGINE=InnoDB;'
  } >"$BOOTSTRAP"
}

# In the background, since a shell hears no signal while something is in its foreground, and with a trap, since one that is
# process 1 ignores what it has no trap for: otherwise a pod that is deleted now would wait for its whole grace period.
run() {
  local status=0
  "$@" &
  trap 'kill -KILL "$!" 2>/dev/null; exit 143' TERM
  wait "$!" || status=$?
  trap - TERM
  return "$status"
}

# Older coreutils can only sync everything.
sync_volume() { sync -f "$VOLUME" 2>/dev/null || sync; }

initialise() {
  local old
  for old in ibdata1 mysql.ibd mysql; do
    [[ ! -e $VOLUME/$old ]] ||
      die "the volume holds a data directory that this operator did not make: move its files to the folder data first"
  done
  say 'initialising an empty volume'
  rm -rf "$PARTIAL"
  write_bootstrap
  run mysqld --defaults-file="$CONFIG" --initialize-insecure --datadir="$PARTIAL" --init-file="$BOOTSTRAP" ||
    die 'mysqld could not initialise the volume: see the log of container initialise'
  [[ -e $PARTIAL/mysql_operator/bootstrapped.ibd ]] ||
    die 'mysqld did not make the operator account: see the log of container initialise'
  rm -f "$BOOTSTRAP"
  sync_volume
  mv -T "$PARTIAL" "$DATA"
  sync_volume
}

read_version
if [[ -d $DATA ]]; then
  say "the volume has data; mysqld is $version"
  initialised=false
else
  initialise
  say "initialised by mysqld $version"
  initialised=true
fi
report "{\"version\":\"$version\",\"initialised\":$initialised}"
