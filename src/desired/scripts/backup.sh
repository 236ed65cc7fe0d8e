#!/bin/bash
# Writes a dump of a server: everything that is not the server's or the operator's own. It is written under a name of
# this pod's, checked, synced, and only then renamed; the .json comes last, and a dump without it is none. Older dumps are
# not touched before.
. "${BASH_SOURCE[0]%/*}/common.sh"
. "${BASH_SOURCE[0]%/*}/accounts.sh"
. "${BASH_SOURCE[0]%/*}/dumps.sh"
. "${BASH_SOURCE[0]%/*}/retention.sh"
. "${BASH_SOURCE[0]%/*}/views.sh"
report_failures
require_claim_uid
require_instance
require_account
require_backups
require POD_UID "$UID_PATTERN"
require OWNER_UID "$UID_PATTERN"
require LAST_DUMP '^(yes|no)$'
require KEEP '^[1-9][0-9]{0,3}$'

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# What dead pods left behind; the operator runs one Job at a time. Accounts get their name before their dump does.
remove_leftovers() {
  local path
  for path in "$BACKUPS/$INSTANCE"-*{.partial,.accounts.sql.gz}; do
    [[ -e $path && ! -e ${path%.accounts.sql.gz}.sql.gz ]] || continue
    say "removing ${path##*/}, which an earlier attempt left unfinished"
    rm -f -- "$path"
  done
}

# from_hex VARIABLE HEX: sets it to the bytes. Names travel as hex, since a name may hold anything: also a line break at its
# end, which $(…) would take away.
from_hex() {
  local i escaped=''
  for ((i = 0; i < ${#2}; i += 2)); do escaped+="\\x${2:i:2}"; done
  printf -v "$1" '%b' "$escaped"
}

# Sets `databases` to the names of everything to dump.
list_databases() {
  local schema
  databases=()
  ask "SELECT HEX(schema_name) FROM information_schema.schemata WHERE schema_name NOT IN ($SYSTEM_SCHEMAS) ORDER BY 1;"
  while read -r schema; do
    [[ -n $schema ]] || continue
    from_hex schema "$schema"
    databases+=("$schema")
  done <<<"$answer"
  ((${#databases[@]} > 0)) || die 'there is no database to dump: was it dropped by hand?'
}

quoted() { printf '`%s`' "${1//\`/\`\`}"; }

# Refuses stored programs that the client could read otherwise than the server when the dump is loaded: their authors could
# have it run statements of theirs with the operator's rights. Their text is dumped as it was written, and the client
# neither knows ANSI_QUOTES nor all comments, so it may see the end of a string where the server sees none. Such an end is
# of no use without the mark that ends a statement or the command that changes that mark, which the client takes anywhere.
# A text that only makes it lose track would spoil the restore. A row of SHOW CREATE comes escaped, as one line.
readonly MARKS=';;|[Dd][Ee][Ll][Ii][Mm][Ii][Tt][Ee][Rr]|[^[:print:][:space:]'$'\x80-\xff'']|\\0'
# Their second bytes may be backslashes, and the client reads bytes of utf8mb4.
readonly BACKSLASH_CHARSETS=$'\t(gbk|gb18030|big5|sjis|cp932)\t'
refuse_ambiguous_programs() {
  local kind schema name program row index=-1 programs=() refused=()
  ask "SELECT routine_type, HEX(routine_schema), HEX(routine_name) FROM information_schema.routines
         WHERE routine_schema NOT IN ($SYSTEM_SCHEMAS)
       UNION ALL SELECT 'TRIGGER', HEX(trigger_schema), HEX(trigger_name) FROM information_schema.triggers
         WHERE trigger_schema NOT IN ($SYSTEM_SCHEMAS)
       UNION ALL SELECT 'EVENT', HEX(event_schema), HEX(event_name) FROM information_schema.events
         WHERE event_schema NOT IN ($SYSTEM_SCHEMAS);"
  while read -r kind schema name; do
    [[ -n $name ]] || continue
    from_hex schema "$schema"
    from_hex name "$name"
    programs+=("$kind $(quoted "$schema").$(quoted "$name")")
  done <<<"$answer"
  ((${#programs[@]} > 0)) || return 0
  answer=$(for program in "${programs[@]}"; do say "SELECT '-- program'; SHOW CREATE $program;"; done | server --skip-raw) ||
    die 'the stored programs could not be read: see the log of this pod'
  while IFS= read -r row; do
    if [[ $row == '-- program' ]]; then
      index=$((index + 1))
    elif is_ambiguous "$row"; then
      refused+=("${programs[index]}")
    fi
  done <<<"$answer"
  ((${#refused[@]} == 0)) ||
    die "no dump was made: keep the text of these ${#refused[@]} stored programs elsewhere and drop them, or rewrite them \
without ';;', the word delimiter, control characters, and backslashes together with ANSI_QUOTES, since they could not be \
restored safely: ${refused[*]}"
}

# is_ambiguous ROW
is_ambiguous() {
  [[ ${1//\\\\/} =~ $MARKS ]] ||
    [[ $1 == *ANSI_QUOTES* && $1 == *'"'* && $1 == *'\\'* ]] ||
    [[ $1 == *[$'\x80'-$'\xff']* && $1 =~ $BACKSLASH_CHARSETS ]]
}

# A row that no dump before this one has, in a table that is dumped with the rest: whoever loads the dump can tell that it
# is this one, and whole. A dump that was killed, or an administrator, may have left a server that takes no writes, not
# even ours.
write_token() {
  ask "SET @before = @@GLOBAL.super_read_only;
       SET GLOBAL super_read_only = OFF;
       SET SESSION sql_log_bin = 0;
       CREATE TABLE IF NOT EXISTS mysql_operator.dump (id TINYINT NOT NULL PRIMARY KEY, token CHAR(36) NOT NULL) ENGINE=InnoDB;
       REPLACE INTO mysql_operator.dump VALUES (1, '$POD_UID');
       SET GLOBAL super_read_only = @before;"
}

# Sets `changes`, which differs from before once a stored program was made, altered or dropped. The status counts statements
# that begin; one may have begun long ago and wait for a lock, so those that have ended are counted too, by servers that
# keep statistics of statements.
count_program_changes() {
  ask "SHOW GLOBAL STATUS WHERE variable_name REGEXP '^Com_(create|alter|drop)_(procedure|function|trigger|event)$';
       SELECT event_name, count_star FROM performance_schema.events_statements_summary_global_by_event_name
         WHERE event_name REGEXP '^statement/sql/(create|alter|drop)_(procedure|function|trigger|event)$' ORDER BY 1;"
  changes=$answer
}

# A living server goes on taking statements, so what was looked at before may not be what was dumped: it is looked at once
# more, for a server without such statistics.
refuse_unseen_programs() {
  local seen=$changes
  count_program_changes
  [[ $changes == "$seen" ]] ||
    die 'a stored program was made or altered while the dump was made, and not looked at: this will be tried again'
  refuse_ambiguous_programs
}

# After the last dump the server goes, so what is acknowledged after its snapshot would be lost. Not persisted: a server
# that starts again takes writes. Without a dump this one does too, however the script ends, but not if it is killed.
refuse_writes() {
  trap 'report_end $?; allow_writes' EXIT
  ask 'SET SESSION lock_wait_timeout = 60; SET GLOBAL super_read_only = ON;'
  say 'the server takes no writes any more'
}
allow_writes() {
  say 'SET GLOBAL read_only = OFF;' | server || say 'the server may still refuse writes: SET GLOBAL read_only = OFF'
}

mysqldump_of() {
  mysqldump --defaults-file="$CLIENT_CNF" --host="$SERVER" --port=3306 --protocol=TCP \
    --default-character-set=utf8mb4 --max-allowed-packet=1G --single-transaction --quick \
    --hex-blob --set-gtid-purged=OFF --no-tablespaces "$@"
}

# SQL of `databases` without what is in `incomplete`, and the token, to stdout. mysqldump makes views in the order of their
# names, on placeholders of those to come, and no server takes a CHECK OPTION on a placeholder. So there the option is left
# out, and those views come once more at the end, when what they are made of is there.
dump() {
  local i view ignored=(--ignore-table=mysql_operator.instance)
  for view in ${incomplete[@]+"${incomplete[@]}"}; do ignored+=("--ignore-table=$view"); done
  mysqldump_of --routines --events --triggers "${ignored[@]}" --databases -- "${databases[@]}" mysql_operator |
    without_check_options || return
  for ((i = 0; i < ${#checked[@]}; i += 2)); do
    say "USE $(quoted "${checked[i]}");"
    mysqldump_of -- "${checked[i]}" "${checked[i + 1]}" || return
  done
}

# check FILE: reads it back as a whole; what cannot be read now could not be restored either.
check() {
  local last
  last=$(gzip -dc -- "$1" | tail -n 1) || die 'the dump cannot be read back: is the backup volume full or damaged?'
  [[ $last == "$COMPLETE"* ]] || die 'the dump was not written to its end: see the log of this pod'
}

# write_accounts FILE: sets `accounts` to how many the file holds, and adds those it cannot hold to `incomplete`.
write_accounts() {
  local sql one
  list_accounts
  accounts=0
  ((${#who[@]} > 0)) || return 0
  sql=$(describe_accounts | accounts_sql) || die 'the accounts could not be read: see the log of this pod'
  for one in "${who[@]}"; do
    if [[ $'\n'$sql == *$'\n'"-- account $one"$'\n'* ]]; then
      accounts=$((accounts + 1))
    else
      incomplete+=("account $one")
    fi
  done
  printf '%s\n' "$sql" | gzip >"$1"
  ask "SELECT COUNT(*) FROM mysql.user WHERE CONCAT(user, host) REGEXP '[[:cntrl:]]';"
  [[ $answer == 0 ]] || incomplete+=("$answer accounts with control characters in their names")
}

# put PARTIAL NAME: gives a finished file its name, for good.
put() {
  sync "$1"
  mv -T -- "$1" "$BACKUPS/$2"
  sync "$BACKUPS"
}

wait_for_server
read_mark
if [[ $state != done ]]; then
  say 'the database was never filled: it has nothing that the dumps do not have'
  report "{\"file\":null,\"bytes\":0,\"tables\":0,\"sha256\":null,\"version\":\"$version\",\"incomplete\":[]}"
  exit 0
fi
remove_leftovers
start=$(now)
name=$INSTANCE-$(date -u +%Y%m%dT%H%M%SZ)
file=$name.sql.gz
partial=$BACKUPS/$name.$POD_UID.partial
[[ ! -e $BACKUPS/$file ]] || die "$file is there already: this will be tried again under a later name"

write_token
[[ $LAST_DUMP == no ]] || refuse_writes
incomplete=()
list_databases
find_broken_views
list_checked_views
count_program_changes
refuse_ambiguous_programs
ask "$COUNT_TABLES"
tables=$answer
say "dumping ${#databases[@]} databases with $tables tables"
dump | gzip >"$partial" || die 'the dump failed: see the log of this pod (is the backup volume full?)'
refuse_unseen_programs
check "$partial"
bytes=$(stat -c %s -- "$partial")
sum_of "$partial"
sha256=$sum
write_accounts "$partial.accounts.partial"
say "keeping $accounts accounts that are not managed"
left_out=$(json_list ${incomplete[@]+"${incomplete[@]}"})
{
  printf '{"file":"%s","sha256":"%s","bytes":%s,"tables":%s,"token":"%s",' "$file" "$sha256" "$bytes" "$tables" "$POD_UID"
  if ((accounts > 0)); then
    sum_of "$partial.accounts.partial"
    printf '"accounts":%s,"accountsSha256":"%s",' "$accounts" "$sum"
  fi
  printf '"version":"%s","start":"%s","end":"%s",' "$version" "$start" "$(now)"
  printf '"ownerUid":"%s","incomplete":%s}\n' "$OWNER_UID" "$left_out"
} >"$partial.json.partial"
((accounts == 0)) || put "$partial.accounts.partial" "$name.accounts.sql.gz"
put "$partial" "$file"
put "$partial.json.partial" "$name.json"
trap 'report_end $?' EXIT
say "wrote $file: $bytes bytes"
keep_newest "$name"
report "{\"file\":\"$file\",\"bytes\":$bytes,\"tables\":$tables,\"sha256\":\"$sha256\",\"version\":\"$version\",\"incomplete\":$left_out}"
