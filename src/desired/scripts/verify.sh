#!/bin/bash
# Proves that a dump can be restored: loads it into a throw-away server in this pod, which has no network, and looks at what
# came of it. A dump that does not pass is kept and marked, so that `latest` passes it over. Exit code 3 says that; any
# other failure says nothing about the dump.
. "${BASH_SOURCE[0]%/*}/common.sh"
. "${BASH_SOURCE[0]%/*}/definers.sh"
. "${BASH_SOURCE[0]%/*}/dumps.sh"
report_failures
require_instance
require_backups
require DUMP '^(latest|[A-Za-z0-9][A-Za-z0-9._-]{0,245}\.sql\.gz)$'

readonly CONFIG=/etc/mysql-operator/config/my.cnf
readonly DATA=/var/lib/mysql
# The database's own my.cnf, so that it reads names and texts the same way; but small, and as nothing here outlives the pod,
# without what makes writes durable. Events of the dump must not run.
readonly THROW_AWAY=(
  --defaults-file="$CONFIG" --skip-networking --skip-log-bin --event-scheduler=OFF --performance-schema=OFF
  --innodb-buffer-pool-size=128M --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --max-allowed-packet=1G
)
# Less room than this, in MiB, may be what made the load fail.
readonly LEAST_ROOM=64

# In place of the one in common.sh: the throw-away server, whose root has no password yet.
server() {
  mysql --no-defaults --protocol=SOCKET --socket=/run/mysqld/mysqld.sock --user=root "${CLIENT_OPTIONS[@]}" "$@"
}

# Sets `file` to the dump; empty if there is none. The newest one counts, also if it was found bad before.
choose() {
  local path
  file=''
  if [[ $DUMP != latest ]]; then
    file=$DUMP
    return
  fi
  for path in "$BACKUPS/$INSTANCE"-*; do
    [[ ! ${path#"$BACKUPS/$INSTANCE-"} =~ ^$STAMP\.(json|bad)$ ]] || file=${path##*/}
  done
  file=${file:+${file%.*}.sql.gz}
}

# Sets `record` to what is known of the dump.
read_record() {
  local name=$BACKUPS/${file%.sql.gz}
  record=''
  if [[ -e $name.json ]]; then
    record=$(<"$name.json")
  elif [[ -e $name.bad ]]; then
    read -r record <"$name.bad"
  fi
  [[ -n $(field sha256 "$record") && -n $(field token "$record") ]] ||
    die "$file has no .json of this operator's beside it: there is nothing to compare it with"
}

# verdict FLAW: the report; an empty one is none.
verdict() {
  local why=null
  [[ -z $1 ]] || why=$(json "${1:0:500}")
  report "{\"file\":\"$file\",\"tables\":$tables,\"version\":\"$version\",\"flaw\":$why}"
}

# bad FLAW: marks the dump and ends the script.
bad() {
  local name=$BACKUPS/${file%.sql.gz}
  [[ ! -e $name.json ]] || mv -T -- "$name.json" "$name.bad"
  if printf '%s\n%s\n' "$record" "$1" >"$name.bad.partial" && sync "$name.bad.partial"; then
    mv -T -- "$name.bad.partial" "$name.bad"
  else
    rm -f -- "$name.bad.partial"
  fi
  sync "$BACKUPS"
  verdict "$1"
  printf 'failed: %s is bad: %s\n' "$file" "$1" >&2
  exit 3
}

# What was found bad before and was repaired since is offered again.
good() {
  local name=$BACKUPS/${file%.sql.gz}
  if [[ -e $name.bad ]]; then
    printf '%s\n' "$record" >"$name.json.partial"
    sync "$name.json.partial"
    mv -T -- "$name.json.partial" "$name.json"
    rm -f -- "$name.bad"
    sync "$BACKUPS"
  fi
  verdict ''
  say "$file is good: $tables tables"
}

start_server() {
  mysqld "${THROW_AWAY[@]}" --initialize-insecure || die 'mysqld could not make a throw-away database: see the log of this pod'
  mysqld "${THROW_AWAY[@]}" &
  mysqld=$!
  until say 'SELECT 1;' | server >/dev/null 2>&1; do
    require_server
    sleep 1
  done
}

require_server() { kill -0 "$mysqld" 2>/dev/null || die 'the throw-away server has ended: see the log of this pod'; }

# load: what fails for want of memory or room is not the dump's fault.
load() {
  local said room
  say "loading $file into a throw-away server"
  { said=$(contents "$file" | server --binary-mode 2>&1 >/dev/null) && return; } || printf '%s\n' "$said" >&2
  require_server
  room=$(df --output=avail -B1M "$DATA" | tail -n 1)
  ((room >= LEAST_ROOM)) || die "the volume for the throw-away server is full: nothing is known about $file"
  # The server's own words may quote the data.
  [[ $said =~ ERROR\ [0-9]+\ \([0-9A-Z]+\)(\ at\ line\ [0-9]+)? ]] || BASH_REMATCH=('it cannot be unpacked to its end')
  bad "it cannot be loaded: ${BASH_REMATCH[0]}"
}

# Every base table by CHECK TABLE, which answers with lines of table, "check", kind and text.
check_tables() {
  local line damaged=()
  ask "SELECT CONCAT('CHECK TABLE \`', REPLACE(table_schema, '\`', '\`\`'), '\`.\`', REPLACE(table_name, '\`', '\`\`'), '\`;')
       FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ($SYSTEM_SCHEMAS);"
  ask "$answer"
  while IFS= read -r line; do
    [[ $line != *$'\tcheck\terror\t'* && ($line != *$'\tcheck\tstatus\t'* || $line == *$'\tOK') ]] || damaged+=("${line%%$'\t'*}")
  done <<<"$answer"
  ((${#damaged[@]} == 0)) || bad "CHECK TABLE finds fault with ${damaged[*]}"
}

# The row that backup.sh wrote just before: a dump without it is of another moment or another server.
check_token() {
  local token
  token=$(say 'SELECT token FROM mysql_operator.dump;' | server 2>/dev/null) || token=''
  [[ $token == "$(field token "$record")" ]] || bad 'the row that was written just before it was made is not in it'
}

tables=0
version=$(mysqld --version)
[[ $version =~ Ver\ ([0-9]+\.[0-9]+\.[0-9]+) ]] || die 'the image has no mysqld that says its version'
version=${BASH_REMATCH[1]}
choose
if [[ -z $file ]]; then
  say 'there is no dump to verify'
  report "{\"file\":null,\"tables\":0,\"version\":\"$version\",\"flaw\":null}"
  exit 0
fi
read_record
[[ -e $BACKUPS/$file ]] || bad 'the file is gone'
sum_of "$BACKUPS/$file" || die "$file cannot be read: look at the claim of the backups"
[[ $sum == "$(field sha256 "$record")" ]] || bad 'its sha256 is not the one in its .json: it was changed or damaged since it was written'
start_server
make_stand_ins "$file"
load
ask "$COUNT_TABLES"
tables=$answer
[[ $tables == "$(field tables "$record")" ]] || bad "it has $tables tables, and its .json says $(field tables "$record")"
check_tables
check_token
good
