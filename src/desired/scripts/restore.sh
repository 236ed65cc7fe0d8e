#!/bin/bash
# Fills an empty database from a dump, makes the managed accounts, and opens the database to clients by setting the
# mark, last. Until then everything is done again from the start, whenever it was killed.
. "${BASH_SOURCE[0]%/*}/common.sh"
. "${BASH_SOURCE[0]%/*}/accounts.sh"
. "${BASH_SOURCE[0]%/*}/definers.sh"
. "${BASH_SOURCE[0]%/*}/dumps.sh"
report_failures
require_claim_uid
require_instance
require_database
require_account
require_backups
require RESTORE_FROM '^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$'

# A restored row is in the dump: the binary log would only hold it a third time.
readonly NOT_LOGGED='SET SESSION sql_log_bin = 0;'

# Why a dump cannot be used; nothing if it can.
flaw() {
  local path=$BACKUPS/$1 record sum last
  record=${path%.sql.gz}.json
  if [[ ! -f $path || ! -r $path ]]; then
    say 'it cannot be read'
  elif [[ $1 == *.partial ]]; then
    say 'it was never finished'
  elif [[ -e ${path%.sql.gz}.bad ]]; then
    say "$(flaw_found "$1") (delete ${1%.sql.gz}.bad and name the file to load it all the same)"
  elif [[ $1 == *.gz && ! -e $record && $RESTORE_FROM == latest ]]; then
    say 'its .json is missing'
  elif [[ -e $record && $(field bytes "$(<"$record")") != "$(stat -c %s -- "$path")" ]]; then
    say 'its size is not the one in its .json'
  elif ! sum_of "$path" || [[ -e $record && $(field sha256 "$(<"$record")") != "$sum" ]]; then
    say 'its sha256 is not the one in its .json'
  elif ! last=$(unpacked "$1" 2>/dev/null | tail -n 1); then
    say 'it is damaged'
  elif [[ $last != "$COMPLETE"* ]]; then
    say "it does not end with \"$COMPLETE\""
  fi
}

# Dumps of this instance as "UTC file", newest first: what this operator wrote, and the one file of an older operator.
dumps() {
  local path file
  for path in "$BACKUPS/$INSTANCE"-*; do
    file=${path##*/}
    if [[ ${file#"$INSTANCE-"} =~ ^($STAMP)\.sql\.gz$ ]]; then
      say "${BASH_REMATCH[1]} $file"
    elif [[ $file == "$INSTANCE-dump.sql" ]]; then
      say "$(date -u -r "$path" +%Y%m%dT%H%M%SZ) $file"
    fi
  done | sort -r
}

# Sets `dump` to the file to load; empty if there is none.
choose() {
  local found file why bad='' count=0
  found=$(dumps)
  while read -r _ file; do
    [[ -n $file ]] || continue
    why=$(flaw "$file")
    if [[ -z $why ]]; then
      dump=$file
      return
    fi
    say "not $file: $why"
    bad+="${bad:+; }$file: $why"
    count=$((count + 1))
  done <<<"$found"
  [[ -z $bad ]] || die "no dump can be used: put a good one there, or take these $count files away to start empty: $bad"
}

choose_named() {
  local why
  [[ -e $BACKUPS/$RESTORE_FROM ]] ||
    die "there is no $RESTORE_FROM in claim backup-$INSTANCE-pvc: put it there, or name a file that is there"
  why=$(flaw "$RESTORE_FROM")
  [[ -z $why ]] || die "$RESTORE_FROM cannot be used: $why; put a good one there"
  dump=$RESTORE_FROM
}

# Only one restore at a time, also when a node is lost and its pod lives on: the lock lasts as long as this session.
take_lock() {
  local got=''
  coproc LOCK { server --unbuffered; }
  say "SELECT GET_LOCK('mysql_operator.restore', 600);" >&"${LOCK[1]}"
  read -r got <&"${LOCK[0]}" || got=lost
  [[ $got == 1 ]] || die 'another restore is at work: this one will be tried again'
}

# What an earlier run left half done, accounts too: some may only have stood in for others.
clear() {
  ask "SELECT CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host), ';') FROM mysql.user
       WHERE NOT (user = 'mysql_operator' OR user LIKE 'mysql.%' OR (user = 'root' AND host = 'localhost'));"
  ask "$NOT_LOGGED $answer"
  ask "SELECT CONCAT('DROP DATABASE \`', REPLACE(schema_name, '\`', '\`\`'), '\`;')
       FROM information_schema.schemata WHERE schema_name NOT IN ($SYSTEM_SCHEMAS);"
  ask "$NOT_LOGGED $answer"
}

# load FILE. The one file of an older operator is of a single database: it has no CREATE DATABASE and no USE.
load() {
  local into=() packet
  if [[ $1 != *.gz ]]; then
    ask "$NOT_LOGGED CREATE DATABASE IF NOT EXISTS \`$DATABASE\`;"
    into=(--database="$DATABASE")
  fi
  # Binary columns are twice as long in a dump as in the table they came from.
  ask 'SELECT @@GLOBAL.max_allowed_packet;'
  packet=$answer
  ask 'SET GLOBAL max_allowed_packet = 1073741824;'
  { say "$NOT_LOGGED" && contents "$1"; } | server --binary-mode ${into[@]+"${into[@]}"} >/dev/null ||
    die "$1 could not be loaded: see the log of this pod; it will be tried again from the start"
  ask "SET GLOBAL max_allowed_packet = $packet;"
}

# The accounts that were kept beside the dump, if it says so; they are worth less than the dump, so nothing of them fails.
load_accounts() {
  local file=${dump%.sql.gz}.accounts.sql.gz record sum
  record=$BACKUPS/${dump%.sql.gz}.json
  [[ $dump == *.gz && -e $record && $(<"$record") == *'"accountsSha256"'* ]] || return 0
  sum_of "$BACKUPS/$file" || sum=none
  if [[ $(field accountsSha256 "$(<"$record")") != "$sum" ]]; then
    skipped=("all accounts: $file is missing or damaged")
    return
  fi
  restore_accounts "$BACKUPS/$file"
}

# The managed accounts with this resource's passwords, whatever the dump held.
make_accounts() {
  local account who sql=$NOT_LOGGED
  for account in root user; do
    has_credential "$account" || continue
    read_credential "$account"
    while read -r who; do
      grant_to "$who" "$account"
      sql+="CREATE USER IF NOT EXISTS $who $identified; ALTER USER $who $identified ACCOUNT UNLOCK; $grant"
    done < <(names_of "$account")
  done
  secretly "$sql" 'the accounts were not made'
}

# finish FROM ALREADY
finish() {
  local from=null
  [[ -z $1 ]] || from=$(json "$1")
  ask "$COUNT_TABLES"
  report "{\"version\":\"$version\",\"from\":$from,\"tables\":$answer,\"skippedAccounts\":$(json_list ${skipped[@]+"${skipped[@]}"}),\"already\":$2}"
}

skipped=()
wait_for_server
take_lock
read_mark
if [[ $state == done ]]; then
  say 'the database is filled already'
  ask "SELECT COALESCE(restored_from, '') FROM mysql_operator.instance;"
  finish "$answer" true
  exit 0
fi
has_credential root || die "root's password hash is not mounted: the operator should have named its Secret"
dump=''
case $RESTORE_FROM in
  none) say 'no restore is wanted' ;;
  latest) choose ;;
  *) choose_named ;;
esac
clear
if [[ -n $dump ]]; then
  say "loading $dump"
  make_stand_ins "$dump"
  load "$dump"
  remove_stand_ins
  load_accounts
fi
ask "$NOT_LOGGED CREATE DATABASE IF NOT EXISTS \`$DATABASE\`;"
make_accounts
ask "UPDATE mysql_operator.instance SET state = 'done', restored_from = NULLIF('$dump', '');"
say "filled from ${dump:-nothing}; open to clients"
finish "$dump" false
